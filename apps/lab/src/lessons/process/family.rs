//! Who is who among processes: numbers, parents, and the list of children.

use std::fs;
use std::io::{self, Read, Write};
use std::mem::ManuallyDrop;
use std::os::unix::net::UnixStream;
use std::thread;
use std::time::{Duration, Instant};

use common::exit::Failure;
use common::process::{self, Builder, Process, active_children};
use nix::unistd::{Pid, getpid, getppid};

use super::reap_if_adopted;
use crate::lesson::Saw;
use crate::stage::Stage;

/// Nobody here waits longer for a word or an end.
const LIMIT: Duration = Duration::from_secs(60);

pub(super) fn pids(stage: &Stage) -> Result<Saw, Failure> {
    stage.says("parent", format_args!("parent process {}", getpid()));
    let child = Builder::new().name("test").fork(|| {
        stage.says(
            "child",
            format_args!("run child process {} ({}), child of {}", process::name(), getpid(), getppid()),
        );
    })?;
    let pid = child.pid();
    child.join(None)?;
    stage.says("parent", "child process has ended");
    let told = format!("run child process test ({pid}), child of {}", getpid());
    let agreed = stage.events().iter().any(|event| event.who == "child" && event.what == told);
    Ok(Saw::new()
        .fact("parent", getpid().as_raw())
        .fact("child", pid)
        .fact("agreed", agreed)
        .say(format!(
            "The parent was {}, the child {pid}; the child {} the same.",
            getpid(),
            if agreed { "said" } else { "did not say" }
        ))
        .shown(agreed && stage.last_of("parent") > stage.last_of("child")))
}

pub(super) fn pid(stage: &Stage) -> Result<Saw, Failure> {
    let (mut dancer, theirs) = UnixStream::pair()?;
    let (go, wait) = UnixStream::pair()?;
    // (if this process is killed, nobody tells the orphan to end)
    theirs.set_read_timeout(Some(LIMIT))?;
    // it ends when it is told to, without waiting for its child
    let song = Builder::new().daemon(true).fork(|| {
        stage.says("song", format_args!("process {}, parent {}", getpid(), getppid()));
        let _dance = ManuallyDrop::new(Builder::new().fork(|| dance(stage, &theirs))?);
        (&wait).read_exact(&mut [0])
    })?;
    let before = number_from(&mut dancer)?;
    (&go).write_all(b".")?;
    song.join(None)?;
    dancer.write_all(b".")?;
    let after = number_from(&mut dancer)?;
    // the dancer's end is heard of by its stream: only its parent can wait for it
    drop(theirs);
    let _ = dancer.read(&mut [0])?;
    let (main, song) = (getpid(), song.pid());
    let orphan =
        stage.events().iter().find(|event| event.who == "dance").map(|event| event.pid.cast_signed());
    orphan.map(Pid::from_raw).into_iter().for_each(reap_if_adopted);
    let adopter = if after == main.as_raw() { ", the main process itself" } else { "" };
    Ok(Saw::new()
        .fact("main", main.as_raw())
        .fact("parent", song)
        .fact("orphans_parents", [before, after])
        .say(format!("The main process was {main}, its child {song}, and the child of that one said that {before} was its parent."))
        .say(format!("When {song} had ended, the orphan's parent was {after}{adopter}."))
        .note("An orphan is adopted: by process 1, or by whoever has asked for that (a session's manager, for example).")
        .shown(before == song && after != song))
}

/// Tells its parent, and once more when it is told that the parent has gone.
fn dance(stage: &Stage, stream: &UnixStream) -> io::Result<()> {
    let tell = |mut to: &UnixStream| {
        stage.says("dance", format_args!("process {}, parent {}", getpid(), getppid()));
        to.write_all(&getppid().as_raw().to_le_bytes())
    };
    tell(stream)?;
    (&*stream).read_exact(&mut [0])?;
    tell(stream)
}

fn number_from(stream: &mut UnixStream) -> io::Result<i32> {
    let mut number = [0; 4];
    stream.read_exact(&mut number)?;
    Ok(i32::from_le_bytes(number))
}

pub(super) fn many(stage: &Stage) -> Result<Saw, Failure> {
    let (go, wait) = UnixStream::pair()?;
    let worker = |number: usize| {
        let wait = wait.try_clone()?;
        let (stage, mut end) = (stage, wait);
        Builder::new().daemon(true).fork(move || {
            let who = format!("worker {number}");
            stage.says(&who, "begins");
            let _ = end.read(&mut [0]);
            stage.says(&who, "ends");
        })
    };
    // each child has a copy of `go`; they wait for one byte each
    let children = (1..=3).map(worker).collect::<io::Result<Vec<Process>>>()?;
    let while_they_run = active_children();
    for child in &while_they_run {
        stage.says("parent", format_args!("{} is process {}", child.name, child.pid));
    }
    (&go).write_all(b"...")?;
    let ours = |pid: i32| children.iter().any(|child| child.pid() == pid);
    let end = Instant::now() + LIMIT;
    // nobody joins them: asking is enough
    while active_children().iter().any(|child| ours(child.pid)) && Instant::now() < end {
        thread::sleep(Duration::from_millis(1));
    }
    let afterwards = active_children().iter().filter(|child| ours(child.pid)).count();
    let zombies =
        children.iter().filter(|c| fs::exists(format!("/proc/{}", c.pid())).unwrap_or(true)).count();
    let codes = children.iter().map(|child| child.join(None)).collect::<io::Result<Vec<_>>>()?;
    let (cpus, usable) = (process::cpu_count(), process::usable_cpus());
    let mine = while_they_run.iter().filter(|child| ours(child.pid)).count();
    Ok(Saw::new()
        .fact("cpu_count", cpus)
        .fact("usable_cpus", usable)
        .fact("active", [mine, afterwards])
        .fact("exit_codes", &codes)
        .fact("zombies", zombies)
        .say(format!(
            "{mine} children were active while they ran, {afterwards} afterwards. Nobody had joined them, and {zombies} of them were \
             left as zombies."
        ))
        .say(format!("The machine has {cpus} CPUs, and this process may use {usable}."))
        .note("Asking for the active children waits for those that have ended, as join does.")
        .note("Only the second number says how many can compute at once: a container or `taskset` may allow fewer.")
        .shown(mine == 3 && afterwards == 0 && zombies == 0))
}

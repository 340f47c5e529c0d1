//! Who is whose parent.

use std::io::{self, Read, Write};
use std::mem::ManuallyDrop;
use std::os::unix::net::UnixStream;
use std::time::Duration;

use common::exit::Failure;
use common::process::{self, Builder};
use nix::unistd::{Pid, getpid, getppid};

use super::reap_if_adopted;
use crate::lesson::{Example, Saw};
use crate::stage::Stage;

/// An orphan waits no longer for the word to end.
const LIMIT: Duration = Duration::from_secs(60);

pub(super) const PIDS: Example = Example::new("pids", "parent and child tell their numbers", &[46], pids);

fn pids(stage: &Stage) -> Result<Saw, Failure> {
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

pub(super) const PID: Example =
    Example::new("pid", "who is whose parent, and who is it when the parent has gone", &[39], pid);

fn pid(stage: &Stage) -> Result<Saw, Failure> {
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

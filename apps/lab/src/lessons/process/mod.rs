//! A child process: start it, wait for it, ask how it is, end it.

mod ending;
mod family;

use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::thread;
use std::time::{Duration, Instant};

use common::exit::Failure;
use common::process::Builder;
use nix::sys::wait::waitpid;
use nix::unistd::Pid;

use crate::lesson::{Example, Lesson, Saw};
use crate::stage::Stage;

pub(crate) const LESSON: Lesson = Lesson {
    name: "process",
    title: "a child process: start it, wait for it, ask how it is, end it",
    about: "A process is started as a copy of its parent (fork) or as a program of its own (spawn). From then on both run at \
            the same time, each with memory of its own, until the parent waits for the child (join).",
    look_for: "Which line comes first and which last; the process numbers; the exit codes.",
    file: "apps/lab/src/lessons/process/mod.rs",
    examples: &[
        Example { name: "start", about: "the child runs beside its parent", rows: &[1], run: start },
        Example { name: "join", about: "the parent waits for its child", rows: &[2], run: join },
        Example { name: "timeout", about: "waiting, but not for ever", rows: &[12], run: timeout },
        Example { name: "info", about: "its number, its name, and whether it lives", rows: &[9], run: info },
        Example {
            name: "pids",
            about: "parent and child tell their numbers",
            rows: &[46],
            run: family::pids,
        },
        Example {
            name: "pid",
            about: "who is whose parent, and who is it when the parent has gone",
            rows: &[39],
            run: family::pid,
        },
        Example {
            name: "many",
            about: "several children, and the list of them",
            rows: &[10],
            run: family::many,
        },
        Example { name: "tasks", about: "singing and dancing at the same time", rows: &[37], run: tasks },
        Example {
            name: "terminate",
            about: "ended from outside, and what is left undone",
            rows: &[7, 38, 41],
            run: ending::terminate,
        },
        Example {
            name: "exit-codes",
            about: "how a process says how it went",
            rows: &[8, 38],
            run: ending::exit_codes,
        },
        Example { name: "cost", about: "what it takes to start one, beside a thread", rows: &[7], run: cost },
    ],
};

/// The work of the tutorials' first child.
fn work(stage: &Stage, name: &str, age: u32, more: &[(&str, u32)]) {
    stage.says("child", format_args!("name {name}, age {age}"));
    stage.says("child", format_args!("by name: {more:?}"));
    stage.pause(Duration::from_millis(500));
    stage.says("child", "done");
}

fn start(stage: &Stage) -> Result<Saw, Failure> {
    let child = Builder::new().daemon(true).fork(|| work(stage, "kurong", 18, &[("abc", 123)]))?;
    stage.says("parent", "goes on at once");
    let code = child.join(None)?;
    let before_its_end = stage.first_of("parent") < stage.last_of("child");
    let order = if before_its_end { "before" } else { "after" };
    Ok(Saw::new()
        .fact("exit_code", code)
        .fact("parent_line_before_child_end", before_its_end)
        .say(format!(
            "The parent's line came {order} the child's last one; the child ended with exit code {}.",
            told(code)
        ))
        .note("Starting a process does not wait for it.")
        .note("Nobody sent the arguments: a forked child has a copy of its parent's memory.")
        .shown(before_its_end && code == Some(0)))
}

fn join(stage: &Stage) -> Result<Saw, Failure> {
    let child = Builder::new().daemon(true).fork(|| work(stage, "kurong", 18, &[("abc", 123)]))?;
    let code = child.join(None)?;
    stage.says("parent", "goes on after the child");
    let after_its_end = stage.first_of("parent") > stage.last_of("child");
    let order = if after_its_end { "after" } else { "before" };
    Ok(Saw::new()
        .fact("exit_code", code)
        .fact("parent_line_after_child_end", after_its_end)
        .say(format!(
            "The parent's line came {order} the child's last one; join gave the exit code {}.",
            told(code)
        ))
        .note("Join waits until the child has ended, and not for anything else.")
        .shown(after_its_end && code == Some(0)))
}

fn timeout(stage: &Stage) -> Result<Saw, Failure> {
    let (mut go, wait) = UnixStream::pair()?;
    let child = Builder::new().daemon(true).fork(|| {
        let mut wait = &wait;
        wait.read_exact(&mut [0])
    })?;
    let patience = Duration::from_millis(100);
    let before = Instant::now();
    let too_early = child.join(Some(patience))?;
    let waited = before.elapsed();
    stage.says("parent", format_args!("after {} ms: exit code {}", waited.as_millis(), told(too_early)));
    go.write_all(b".")?;
    let code = child.join(None)?;
    stage.says("parent", format_args!("in the end: exit code {}", told(code)));
    let on_time = too_early.is_none() && waited >= patience;
    Ok(Saw::new()
        .fact("after_time_limit", too_early)
        .fact("waited_ms", waited.as_millis())
        .fact("exit_code", code)
        .say(format!(
            "A join with a limit of {} ms came back after {} ms with {}; without a limit it gave exit code {}.",
            patience.as_millis(),
            waited.as_millis(),
            if too_early.is_none() { "nothing, because the child still ran" } else { "an exit code" },
            told(code),
        ))
        .note("In Python both give back None, and only `exitcode` tells whether the child has ended.")
        .shown(on_time && code == Some(0)))
}

fn info(stage: &Stage) -> Result<Saw, Failure> {
    let (mut go, wait) = UnixStream::pair()?;
    let child = Builder::new().daemon(true).fork(|| {
        for tick in 1..=5 {
            stage.says("child", format_args!("tick {tick}"));
            stage.pause(Duration::from_millis(300));
        }
        let mut wait = &wait;
        wait.read_exact(&mut [0])
    })?;
    let (pid, name, alive) = (child.pid(), child.name().to_owned(), child.is_alive());
    stage.says(
        "parent",
        format_args!("pid {pid}, name {name}, alive {alive}, exit code {}", told(child.exit_code())),
    );
    go.write_all(b".")?;
    child.join(None)?;
    let afterwards = child.is_alive();
    stage.says("parent", format_args!("alive {afterwards}, exit code {}", told(child.exit_code())));
    let same =
        stage.events().iter().any(|event| event.who == "child" && i64::from(event.pid) == i64::from(pid));
    Ok(Saw::new()
        .fact("pid", pid)
        .fact("name", &name)
        .fact("alive", [alive, afterwards])
        .fact("exit_code", child.exit_code())
        .say(format!("The child, {name}, was process {pid}; while it ran, is_alive said {alive}, and then {afterwards}."))
        .note("The tutorials print `p.is_alive` without brackets: that is the method itself, and not its answer.")
        .shown(same && alive && !afterwards))
}

fn tasks(stage: &Stage) -> Result<Saw, Failure> {
    let task = |who: &'static str| {
        Builder::new().name(who).daemon(true).fork(move || {
            for verse in 1..=3 {
                stage.says(who, format_args!("verse {verse}"));
                stage.pause(Duration::from_secs(1));
            }
        })
    };
    let (song, dance) = (task("song")?, task("dance")?);
    let codes = [song.join(None)?, dance.join(None)?];
    let together =
        stage.first_of("dance") < stage.last_of("song") && stage.first_of("song") < stage.last_of("dance");
    Ok(Saw::new()
        .fact("at_the_same_time", together)
        .fact("pids", [song.pid(), dance.pid()])
        .say(format!(
            "Singing was process {}, dancing process {}, and each {} while the other went on.",
            song.pid(),
            dance.pid(),
            if together { "said something" } else { "said nothing" },
        ))
        .shown(together && codes == [Some(0), Some(0)]))
}

/// So many of each are started.
const STARTS: usize = 40;

fn cost(stage: &Stage) -> Result<Saw, Failure> {
    let threads = median(|| thread::Builder::new().spawn(|| ()).map(|thread| drop(thread.join())))?;
    let forks = median(|| Builder::new().fork(|| ())?.join(None).map(drop))?;
    let spawns = median(|| Builder::new().spawn("nothing", &())?.join(None).map(drop))?;
    for (what, time) in [("a thread", threads), ("a process by fork", forks), ("a process by spawn", spawns)]
    {
        stage.says("parent", format_args!("{what}: {:.0} µs to start it and wait for its end", micros(time)));
    }
    let ratio = |time: Duration| time.as_secs_f64() / threads.as_secs_f64().max(1e-9);
    Ok(Saw::new()
        .fact("thread_us", micros(threads))
        .fact("fork_us", micros(forks))
        .fact("spawn_us", micros(spawns))
        .say(format!("Started and waited for, the median of {STARTS}: a forked process took {:.1} times as long as a thread, a spawned one {:.0} times.", ratio(forks), ratio(spawns)))
        .note("A fork copies the list of pages, not the pages; a spawn loads the program anew."))
}

fn median(mut start: impl FnMut() -> io::Result<()>) -> io::Result<Duration> {
    let mut times = Vec::new();
    for _ in 0..STARTS {
        let before = Instant::now();
        start()?;
        times.push(before.elapsed());
    }
    times.sort();
    Ok(times[STARTS / 2])
}

fn micros(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6
}

/// Whoever is process 1, as in a container, or has asked for it, gets the orphans, and has to wait for them.
fn reap_if_adopted(orphan: Pid) {
    // (an error: somebody else got it)
    let _ = waitpid(orphan, None);
}

/// An exit code, for a sentence.
fn told(code: Option<i32>) -> String {
    code.map_or_else(|| "none".to_owned(), |code| code.to_string())
}

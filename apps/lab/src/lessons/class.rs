//! An object with a `run` method, run by a thread and by a process.
//!
//! The tutorials derive classes from `Thread` and `Process`. Rust has no such inheritance, and needs none: the object says what is
//! to be done, and whoever starts it decides where.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use common::exit::Failure;
use common::process::{self, Builder, Process};

use crate::lesson::{Example, Lesson, Saw};
use crate::stage::Stage;

/// How often the objects of the tutorials speak.
const THREAD_ROUNDS: usize = 3;
const PROCESS_ROUNDS: usize = 5;
/// A child that never ends is ended after so many lines of it, or of its parent if it stays silent.
const ENOUGH: usize = 3;
const PATIENCE: usize = 200;

pub(crate) const LESSON: Lesson = Lesson {
    name: "class",
    title: "an object with a run method, as a thread and as a process",
    about: "What is to be done is an object with a `run` method, and the same object can be run by a thread or by a process. A \
            thread works on the object itself, a forked process on its copy of it.",
    look_for: "The names that nobody gave, the process numbers, and what main's own object has counted afterwards.",
    file: "apps/lab/src/lessons/class.rs",
    examples: &[
        Example { name: "thread", about: "the object is run by a thread", rows: &[25], run: by_a_thread },
        Example {
            name: "process",
            about: "the same object is run by a process",
            rows: &[11],
            run: by_a_process,
        },
        Example {
            name: "loop",
            about: "an object that never comes to an end, and is ended",
            rows: &[40],
            run: without_end,
        },
    ],
};

/// What can be run.
trait Run {
    /// Does it, in whatever thread or process this is.
    fn run(&mut self);
}

/// Speaks so many times.
struct Speaker<'a> {
    stage: &'a Stage,
    rounds: usize,
    spoken: usize,
}

impl Run for Speaker<'_> {
    fn run(&mut self) {
        let name = own_name();
        while self.spoken < self.rounds {
            self.stage.says(&name, format_args!("I'm {name} @ {}", self.spoken));
            self.spoken += 1;
            self.stage.pause(Duration::from_secs(1));
        }
    }
}

impl<'a> Speaker<'a> {
    fn new(stage: &'a Stage, rounds: usize) -> Self {
        Self { stage, rounds, spoken: 0 }
    }
}

/// The thread's, if it has one (the main thread's is `main`); else the process's.
fn own_name() -> String {
    let thread = thread::current();
    thread.name().filter(|name| *name != "main").map_or_else(process::name, str::to_owned)
}

/// Runs it by a thread, to its end, and gives the thread's name. A thread has no name in Rust if it is given none, so the default of the
/// tutorials is made here.
fn run_by_a_thread(object: &mut (dyn Run + Send)) -> Result<String, Failure> {
    static MADE: AtomicUsize = AtomicUsize::new(0);
    let name = format!("Thread-{}", MADE.fetch_add(1, Ordering::Relaxed) + 1);
    thread::scope(|threads| {
        let thread = thread::Builder::new().name(name.clone()).spawn_scoped(threads, || object.run())?;
        thread.join().map_err(|_| Failure::failed("the thread panicked"))
    })?;
    Ok(name)
}

/// Starts a process that runs it. Its default name is `Process-N`. It is a daemon: one that never ends must not outlive this program.
fn start_a_process(object: &mut dyn Run) -> Result<Process, Failure> {
    Ok(Builder::new().daemon(true).fork(|| object.run())?)
}

fn by_a_thread(stage: &Stage) -> Result<Saw, Failure> {
    let mut speaker = Speaker::new(stage, THREAD_ROUNDS);
    let name = run_by_a_thread(&mut speaker)?;
    stage.says("main", format_args!("my object has counted {}", speaker.spoken));
    let events = stage.events();
    let lines = events.iter().filter(|event| event.who == name).count();
    let one_process = events.iter().all(|event| event.pid == std::process::id());
    Ok(Saw::new()
        .fact("name", &name)
        .fact("lines", lines)
        .fact("counted_by_mains_object", speaker.spoken)
        .fact("same_process", one_process)
        .say(format!(
            "{name} spoke {lines} times; afterwards main's own object had counted {}.",
            speaker.spoken
        ))
        .say(format!(
            "{} the same process number.",
            if one_process { "Every line has" } else { "Not all lines have" }
        ))
        .note("A thread works on main's object itself.")
        .shown(one_process && lines == THREAD_ROUNDS && speaker.spoken == THREAD_ROUNDS))
}

fn by_a_process(stage: &Stage) -> Result<Saw, Failure> {
    let mut speaker = Speaker::new(stage, PROCESS_ROUNDS);
    let child = start_a_process(&mut speaker)?;
    let code = child.join(None)?;
    stage.says("main", format_args!("my object has counted {}", speaker.spoken));
    let lines = lines_of(stage, &child);
    Ok(Saw::new()
        .fact("name", child.name())
        .fact("lines", lines)
        .fact("counted_by_mains_object", speaker.spoken)
        .fact("exit_code", code)
        .say(format!(
            "{} spoke {lines} times; afterwards main's own object had counted {}.",
            child.name(),
            speaker.spoken
        ))
        .note("The child had a copy of the object. What is to come back has to be sent: queue/process, pipe/duplex.")
        .shown(code == Some(0) && lines == PROCESS_ROUNDS && speaker.spoken == 0))
}

fn without_end(stage: &Stage) -> Result<Saw, Failure> {
    let child = start_a_process(&mut Speaker::new(stage, usize::MAX))?;
    let mut rounds = 0;
    while lines_of(stage, &child) < ENOUGH && rounds < PATIENCE {
        rounds += 1;
        stage.says("main", "---Main---");
        stage.pause(Duration::from_secs(1));
    }
    let alive = child.is_alive();
    child.terminate()?;
    let code = child.join(None)?;
    let lines = lines_of(stage, &child);
    let ended_by = match code {
        Some(-15) => "signal 15 ended it".to_owned(),
        other => format!("its exit code was {other:?}"),
    };
    stage.says("main", format_args!("{} is ended: {ended_by}", child.name()));
    Ok(Saw::new()
        .fact("lines", lines)
        .fact("alive_before", alive)
        .fact("exit_code", code)
        .say(format!(
            "{} had spoken {lines} times while main spoke {rounds} times; then {ended_by}.",
            child.name()
        ))
        .note("Nothing in such an object comes to an end: in the tutorials somebody has to press Ctrl-C.")
        .shown(alive && code == Some(-15) && lines >= ENOUGH))
}

/// How often this child has spoken.
fn lines_of(stage: &Stage, child: &Process) -> usize {
    stage.events().iter().filter(|event| i32::try_from(event.pid) == Ok(child.pid())).count()
}

//! An object with a `run` method, run by a thread and by a process.
//!
//! The tutorials derive classes from `Thread` and `Process`. Rust has no such inheritance, and needs none: the object says what is
//! to be done, and whoever starts it decides where.

mod process;
mod thread;

use std::time::Duration;

use common::process::name;

use crate::lesson::Lesson;
use crate::stage::Stage;

pub(crate) const LESSON: Lesson = Lesson {
    name: "class",
    title: "an object with a run method, as a thread and as a process",
    about: "What is to be done is an object with a `run` method, and the same object can be run by a thread or by a process. A \
            thread works on the object itself, a forked process on its copy of it.",
    look_for: "The names that nobody gave, the process numbers, and what main's own object has counted afterwards.",
    file: file!(),
    examples: &[thread::THREAD, process::PROCESS, process::LOOP],
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
    let thread = std::thread::current();
    thread.name().filter(|name| *name != "main").map_or_else(name, str::to_owned)
}

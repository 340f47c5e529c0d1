//! A child process: start it, wait for it, ask how it is, end it.

mod ask;
mod cost;
mod daemon;
mod exit_codes;
mod family;
mod held_locks;
mod many;
mod start;
mod terminate;

use nix::sys::wait::waitpid;
use nix::unistd::Pid;

use crate::lesson::Lesson;

pub(crate) const LESSON: Lesson = Lesson {
    name: "process",
    title: "a child process: start it, wait for it, ask how it is, end it",
    about: "A process is started as a copy of its parent (fork) or as a program of its own (spawn). From then on both run at \
            the same time, each with memory of its own, until the parent waits for the child (join).",
    look_for: "Which line comes first and which last; the process numbers; the exit codes; what a process that is ended from outside \
               leaves behind.",
    file: file!(),
    examples: &[
        start::START,
        start::JOIN,
        ask::TIMEOUT,
        ask::INFO,
        family::PIDS,
        family::PID,
        many::MANY,
        start::TASKS,
        terminate::TERMINATE,
        held_locks::HELD_LOCKS,
        daemon::DAEMON,
        exit_codes::EXIT_CODES,
        cost::COST,
    ],
};

/// Whoever is process 1, as in a container, or has asked for it, gets the orphans, and has to wait for them.
fn reap_if_adopted(orphan: Pid) {
    // (an error: somebody else got it)
    let _ = waitpid(orphan, None);
}

/// An exit code, for a sentence.
fn told(code: Option<i32>) -> String {
    code.map_or_else(|| "none".to_owned(), |code| code.to_string())
}

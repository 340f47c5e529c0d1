//! Threads: start them, give them arguments, wait for them, know which ones there are.

mod arguments;
mod enumerate;
pub(crate) mod leaving;
mod order;
mod start;

use std::io;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread::{self, Scope, ScopedJoinHandle};

use common::exit::Failure;

use crate::lesson::Lesson;

pub(crate) const LESSON: Lesson = Lesson {
    name: "thread",
    title: "threads: start them, give them arguments, wait for them",
    about: "Threads of one process run at the same time; in which order is nobody's promise. A Rust program ends when `main` \
            returns, whatever its threads are doing, so whoever needs their work waits for them (join).",
    look_for: "One process number in every line. Which lines stand between which; and which line is missing when nobody waits.",
    file: file!(),
    examples: &[
        start::START,
        start::TASKS,
        order::ORDER,
        enumerate::ENUMERATE,
        arguments::ARGUMENTS,
        leaving::JOINED,
        leaving::NOT_JOINED,
    ],
};

/// Starts a thread with this name.
fn named<'scope, T: Send + 'scope>(
    threads: &'scope Scope<'scope, '_>,
    name: impl Into<String>,
    run: impl FnOnce() -> T + Send + 'scope,
) -> io::Result<ScopedJoinHandle<'scope, T>> {
    thread::Builder::new().name(name.into()).spawn_scoped(threads, run)
}

/// Waits for it. (The end of a scope waits, too, but not until the kernel's thread is gone; and a panic would go on here.)
fn join<T>(thread: ScopedJoinHandle<'_, T>) -> Result<T, Failure> {
    thread.join().map_err(|_| Failure::failed("a thread of the example panicked"))
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

//! How a process is started.

use std::fmt::Display;
use std::io::{self, Write};
use std::os::fd::BorrowedFd;
use std::panic::{AssertUnwindSafe, catch_unwind};

use nix::unistd::getpid;
use serde::Serialize;

use super::{Process, die_with, family, fork, spawn};

/// The exit code of a child that panicked, as of any Rust program.
pub const PANICKED: i32 = 101;

/// What a process is to be like.
#[derive(Debug, Default)]
pub struct Builder<'a> {
    pub(super) name: Option<String>,
    pub(super) daemon: bool,
    pub(super) descriptors: Vec<BorrowedFd<'a>>,
}

/// What the function of a child may give back, as its exit code.
pub trait ExitValue {
    /// The exit code; only its lowest 8 bits reach the parent. An error is told on stderr, in one line, and is 1.
    fn exit_code(self) -> i32;
}

impl<'a> Builder<'a> {
    /// A process that is no daemon and is called `Process-N`.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Gives it a name.
    #[must_use]
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// Whether it ends with its value and with its parent, even with one that is killed. (It is the *child* that is a daemon.
    /// It is tied to the thread that starts it: that thread has to live as long.)
    #[must_use]
    pub fn daemon(mut self, daemon: bool) -> Self {
        self.daemon = daemon;
        self
    }

    /// Gives a descriptor to a process that is spawned, which gets them in this order. (One that is forked has all of them.)
    #[must_use]
    pub fn pass(mut self, descriptor: BorrowedFd<'a>) -> Self {
        self.descriptors.push(descriptor);
        self
    }

    /// Starts it as a copy of this process that runs `target` and ends with what that gives back (101 if it panics).
    ///
    /// # Errors
    /// The kernel has no room for another process, or this process has more than one thread.
    pub fn fork<T: ExitValue>(self, target: impl FnOnce() -> T) -> io::Result<Process> {
        let name = self.name.unwrap_or_else(family::next_name);
        let parent = getpid();
        // what this process has not written yet must not be written by both
        let _ = io::stdout().flush();
        let pid = fork(|| {
            if self.daemon && !die_with(parent) {
                return 0;
            }
            family::begin(&name);
            run(target)
        })?;
        Process::adopt(pid, name, self.daemon)
    }

    /// Starts it as this program anew, which runs the [`Entry`](super::Entry) of this name with these arguments. For a process with threads,
    /// and for one that is to inherit nothing: its memory is fresh, and its descriptors are stdin, stdout, stderr and what
    /// was [passed](Self::pass). (What was opened without close-on-exec, as Rust never does, it gets, too.)
    ///
    /// # Errors
    /// The program did not call [`spawned`](super::spawned) first or has no such entry; the arguments cannot be serialised;
    /// the kernel has no room for another process, or no number for a copy of a descriptor.
    pub fn spawn(self, entry: &str, arguments: &impl Serialize) -> io::Result<Process> {
        let name = self.name.unwrap_or_else(family::next_name);
        let pid = spawn::start(entry, arguments, &name, self.daemon, &self.descriptors)?;
        Process::adopt(pid, name, self.daemon)
    }
}

/// Runs what a child is for, and gives its exit code.
pub(super) fn run<T: ExitValue>(target: impl FnOnce() -> T) -> i32 {
    let code = catch_unwind(AssertUnwindSafe(|| target().exit_code())).unwrap_or(PANICKED);
    let _ = io::stdout().flush();
    code
}

impl ExitValue for () {
    fn exit_code(self) -> i32 {
        0
    }
}

impl ExitValue for i32 {
    fn exit_code(self) -> i32 {
        self
    }
}

impl<T: ExitValue, E: Display> ExitValue for Result<T, E> {
    fn exit_code(self) -> i32 {
        match self {
            Ok(value) => value.exit_code(),
            Err(e) => {
                let _ = writeln!(io::stderr(), "error: {}: {e}", family::name());
                1
            }
        }
    }
}

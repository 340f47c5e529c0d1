//! What can go wrong with a pool, and with a task.

use std::fmt;
use std::io;

use serde::{Deserialize, Serialize};

/// Why the pool did not do what it was asked for.
#[derive(Debug)]
pub enum PoolError {
    /// It has been closed or terminated: it takes no more tasks.
    NotRunning,
    /// It has been neither closed nor terminated: its workers would be waited for for ever.
    StillRunning,
    /// As many tasks (or bytes) wait as may wait.
    Full,
    /// The task will never fit into the queue.
    TooLarge {
        /// What it has, in bytes.
        bytes: usize,
        /// What would fit, in bytes.
        most: usize,
    },
    /// The task cannot be serialised, and why.
    Unserializable(String),
    /// This process is not the one that made the pool.
    NotItsParent,
    /// The kernel refused.
    System(io::Error),
}

/// Why a task has no result.
#[derive(Debug)]
pub enum TaskError {
    /// It panicked, and with what message. Its worker lives on.
    Panicked(String),
    /// Its worker ended in the middle of it. Another worker has taken its place.
    WorkerDied {
        /// The worker's process number.
        pid: i32,
        /// Its exit code, or −N if signal N ended it.
        exit_code: i32,
    },
    /// So many workers died one after the other, and no task was done meanwhile: the tasks that waited were given up.
    NoProgress {
        /// How many.
        deaths: u32,
    },
    /// No worker is left, and no new one can be made, because of this.
    NoWorker(String),
    /// The result does not fit into the queue of results.
    ResultTooLarge {
        /// What it has, in bytes.
        bytes: usize,
        /// What would fit, in bytes.
        most: usize,
    },
    /// The task or its result cannot be serialised or read again, and why.
    Unreadable(String),
    /// The pool was terminated before it was done.
    Terminated,
    /// Its own callback asked for it: the result is there only when the callback has returned.
    InItsOwnCallback,
    /// The pool did not take it, or could not wait for it.
    Refused(PoolError),
}

/// How a task failed, as its worker tells it.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Failed {
    Panicked(String),
    TooLarge { bytes: usize, most: usize },
    Unreadable(String),
}

impl From<Failed> for TaskError {
    fn from(failed: Failed) -> Self {
        match failed {
            Failed::Panicked(message) => Self::Panicked(message),
            Failed::TooLarge { bytes, most } => Self::ResultTooLarge { bytes, most },
            Failed::Unreadable(why) => Self::Unreadable(why),
        }
    }
}

impl From<PoolError> for TaskError {
    fn from(error: PoolError) -> Self {
        Self::Refused(error)
    }
}

impl From<io::Error> for PoolError {
    fn from(error: io::Error) -> Self {
        Self::System(error)
    }
}

impl fmt::Display for PoolError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotRunning => write!(out, "Pool not running: it has been closed or terminated"),
            Self::StillRunning => write!(out, "Pool is still running: close or terminate it first"),
            Self::Full => write!(out, "the pool's queue is full"),
            Self::TooLarge { bytes, most } => {
                write!(out, "the task has {bytes} bytes, and the pool's queue takes at most {most}")
            }
            Self::Unserializable(why) => write!(out, "the task cannot be serialised: {why}"),
            Self::NotItsParent => write!(out, "only the process that made a pool can use it"),
            Self::System(error) => error.fmt(out),
        }
    }
}

impl fmt::Display for TaskError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Panicked(message) => write!(out, "the task panicked: {message}"),
            Self::WorkerDied { exit_code, .. } if *exit_code < 0 => {
                write!(out, "worker died by signal {}", -exit_code)
            }
            Self::WorkerDied { exit_code, .. } => {
                write!(out, "worker ended with exit code {exit_code} in the middle of the task")
            }
            Self::NoProgress { deaths } => {
                write!(out, "given up: {deaths} workers died one after the other, and no task was done")
            }
            Self::NoWorker(why) => write!(out, "no worker is left, and none can be made: {why}"),
            Self::ResultTooLarge { bytes, most } => {
                write!(out, "the result has {bytes} bytes, and the pool takes at most {most}")
            }
            Self::Unreadable(why) => write!(out, "the task or its result cannot be passed on: {why}"),
            Self::Terminated => write!(out, "the pool was terminated before the task was done"),
            Self::InItsOwnCallback => {
                write!(out, "a callback cannot wait for the result that it was called with")
            }
            Self::Refused(error) => error.fmt(out),
        }
    }
}

impl std::error::Error for PoolError {}
impl std::error::Error for TaskError {}

//! Whose turn it is to accept, among worker processes: only who holds the lock may.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::AsRawFd;

use common::lock::Lock;
use nix::sys::memfd::{MFdFlags, memfd_create};

use crate::mode_options::Accept;

/// How the turn is kept; made before the workers are.
#[derive(Debug)]
pub(crate) enum Turn {
    /// It is everybody's.
    Open,
    /// By a lock on a file that has no name.
    Flock(File),
    /// By a mutex in shared memory.
    Mutex(Lock),
}

impl Turn {
    /// As `--accept` says.
    ///
    /// # Errors
    /// The kernel has no memory.
    pub(crate) fn new(accept: Accept) -> io::Result<Self> {
        Ok(match accept {
            Accept::Flock => Self::Flock(memfd_create("tcp-echo turn", MFdFlags::MFD_CLOEXEC)?.into()),
            Accept::Mutex => Self::Mutex(Lock::new()?),
            _ => Self::Open,
        })
    }

    /// The turn as this process sees it. A file lock belongs to an opening of the file, and forked processes share their
    /// parent's: so each one opens it for itself.
    ///
    /// # Errors
    /// There is no descriptor left.
    pub(crate) fn of_this_process(&self) -> io::Result<Self> {
        Ok(match self {
            Self::Open => Self::Open,
            Self::Flock(file) => {
                let path = format!("/proc/self/fd/{}", file.as_raw_fd());
                Self::Flock(OpenOptions::new().read(true).write(true).open(path)?)
            }
            Self::Mutex(mutex) => Self::Mutex(mutex.clone()),
        })
    }

    /// Waits for the turn, does this, and passes the turn on.
    ///
    /// # Errors
    /// As `action`; or a signal ended the wait for the lock.
    pub(crate) fn while_it_is_mine<T>(&self, action: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
        match self {
            Self::Open => action(),
            Self::Flock(file) => {
                // (unlocked by the kernel if this process dies)
                file.lock()?;
                let outcome = action();
                file.unlock()?;
                outcome
            }
            Self::Mutex(mutex) => {
                let _lock = mutex.lock()?;
                action()
            }
        }
    }
}

//! A child process as a value.
//!
//! What Python's `multiprocessing.Process` offers, with what Rust can do better:
//!
//! | there | here |
//! |---|---|
//! | `Process(target=f, name=…, daemon=…)`, `start()` | [`Builder`], [`Builder::fork`]: a process that is there has been started, once |
//! | start method `spawn` | [`Builder::spawn`]: the own binary anew, with a named [`Entry`] and serialised arguments |
//! | `pid`, `name`, `is_alive()`, `exitcode` | [`Process::pid`], [`Process::name`], [`Process::is_alive`], [`Process::exit_code`] |
//! | `join(timeout)`, which tells nothing | [`Process::join`], which gives the exit code, or `None` when the time is over |
//! | `terminate()`, `kill()` | [`Process::terminate`], [`Process::kill`] |
//! | `active_children()` | [`active_children`], which reaps those that have ended, as there |
//! | `cpu_count()` | [`cpu_count`], and [`usable_cpus`], the number that matters |
//! | at exit: daemons are terminated, all are joined | the same when the value is dropped; a daemon dies even with a parent that is killed |
//!
//! **How it works.** The kernel gives a descriptor for a process (a pidfd). It becomes readable when the process has ended, so
//! waiting with a time limit is one `poll`, and a signal sent through it can never hit somebody else who got the same number
//! later. No thread, no SIGCHLD handler.
//!
//! **What it costs.** A fork copies the page tables of the parent; a spawn loads the program anew. `cargo bench -p lab` has
//! figures, beside those of a thread.
//!
//! **Where it breaks.** A process with threads must not fork (the child would have the locks of the others, and not the others to
//! release them): [`Builder::fork`] then says so. [`Builder::spawn`] may be called from any thread.
//!
//! ```
//! use common::process::Builder;
//! use std::time::Duration;
//!
//! let child = Builder::new().name("worker").fork(|| 3)?;
//! assert_eq!(child.join(None)?, Some(3));
//!
//! let endless = Builder::new().fork(|| std::thread::sleep(Duration::MAX))?;
//! assert_eq!(endless.join(Some(Duration::from_millis(10)))?, None);
//! assert!(endless.is_alive() && endless.exit_code().is_none());
//! endless.terminate()?;
//! assert_eq!(endless.join(None)?, Some(-15)); // ended by signal 15
//! # Ok::<(), std::io::Error>(())
//! ```

mod builder;
mod family;
mod spawn;

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, getpid};
use rustix::process::{PidfdFlags, WaitId, WaitIdOptions, pidfd_open, pidfd_send_signal, waitid};

pub use crate::sys::fork::{exit_at_once, fork};
pub use builder::{Builder, ExitValue, PANICKED};
pub use family::{Child, active_children, die_with, name};
pub use spawn::{Entry, Inherited, own_binary, spawned};

/// A daemon that is terminated by being dropped has so long to leave before it is killed.
const TERMINATION: Duration = Duration::from_secs(1);
/// The exit code of a child that somebody else waited for: it is lost.
const LOST: i32 = 255;

/// A child process.
///
/// Dropping it waits for its end; a daemon is terminated first. In another process than the one that made it (a forked child has
/// copies of its parent's values) it is only a name and a number, and dropping it does nothing.
#[derive(Debug)]
pub struct Process(Arc<Known>);

/// What is known of a child.
#[derive(Debug)]
struct Known {
    name: String,
    pid: Pid,
    daemon: bool,
    made_by: Pid,
    descriptor: OwnedFd,
    /// Once it has been waited for.
    exit_code: Mutex<Option<i32>>,
}

impl Process {
    /// A child that was just made, and that nobody has waited for.
    fn adopt(pid: Pid, name: String, daemon: bool) -> io::Result<Self> {
        let number = rustix::process::Pid::from_raw(pid.as_raw()).ok_or(io::ErrorKind::InvalidInput)?;
        let descriptor = match pidfd_open(number, PidfdFlags::empty()) {
            Ok(descriptor) => descriptor,
            // (its number may be somebody else's by now)
            Err(rustix::io::Errno::SRCH) => {
                return Err(io::Error::other(
                    "it has ended and nobody knows how: this program ignores SIGCHLD",
                ));
            }
            Err(e) => {
                // no descriptor is left: a child that cannot be looked after must not be
                let _ = kill(pid, Signal::SIGKILL);
                while nix::sys::wait::waitpid(pid, None) == Err(Errno::EINTR) {}
                return Err(e.into());
            }
        };
        let known = Known { name, pid, daemon, made_by: getpid(), descriptor, exit_code: Mutex::new(None) };
        let known = Arc::new(known);
        family::enter(&known);
        Ok(Self(known))
    }

    /// Its process number.
    #[must_use]
    pub fn pid(&self) -> i32 {
        self.0.pid.as_raw()
    }

    /// The name that it was given, or `Process-N`.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// Whether it ends with this value and with its parent.
    #[must_use]
    pub fn is_daemon(&self) -> bool {
        self.0.daemon
    }

    /// It has not ended. (One that has is reaped by this question.)
    #[must_use]
    pub fn is_alive(&self) -> bool {
        self.exit_code().is_none()
    }

    /// `None` while it runs; then its exit code, or −N if signal N ended it. 255 also if somebody else waited for it (a program
    /// that ignores SIGCHLD lets the kernel do so).
    #[must_use]
    pub fn exit_code(&self) -> Option<i32> {
        self.0.reap()
    }

    /// Waits for its end and gives the exit code; `None`: it still runs after `timeout`.
    ///
    /// # Errors
    /// This process is not its parent, or the kernel refused to wait.
    pub fn join(&self, timeout: Option<Duration>) -> io::Result<Option<i32>> {
        if self.0.made_by != getpid() {
            return Err(io::Error::new(
                io::ErrorKind::PermissionDenied,
                "only its parent can join a process",
            ));
        }
        // (a time so far away that it cannot be told is no limit)
        let end = timeout.and_then(|span| Instant::now().checked_add(span));
        loop {
            if let Some(code) = self.exit_code() {
                return Ok(Some(code));
            }
            if end.is_some_and(|end| end <= Instant::now()) {
                return Ok(None);
            }
            wait_readable(self.0.descriptor.as_fd(), end)?;
        }
    }

    /// Asks it to end (SIGTERM). One that has ended is left alone.
    ///
    /// # Errors
    /// The kernel refused.
    pub fn terminate(&self) -> io::Result<()> {
        self.signal(Signal::SIGTERM)
    }

    /// Ends it (SIGKILL): it cannot refuse, and nothing of it runs any more.
    ///
    /// # Errors
    /// The kernel refused.
    pub fn kill(&self) -> io::Result<()> {
        self.signal(Signal::SIGKILL)
    }

    /// Sends it any signal. One that has ended is left alone.
    ///
    /// # Errors
    /// The kernel refused.
    pub fn signal(&self, signal: Signal) -> io::Result<()> {
        let signal = rustix::process::Signal::from_named_raw(signal as i32).ok_or(Errno::EINVAL)?;
        match pidfd_send_signal(&self.0.descriptor, signal) {
            Ok(()) | Err(rustix::io::Errno::SRCH) => Ok(()),
            Err(e) => Err(e.into()),
        }
    }
}

/// Readable when the process has ended.
impl AsFd for Process {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.descriptor.as_fd()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if self.0.made_by != getpid() || self.exit_code().is_some() {
            return;
        }
        if self.0.daemon {
            let _ = self.terminate();
            if !matches!(self.join(Some(TERMINATION)), Ok(Some(_))) {
                let _ = self.kill();
            }
        }
        let _ = self.join(None);
    }
}

impl Known {
    /// Waits for it if it has ended, and keeps what that said.
    fn reap(&self) -> Option<i32> {
        let mut exit_code = self.exit_code.lock().unwrap_or_else(PoisonError::into_inner);
        if exit_code.is_none() && self.made_by == getpid() {
            let ended =
                waitid(WaitId::PidFd(self.descriptor.as_fd()), WaitIdOptions::EXITED | WaitIdOptions::NOHANG);
            *exit_code = match ended {
                Ok(Some(status)) => status.exit_status().or_else(|| status.terminating_signal().map(|n| -n)),
                Err(rustix::io::Errno::CHILD) => Some(LOST),
                Ok(None) | Err(_) => None,
            };
        }
        *exit_code
    }
}

/// How many CPUs the machine has switched on. Not how many this process may use: that is [`usable_cpus`].
#[must_use]
pub fn cpu_count() -> usize {
    let online = nix::unistd::sysconf(nix::unistd::SysconfVar::_NPROCESSORS_ONLN).ok().flatten();
    online.and_then(|n| usize::try_from(n).ok()).unwrap_or(1).max(1)
}

/// How many CPUs this process may use, by its affinity and its control group.
#[must_use]
pub fn usable_cpus() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

fn wait_readable(descriptor: BorrowedFd<'_>, end: Option<Instant>) -> io::Result<()> {
    let timeout = match end {
        // rounded up, so that the time is over when the poll says so
        Some(end) => end.saturating_duration_since(Instant::now()) + Duration::from_millis(1),
        None => Duration::from_secs(3600),
    };
    let timeout = PollTimeout::try_from(timeout).unwrap_or(PollTimeout::MAX);
    match poll(&mut [PollFd::new(descriptor, PollFlags::POLLIN)], timeout) {
        Ok(_) | Err(Errno::EINTR) => Ok(()),
        Err(e) => Err(e.into()),
    }
}

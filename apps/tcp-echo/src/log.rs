//! Log lines on stderr that never hold up service.
//!
//! A reader that stands still (a stopped pager, a full pipe) must not stop the server, so lines go to stderr by a
//! descriptor of our own that does not block (or, where there can be none, only when there is room): a line that does not
//! fit is thrown away and counted. One `write` a line, short enough that a pipe takes it whole. No thread, no lock: it works the same in a forked child. Lines hold
//! addresses, sizes and reasons, never bytes that a peer sent.

use std::fmt::Display;
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
use std::sync::atomic::Ordering;

use common::clock;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::{MsgFlags, send};

use crate::stamp::Stamp;
use crate::stats::Counters;

/// A pipe takes a write of at most this many bytes whole (`PIPE_BUF`); longer lines are cut.
const LINE_MAX: usize = 4096;
/// Repeated complaints appear at most once in this time, in ms.
const COMPLAINT_INTERVAL: u64 = 1_000;

/// Where log lines go, and how many of them.
#[derive(Debug)]
pub struct Log {
    stderr: Option<Stderr>,
    verbosity: u8,
    counters: &'static Counters,
}

impl Log {
    /// Opens the log; `verbosity` 1 shows connections, 2 every echo.
    #[must_use]
    pub fn open(verbosity: u8, counters: &'static Counters) -> Self {
        Self { stderr: own_stderr(), verbosity, counters }
    }

    /// A connection began or ended (`-v`).
    #[inline(always)]
    pub fn connection(&self, line: impl FnOnce() -> String) {
        if self.verbosity >= 1 {
            self.tell(line);
        }
    }

    #[cold]
    fn tell(&self, line: impl FnOnce() -> String) {
        self.write(line());
    }

    /// Bytes went back (`-vv`).
    pub fn echo(&self, line: impl FnOnce() -> String) {
        if self.verbosity >= 2 {
            self.write(line());
        }
    }

    /// Whether every echo is shown.
    #[must_use]
    pub fn shows_echoes(&self) -> bool {
        self.verbosity >= 2
    }

    /// Something is wrong that may go wrong a thousand times a second: at most one line a second, always shown.
    pub fn complain(&self, line: impl Display) {
        let last = &self.counters.last_complaint;
        let (before, now) = (last.load(Ordering::Relaxed), Stamp::now().since_boot());
        let due = before == 0 || now.saturating_sub(before) >= COMPLAINT_INTERVAL;
        // whoever comes first says it, in whichever thread or process
        if due && last.compare_exchange(before, now, Ordering::Relaxed, Ordering::Relaxed).is_ok() {
            self.write(line);
        }
    }

    /// From now on a handler's panic is told in a line; no message with a source line reaches the user.
    pub fn tell_panics(&'static self) {
        std::panic::set_hook(Box::new(|panic| {
            let why = panic.payload_as_str().unwrap_or("no reason given");
            self.complain(format_args!("a handler panicked ({why}): its connection ends, the others go on"));
        }));
    }

    /// A line without a time in front: the summary.
    pub fn plain(&self, line: impl Display) {
        self.put(format!("{line}\n"));
    }

    fn write(&self, line: impl Display) {
        self.put(format!("{} {line}\n", clock::time_of_day()));
    }

    fn put(&self, mut line: String) {
        if line.len() > LINE_MAX {
            line.truncate(line.floor_char_boundary(LINE_MAX - 1));
            line.push('\n');
        }
        if !self.stderr.as_ref().is_some_and(|stderr| stderr.takes(line.as_bytes())) {
            self.counters.log_lines_dropped.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// What stderr is, and so how it is written to without waiting.
#[derive(Debug)]
enum Stderr {
    /// A file, which never blocks for long; or a pipe or terminal, opened anew by us so as not to block. (O_NONBLOCK
    /// belongs to the open file, not to the descriptor: setting it on the inherited one would set it for the shell, too.)
    Own(File),
    /// A socket: it cannot be opened anew, but it can be told not to wait at each call. (A service's journal is one.)
    Socket(File),
    /// A pipe or terminal that may not be opened again: another user's.
    Shared(File),
}

impl Stderr {
    /// Writes the line if there is room for it now.
    fn takes(&self, line: &[u8]) -> bool {
        match self {
            Self::Own(file) => (&mut &*file).write(line).is_ok(),
            Self::Socket(socket) => {
                send(socket.as_raw_fd(), line, MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_NOSIGNAL).is_ok()
            }
            Self::Shared(pipe) => {
                // a pipe that is ready takes PIPE_BUF bytes, and no line is longer
                let mut room = [PollFd::new(pipe.as_fd(), PollFlags::POLLOUT)];
                poll(&mut room, PollTimeout::ZERO).is_ok_and(|ready| ready > 0)
                    && (&mut &*pipe).write(line).is_ok()
            }
        }
    }
}

/// A second opening of a regular file would have its own position: there the descriptor is only copied.
fn own_stderr() -> Option<Stderr> {
    let copy = File::from(std::io::stderr().as_fd().try_clone_to_owned().ok()?);
    let kind = copy.metadata().ok()?.file_type();
    if kind.is_socket() {
        return Some(Stderr::Socket(copy));
    }
    if !kind.is_fifo() && !kind.is_char_device() {
        return Some(Stderr::Own(copy));
    }
    let flags = libc::O_NONBLOCK | libc::O_NOCTTY | libc::O_CLOEXEC;
    let own = OpenOptions::new().append(true).custom_flags(flags).open("/proc/self/fd/2");
    Some(own.map_or(Stderr::Shared(copy), Stderr::Own))
}

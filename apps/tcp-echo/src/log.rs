//! Log lines on stderr that never hold up service.
//!
//! A reader that stands still (a stopped pager, a full pipe) must not stop the server, so lines go to stderr by a
//! descriptor of our own that does not block: a line that does not fit is thrown away and counted. One `write` a line,
//! short enough that a pipe takes it whole. No thread, no lock: it works the same in a forked child. Lines hold
//! addresses, sizes and reasons, never bytes that a peer sent.

use std::fmt::Display;
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::os::fd::AsFd;
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
use std::sync::Mutex;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use common::clock;

use crate::stats::Counters;

/// A pipe takes a write of at most this many bytes whole (`PIPE_BUF`); longer lines are cut.
const LINE_MAX: usize = 4096;
/// Repeated complaints appear at most once in this time.
const COMPLAINT_INTERVAL: Duration = Duration::from_secs(1);

/// Where log lines go, and how many of them.
#[derive(Debug)]
pub struct Log {
    stderr: Option<File>,
    verbosity: u8,
    counters: &'static Counters,
    last_complaint: Mutex<Option<Instant>>,
}

impl Log {
    /// Opens the log; `verbosity` 1 shows connections, 2 every echo.
    #[must_use]
    pub fn open(verbosity: u8, counters: &'static Counters) -> Self {
        Self { stderr: own_stderr(), verbosity, counters, last_complaint: Mutex::new(None) }
    }

    /// A connection began or ended (`-v`).
    pub fn connection(&self, line: impl FnOnce() -> String) {
        if self.verbosity >= 1 {
            self.write(line());
        }
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
        let Ok(mut last) = self.last_complaint.try_lock() else { return };
        if last.is_none_or(|at| at.elapsed() >= COMPLAINT_INTERVAL) {
            *last = Some(Instant::now());
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
        let written = self.stderr.as_ref().map(|mut stderr| stderr.write(line.as_bytes()));
        if !matches!(written, Some(Ok(_))) {
            self.counters.log_lines_dropped.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// stderr by a descriptor of our own. O_NONBLOCK belongs to the open file, not to the descriptor: setting it on the
/// inherited one would set it for the shell, too. A regular file never blocks for long, and a second opening of it
/// would have its own position: there the descriptor is only copied.
fn own_stderr() -> Option<File> {
    let copy = File::from(std::io::stderr().as_fd().try_clone_to_owned().ok()?);
    let kind = copy.metadata().ok()?.file_type();
    if !kind.is_fifo() && !kind.is_char_device() {
        return Some(copy);
    }
    let flags = libc::O_NONBLOCK | libc::O_NOCTTY | libc::O_CLOEXEC;
    OpenOptions::new().append(true).custom_flags(flags).open("/proc/self/fd/2").ok().or(Some(copy))
}

//! Stop requests (SIGTERM, SIGINT) without lost wake-ups.
//!
//! A blocking program usually checks a flag and then calls `accept` or `recv`; a signal that arrives between the
//! two is noticed only when the call returns, perhaps never. Here the signal handler itself sees to it that the
//! call returns: it gives the socket that its thread blocks on (or is about to) a receive time limit. A call that
//! is under way ends with EINTR, one that begins later ends when the short limit does. No system call is paid for
//! this while nothing happens.
//!
//! - The first stop signal sets a flag ([`stop_requested`]), limits the main thread's socket and wakes [`wait_until`].
//! - The second one ends the process at once with 128 + its number. (Children that armed the parent-death signal
//!   die with it.)
//! - A stop signal that lands on another thread is passed on to the main thread.
//! - [`NUDGE`], sent to one thread or child process, limits only the socket that this thread blocks on: this is how
//!   a server that drains tells its handlers that they may not wait for ever any more.
//! - In a forked child every one of these signals is a nudge: Ctrl-C reaches the whole process group, and must drain
//!   a child's connection, not cut it.

use std::io;
use std::os::fd::AsFd;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::Signal;

use crate::sys::signals as sys;

/// The signal by which a draining server wakes its handlers. Ignored by default, so it can never kill.
pub const NUDGE: Signal = Signal::SIGURG;

/// Installs the handlers. The calling thread becomes the main thread: the one that stop signals act on.
///
/// # Errors
/// The kernel refused a handler or the wake-up descriptor.
pub fn install() -> io::Result<()> {
    sys::install(sys::Role::Main)
}

/// Installs the handlers in a process that serves one connection for a parent: every signal is a nudge.
///
/// # Errors
/// As [`install`].
pub fn install_in_child() -> io::Result<()> {
    sys::install(sys::Role::Child)
}

/// Makes SIGHUP a stop signal: the terminal is gone. For a program that lives in one.
///
/// # Errors
/// The kernel refused the handler.
pub fn stop_on_hangup() -> io::Result<()> {
    sys::stop_on(Signal::SIGHUP)
}

/// A write beyond the limit on file sizes fails with EFBIG, as any write may fail; by default it kills the process.
///
/// # Errors
/// The kernel refused.
pub fn survive_file_size_limit() -> io::Result<()> {
    sys::ignore(Signal::SIGXFSZ)
}

/// Which stop signal has been received, if any.
#[must_use]
pub fn stop_requested() -> Option<Signal> {
    Signal::try_from(sys::STOP.load(Ordering::SeqCst)).ok()
}

/// Does what a stop signal would do to this process, without one.
pub fn request_stop() {
    let _ = sys::STOP.compare_exchange(0, Signal::SIGTERM as i32, Ordering::SeqCst, Ordering::SeqCst);
}

/// Tells the handlers which socket this thread is going to block on, and how long it may still block when a stop is
/// requested. Lasts until the value is dropped: drop it before the socket is closed, because its number may be
/// given to another file at once.
#[must_use]
#[derive(Debug)]
pub struct Blocking(());

impl Blocking {
    /// Names the socket. If a stop has been requested already, its limit is set at once.
    pub fn on(socket: impl AsFd, limit_after_stop: Duration) -> Self {
        sys::blocking_on(socket.as_fd(), limit_after_stop);
        Self(())
    }
}

impl Drop for Blocking {
    fn drop(&mut self) {
        sys::blocking_on_nothing();
    }
}

/// Nudges every thread of this process except the calling one. The kernel keeps the list of them.
pub fn nudge_threads() {
    let own = nix::unistd::gettid().as_raw();
    let Ok(threads) = std::fs::read_dir("/proc/self/task") else { return };
    for thread in threads.flatten() {
        if let Some(id) = thread.file_name().to_str().and_then(|name| name.parse().ok())
            && id != own
        {
            sys::nudge_thread(id);
        }
    }
}

/// What a stop request means for a wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnStop {
    /// It ends the wait, also if it came before.
    Return,
    /// It is known already: the wait goes on.
    GoOn,
}

/// Waits until `done`, a stop request that matters, or the deadline; `true` if `done`. Whoever changes what `done`
/// looks at calls [`wake`] afterwards.
pub fn wait_until(deadline: Option<Instant>, on_stop: OnStop, mut done: impl FnMut() -> bool) -> bool {
    sys::WAITING.store(true, Ordering::SeqCst);
    let outcome = loop {
        if done() {
            break true;
        }
        let stopped = on_stop == OnStop::Return && stop_requested().is_some();
        if stopped || deadline.is_some_and(|d| d <= Instant::now()) {
            break false;
        }
        sleep_until_woken(deadline);
    };
    sys::WAITING.store(false, Ordering::SeqCst);
    outcome
}

/// Makes SIGUSR1 a request for a report: it wakes the main thread as a stop does, and ends nothing. In a process that
/// serves for a parent it is heard and means nothing.
///
/// # Errors
/// The kernel refused the handler.
pub fn install_report_request() -> io::Result<()> {
    sys::report_on(Signal::SIGUSR1)
}

/// Whether a report was requested since the last question.
pub fn take_report_request() -> bool {
    sys::REPORT.load(Ordering::Relaxed) && sys::REPORT.swap(false, Ordering::SeqCst)
}

/// Sleeps until a stop or a report is requested; [`wake`] does not wake it, so that a server whose workers do everything
/// can sleep through all of it.
pub fn wait_for_request() {
    while stop_requested().is_none() && !sys::REPORT.load(Ordering::SeqCst) {
        sleep_until_woken(None);
    }
}

/// Waits for this long, or until a stop is requested.
pub fn pause(span: Duration) {
    wait_until(Some(Instant::now() + span), OnStop::Return, || false);
}

/// Wakes [`wait_until`] if it waits: one atomic load if it does not. Safe to call from a signal handler.
pub fn wake() {
    if sys::WAITING.load(Ordering::SeqCst) {
        sys::wake();
    }
}

fn sleep_until_woken(deadline: Option<Instant>) {
    let timeout = match deadline {
        // rounded up, so that the deadline has passed when the poll times out
        Some(d) => d.saturating_duration_since(Instant::now()) + Duration::from_millis(1),
        None => Duration::from_secs(60),
    };
    let timeout = PollTimeout::try_from(timeout).unwrap_or(PollTimeout::MAX);
    let Some(wake) = sys::WAKE.get() else { return };
    match poll(&mut [PollFd::new(wake.as_fd(), PollFlags::POLLIN)], timeout) {
        Ok(1..) => {
            let _ = wake.read();
        }
        Ok(_) | Err(Errno::EINTR) => {}
        // nothing is left to wait on; never spin
        Err(_) => std::thread::sleep(Duration::from_millis(10)),
    }
}

/// The descriptor that becomes readable when a stop is requested or [`wake_poller`] is called; for a program that
/// polls anyway. `None` before [`install`].
#[must_use]
pub fn wake_descriptor() -> Option<&'static nix::sys::eventfd::EventFd> {
    sys::WAKE.get()
}

/// Makes the [`wake_descriptor`] readable. Safe to call from a signal handler.
pub fn wake_poller() {
    sys::wake();
}

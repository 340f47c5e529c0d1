//! The signal handler and what it touches: atomics, one thread-local, and system calls that are async-signal-safe.

use std::cell::Cell;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, RawFd};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicI32, Ordering, compiler_fence};
use std::time::Duration;

use libc::c_int;
use nix::errno::Errno;
use nix::sys::eventfd::{EfdFlags, EventFd};
use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, sigaction};
use nix::unistd::{getpid, gettid};

/// The first stop signal's number, 0 before it.
pub(crate) static STOP: AtomicI32 = AtomicI32::new(0);
/// A report was requested.
pub(crate) static REPORT: AtomicBool = AtomicBool::new(false);
/// The main thread waits for [`WAKE`] or is about to.
pub(crate) static WAITING: AtomicBool = AtomicBool::new(false);
/// Readable when somebody woke the main thread.
pub(crate) static WAKE: OnceLock<EventFd> = OnceLock::new();
/// The process and thread that stop signals act on; 0 in a process that serves for a parent.
static MAIN: AtomicI32 = AtomicI32::new(0);

thread_local! {
    /// What this thread blocks on: a socket, and its receive limit after a stop in microseconds. Constant
    /// initialisation and no destructor: reading it in a signal handler allocates and registers nothing.
    static BLOCKING_ON: Cell<(RawFd, i64)> = const { Cell::new((-1, 0)) };
}

/// Whose signals are handled.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    Main,
    Child,
}

pub(crate) fn install(role: Role) -> io::Result<()> {
    if WAKE.get().is_none() {
        let wake = EventFd::from_flags(EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK)?;
        let _ = WAKE.set(wake);
    }
    MAIN.store(if role == Role::Main { gettid().as_raw() } else { 0 }, Ordering::SeqCst);
    // no SA_RESTART: a blocking call must end, that is the point
    let stop = SigAction::new(SigHandler::Handler(on_stop), SaFlags::empty(), SigSet::empty());
    let nudge = SigAction::new(SigHandler::Handler(on_nudge), SaFlags::empty(), SigSet::empty());
    for (signal, action) in
        [(Signal::SIGTERM, &stop), (Signal::SIGINT, &stop), (crate::signals::NUDGE, &nudge)]
    {
        // SAFETY: the handlers make only async-signal-safe calls and preserve errno.
        unsafe { sigaction(signal, action) }?;
    }
    // whoever started us may have blocked them
    let mut ours = SigSet::empty();
    [Signal::SIGTERM, Signal::SIGINT, crate::signals::NUDGE].into_iter().for_each(|signal| ours.add(signal));
    Ok(ours.thread_unblock()?)
}

/// Makes one more signal a stop signal.
pub(crate) fn stop_on(signal: Signal) -> io::Result<()> {
    let stop = SigAction::new(SigHandler::Handler(on_stop), SaFlags::empty(), SigSet::empty());
    // SAFETY: the handler makes only async-signal-safe calls and preserves errno.
    unsafe { sigaction(signal, &stop) }?;
    Ok(())
}

/// Makes a signal a request for a report.
pub(crate) fn report_on(signal: Signal) -> io::Result<()> {
    // no SA_RESTART: the call that the main thread blocks in ends, and the thread looks around
    let report = SigAction::new(SigHandler::Handler(on_report_request), SaFlags::empty(), SigSet::empty());
    // SAFETY: the handler makes only async-signal-safe calls and preserves errno.
    unsafe { sigaction(signal, &report) }?;
    let mut ours = SigSet::empty();
    ours.add(signal);
    Ok(ours.thread_unblock()?)
}

/// Makes the kernel forget a signal; the call that caused it gets an error instead.
pub(crate) fn ignore(signal: Signal) -> io::Result<()> {
    let ignored = SigAction::new(SigHandler::SigIgn, SaFlags::empty(), SigSet::empty());
    // SAFETY: no handler of ours runs.
    unsafe { sigaction(signal, &ignored) }?;
    Ok(())
}

extern "C" fn on_stop(signal: c_int) {
    let errno = Errno::last_raw();
    let main = MAIN.load(Ordering::SeqCst);
    if gettid().as_raw() == main {
        if STOP.compare_exchange(0, signal, Ordering::SeqCst, Ordering::SeqCst).is_err() {
            exit_now(128 + signal);
        }
        limit_blocking();
        wake();
    } else if getpid().as_raw() == main {
        send_to_thread(main, signal);
    } else {
        let _ = STOP.compare_exchange(0, signal, Ordering::SeqCst, Ordering::SeqCst);
        limit_blocking();
    }
    Errno::set_raw(errno);
}

extern "C" fn on_report_request(signal: c_int) {
    let errno = Errno::last_raw();
    let main = MAIN.load(Ordering::SeqCst);
    if gettid().as_raw() == main {
        REPORT.store(true, Ordering::SeqCst);
        wake();
    } else if getpid().as_raw() == main {
        send_to_thread(main, signal);
    }
    Errno::set_raw(errno);
}

extern "C" fn on_nudge(_: c_int) {
    let errno = Errno::last_raw();
    if getpid().as_raw() != MAIN.load(Ordering::SeqCst) {
        let _ = STOP.compare_exchange(0, libc::SIGTERM, Ordering::SeqCst, Ordering::SeqCst);
    }
    limit_blocking();
    Errno::set_raw(errno);
}

pub(crate) fn blocking_on(socket: BorrowedFd<'_>, limit: Duration) {
    // zero would mean "no limit" to the kernel
    let micros = i64::try_from(limit.as_micros()).unwrap_or(i64::MAX).max(1);
    BLOCKING_ON.set((socket.as_raw_fd(), micros));
    // a signal before this line sets STOP, one after it finds the socket
    compiler_fence(Ordering::SeqCst);
    if STOP.load(Ordering::SeqCst) != 0 {
        limit_blocking();
    }
}

pub(crate) fn blocking_on_nothing() {
    BLOCKING_ON.set((-1, 0));
    compiler_fence(Ordering::SeqCst);
}

/// Sets the receive time limit of the socket that this thread blocks on.
fn limit_blocking() {
    let (socket, micros) = BLOCKING_ON.get();
    if socket < 0 {
        return;
    }
    let limit = libc::timeval { tv_sec: micros / 1_000_000, tv_usec: micros % 1_000_000 };
    let length = size_of::<libc::timeval>() as libc::socklen_t;
    // SAFETY: the descriptor is open as long as it stands in BLOCKING_ON, `limit` is a timeval of `length` bytes,
    // and setsockopt only reads it.
    unsafe {
        libc::setsockopt(socket, libc::SOL_SOCKET, libc::SO_RCVTIMEO, (&raw const limit).cast(), length);
    }
}

pub(crate) fn nudge_thread(thread: i32) {
    send_to_thread(thread, crate::signals::NUDGE as c_int);
}

/// A signal to one thread of this process; a thread that is gone is no error.
fn send_to_thread(thread: i32, signal: c_int) {
    let process = getpid().as_raw();
    // SAFETY: tgkill takes three integers and touches no memory of ours.
    unsafe {
        libc::syscall(libc::SYS_tgkill, process, thread, signal);
    }
}

pub(crate) fn wake() {
    if let Some(wake) = WAKE.get() {
        // a full counter is readable as well: nothing is lost
        while wake.write(1) == Err(Errno::EINTR) {}
    }
}

fn exit_now(code: c_int) -> ! {
    // SAFETY: _exit is async-signal-safe and does not return.
    unsafe { libc::_exit(code) }
}

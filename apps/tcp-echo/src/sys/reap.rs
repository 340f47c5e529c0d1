//! Children are reaped in the signal handler: at once, whatever the parent is doing, and without a system call
//! while none has died.

use std::io;
use std::sync::OnceLock;
use std::sync::atomic::Ordering;

use libc::c_int;
use nix::errno::Errno;
use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, sigaction};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};

use crate::handler::PANICKED;
use crate::stats::{Counters, Problem};

static COUNTERS: OnceLock<&'static Counters> = OnceLock::new();

/// From now on, every child that ends gives back its seat; one that did not end with exit code 0 is counted.
///
/// # Errors
/// The kernel refused the handler.
pub(crate) fn install(counters: &'static Counters) -> io::Result<()> {
    let _ = COUNTERS.set(counters);
    // SA_RESTART: a child's end interrupts nothing; SA_NOCLDSTOP: a stopped child has not ended
    let flags = SaFlags::SA_RESTART | SaFlags::SA_NOCLDSTOP;
    let action = SigAction::new(SigHandler::Handler(on_child), flags, SigSet::empty());
    // SAFETY: the handler calls waitpid and touches atomics only, and preserves errno.
    unsafe { sigaction(Signal::SIGCHLD, &action) }?;
    Ok(())
}

extern "C" fn on_child(_: c_int) {
    let errno = Errno::last_raw();
    // several deaths may come as one signal
    while let Ok(status) = waitpid(None, Some(WaitPidFlag::WNOHANG)) {
        let Some(counters) = COUNTERS.get() else { break };
        match status {
            WaitStatus::Exited(_, 0) => {}
            // the child counted its panic itself
            WaitStatus::Exited(_, PANICKED) => {}
            // we killed it ourselves, because the drain time-out had passed
            WaitStatus::Signaled(_, Signal::SIGKILL, _) if counters.draining.load(Ordering::SeqCst) => {}
            WaitStatus::Exited(..) | WaitStatus::Signaled(..) => counters.problem(Problem::Crash),
            _ => break,
        }
        counters.left();
    }
    Errno::set_raw(errno);
}

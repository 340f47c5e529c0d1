//! What must be said before the Rust runtime starts.
//!
//! The runtime gives every thread a signal stack of its own, so that it can print a message when a thread overflows
//! its stack. That takes four system calls a thread (mmap, mprotect, sigaltstack, munmap), a third of the cost of a
//! thread per connection; and it is skipped if somebody else handles SIGSEGV and SIGBUS when the runtime starts. So
//! both are ignored for that moment. (Ignored means nothing for a real fault: the kernel kills all the same.)
//! A handler's stack is of a fixed, small depth; an overflow would still hit the guard page and end the process.

use nix::sys::signal::{SigHandler, Signal, signal};

/// Run by the C library before `main`.
#[used]
#[unsafe(link_section = ".init_array")]
static BEFORE_MAIN: extern "C" fn() = ignore_faults;

extern "C" fn ignore_faults() {
    set(SigHandler::SigIgn);
}

/// The runtime has started: faults kill, and leave a core where the system wants one.
pub(crate) fn faults_kill_again() {
    set(SigHandler::SigDfl);
}

fn set(handler: SigHandler) {
    for fault in [Signal::SIGSEGV, Signal::SIGBUS] {
        // SAFETY: the dispositions "ignore" and "default" run no code of ours.
        let _ = unsafe { signal(fault, handler) };
    }
}

//! `fork`, from a process that has one thread.

use std::io;
use std::os::raw::c_int;

use nix::errno::Errno;
use nix::sched::{CloneFlags, unshare};
use nix::unistd::Pid;

unsafe extern "C" {
    /// POSIX.1-2024: as `fork`, without the `pthread_atfork` handlers. The C library then need not lock and unlock
    /// its allocator and streams around every fork, which shows at ten thousand forks a second.
    fn _Fork() -> c_int;
}

/// Forks; `child` runs in the new process, which ends with the exit code that it returns.
///
/// Inlined, with `child`, into its caller: every 64 KiB of code that a child touches cost it a page fault, so what it runs
/// should stand together.
///
/// # Errors
/// The kernel has no room for another process, or this process has more than one thread: in a forked child the other
/// threads are gone with whatever locks they held.
#[inline(always)]
pub(crate) fn fork(child: impl FnOnce() -> i32) -> io::Result<Pid> {
    // the kernel refuses this flag to a process with threads, and does nothing for one without: the cheapest question
    if unshare(CloneFlags::CLONE_THREAD) == Err(Errno::EINVAL) {
        return Err(io::Error::other("a process with threads must not fork"));
    }
    // SAFETY: this process has one thread, so the child's copy of it is complete: no lock is held by a thread that the
    // child does not have.
    match unsafe { _Fork() } {
        -1 => Err(io::Error::last_os_error()),
        0 => super::exit::at_once(child()),
        pid => Ok(Pid::from_raw(pid)),
    }
}

//! `fork`, from a process that has one thread.

use std::fs;
use std::io;
use std::os::raw::c_int;
use std::os::unix::fs::MetadataExt;
use std::thread;
use std::time::Duration;

use nix::errno::Errno;
use nix::sched::{CloneFlags, unshare};
use nix::unistd::Pid;

/// A thread that was joined is gone from the kernel's list a moment later; for that long, in steps of a hundredth of it, a fork
/// waits.
const THREAD_GOES: Duration = Duration::from_millis(200);

unsafe extern "C" {
    /// POSIX.1-2024: as `fork`, without the `pthread_atfork` handlers. The C library then need not lock and unlock
    /// its allocator and streams around every fork, which shows at ten thousand forks a second.
    fn _Fork() -> c_int;
}

/// Forks; `child` runs in the new process, which ends with the exit code that it returns: at once, without the destructors,
/// exit handlers and buffers that it has copies of. This is the bare fork for a server that makes ten thousand processes a
/// second; [`Builder`](crate::process::Builder) makes a process that can be waited for, named and ended.
///
/// Inlined, with `child`, into its caller: every 64 KiB of code that a child touches cost it a page fault, so what it runs
/// should stand together.
///
/// # Errors
/// The kernel has no room for another process, or this process has more than one thread: in a forked child the other
/// threads are gone with whatever locks they held.
#[inline(always)]
pub fn fork(child: impl FnOnce() -> i32) -> io::Result<Pid> {
    if has_threads() {
        wait_for_one_thread()?;
    }
    // SAFETY: this process has one thread, so the child's copy of it is complete: no lock is held by a thread that the
    // child does not have.
    match unsafe { _Fork() } {
        -1 => Err(io::Error::last_os_error()),
        0 => exit_at_once(child()),
        pid => Ok(Pid::from_raw(pid)),
    }
}

/// Ends the process: no destructor, no exit handler, no flush of what the parent had buffered. A forked child must leave this
/// way: it holds a copy of everything that its parent still needs.
#[inline]
pub fn exit_at_once(code: i32) -> ! {
    // SAFETY: _exit takes an integer and does not return.
    unsafe { libc::_exit(code) }
}

/// The kernel refuses this flag to a process with threads, and does nothing for one without: the cheapest question.
#[inline(always)]
fn has_threads() -> bool {
    match unshare(CloneFlags::CLONE_THREAD) {
        Ok(()) => false,
        Err(Errno::EINVAL) => true,
        // many containers forbid this call to everybody: that says nothing about threads
        Err(_) => has_tasks_beside_this(),
    }
}

#[cold]
fn has_tasks_beside_this() -> bool {
    // a directory has two links, and one more for each directory in it
    fs::metadata("/proc/self/task").map_or(true, |tasks| tasks.nlink() > 3)
}

#[cold]
fn wait_for_one_thread() -> io::Result<()> {
    for _ in 0..100 {
        thread::sleep(THREAD_GOES / 100);
        if !has_threads() {
            return Ok(());
        }
    }
    Err(io::Error::other("a process with threads must not fork"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_the_kernel_is_not_to_be_asked_the_tasks_are_counted() {
        let (end, waits) = std::sync::mpsc::channel::<()>();
        thread::scope(|threads| {
            threads.spawn(move || waits.recv());
            assert!(has_tasks_beside_this() && has_threads());
            drop(end);
        });
    }
}

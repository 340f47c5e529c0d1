//! Descriptors that have no owner in Rust's sense yet.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};

/// Takes a descriptor that came to this process by its number: out of an SCM_RIGHTS message, or inherited over an exec. Each
/// number is taken once.
#[must_use]
pub fn adopt(number: RawFd) -> OwnedFd {
    // SAFETY: the kernel made this descriptor for us when it delivered the message or started the program, and nobody else
    // has its number.
    unsafe { OwnedFd::from_raw_fd(number) }
}

/// Makes a number that this process has stand for the same open file as `by`; what it stood for before is closed. Whoever owns
/// the number goes on owning it.
///
/// For a forked process that is to keep none of its parent's files open: it has copies of the values that own their numbers. If
/// the numbers were closed, the kernel would give them out anew, and each would have two owners.
///
/// # Errors
/// The kernel refused.
pub fn replace(number: RawFd, by: BorrowedFd<'_>) -> io::Result<()> {
    // SAFETY: the call touches no memory of ours, and the number is open before and after it.
    let outcome = unsafe { libc::dup3(by.as_raw_fd(), number, libc::O_CLOEXEC) };
    if outcome < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// Lets no other program have the descriptors from this number on: they are closed when one is started. (Kernels before 5.11 cannot.)
///
/// # Errors
/// The kernel refused.
pub(crate) fn close_on_exec_from(first: u32) -> io::Result<()> {
    // SAFETY: the call takes three numbers, touches no memory of ours, and closes nothing that anybody owns here.
    let outcome = unsafe { libc::syscall(libc::SYS_close_range, first, u32::MAX, libc::CLOSE_RANGE_CLOEXEC) };
    if outcome < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// A second descriptor of the same open file, of something that shows its number only.
///
/// # Errors
/// There is no descriptor left.
pub fn copy_of(file: &impl AsRawFd) -> io::Result<OwnedFd> {
    // SAFETY: `file` is borrowed for this call, so its descriptor stays open that long.
    unsafe { BorrowedFd::borrow_raw(file.as_raw_fd()) }.try_clone_to_owned()
}

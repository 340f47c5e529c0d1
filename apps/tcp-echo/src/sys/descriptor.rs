//! Descriptors that have no owner in Rust's sense yet.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};

/// Takes a descriptor out of an SCM_RIGHTS message.
pub(crate) fn received(number: RawFd) -> OwnedFd {
    // SAFETY: the kernel made this descriptor for us when it delivered the message, and nobody else has its number.
    unsafe { OwnedFd::from_raw_fd(number) }
}

/// A second descriptor of the same open file, of something that shows its number only.
///
/// # Errors
/// There is no descriptor left.
pub(crate) fn copy_of(file: &impl AsRawFd) -> io::Result<OwnedFd> {
    // SAFETY: `file` is borrowed for this call, so its descriptor stays open that long.
    unsafe { BorrowedFd::borrow_raw(file.as_raw_fd()) }.try_clone_to_owned()
}

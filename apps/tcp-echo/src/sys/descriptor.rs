//! A descriptor that another process passed: from here on it is ours.

use std::os::fd::{FromRawFd, OwnedFd, RawFd};

/// Takes a descriptor out of an SCM_RIGHTS message.
pub(crate) fn received(number: RawFd) -> OwnedFd {
    // SAFETY: the kernel made this descriptor for us when it delivered the message, and nobody else has its number.
    unsafe { OwnedFd::from_raw_fd(number) }
}

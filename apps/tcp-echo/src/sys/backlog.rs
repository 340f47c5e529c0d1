//! How many clients wait in a listener's backlog.

use std::net::TcpListener;
use std::os::fd::AsRawFd;

/// What the kernel says; 0 if it says nothing.
pub(crate) fn waiting(listener: &TcpListener) -> u32 {
    let mut info = std::mem::MaybeUninit::<libc::tcp_info>::zeroed();
    let mut length = size_of::<libc::tcp_info>() as libc::socklen_t;
    // SAFETY: the kernel writes at most `length` bytes into `info`.
    let outcome = unsafe {
        libc::getsockopt(
            listener.as_raw_fd(),
            libc::IPPROTO_TCP,
            libc::TCP_INFO,
            info.as_mut_ptr().cast(),
            &raw mut length,
        )
    };
    // SAFETY: it is made of integers, for which all-zero bytes are a value.
    let info = unsafe { info.assume_init() };
    // of a listening socket this field is the length of its queue (tcp_get_info in the kernel)
    if outcome == 0 { info.tcpi_unacked } else { 0 }
}

//! How many datagrams the kernel has dropped at a socket, because they were not taken in time.

use std::net::UdpSocket;
use std::os::fd::AsRawFd;

/// From `asm-generic/socket.h`; the C library does not name it. (An architecture of its own opinion refuses the option.)
const SO_MEMINFO: libc::c_int = 55;
/// The values that the option has: `SK_MEMINFO_VARS` in `linux/sock_diag.h`.
const VALUES: usize = 9;
/// The place of the count among them.
const DROPS: usize = libc::SK_MEMINFO_DROPS as usize;

/// What the kernel says; `None` before Linux 4.12. (The count is one of 32 bits and begins again after the last.)
pub(crate) fn dropped(socket: &UdpSocket) -> Option<u32> {
    let mut values = [0u32; VALUES];
    let mut length = size_of_val(&values) as libc::socklen_t;
    // SAFETY: the kernel writes at most `length` bytes into `values`, which are integers.
    let outcome = unsafe {
        libc::getsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            SO_MEMINFO,
            values.as_mut_ptr().cast(),
            &raw mut length,
        )
    };
    (outcome == 0 && length as usize > DROPS * size_of::<u32>()).then(|| values[DROPS])
}

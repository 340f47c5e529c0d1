//! Sockets set up the same way everywhere, so that a comparison compares what it says.
//!
//! The backlog is explicit: the standard library, mio and tokio each hard-code their own, and a burst that
//! overflows it costs its clients a second (a dropped SYN is sent again after 1 s). `TCP_NODELAY` is set on the
//! listener: Linux hands it down to every accepted connection, which saves a system call for each.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};
use std::time::Duration;

use nix::sys::socket::{setsockopt, sockopt};
use socket2::{Domain, Protocol, SockRef, Socket, Type};

/// What an accepted connection inherits from its listener.
#[derive(Debug, Clone, Copy, Default)]
pub struct Inherited {
    /// A read that waits longer fails with `WouldBlock`. `None`: it waits for ever.
    pub read_timeout: Option<Duration>,
    /// The same for a write that makes no progress at all.
    pub write_timeout: Option<Duration>,
    /// Other listeners of the same user may have the same port (`SO_REUSEPORT`), and the kernel chooses between them.
    pub shares_port: bool,
}

/// A listening TCP socket with `SO_REUSEADDR` (a restart need not wait for `TIME_WAIT`).
///
/// # Errors
/// What the kernel says, unchanged: the caller knows what the user asked for.
pub fn listen(address: SocketAddr, backlog: u32, inherited: Inherited) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    if inherited.shares_port {
        socket.set_reuse_port(true)?;
    }
    socket.bind(&address.into())?;
    let listener = socket.into();
    tune(&listener, backlog, inherited)?;
    Ok(listener)
}

/// Sets up a socket that is bound, or a listener that somebody else has opened, and listens.
///
/// # Errors
/// What the kernel says.
pub fn tune(listener: &TcpListener, backlog: u32, inherited: Inherited) -> io::Result<()> {
    let socket = SockRef::from(listener);
    socket.set_nonblocking(false)?;
    socket.set_tcp_nodelay(true)?;
    // a byte that is marked urgent is a byte of the stream like all others
    socket.set_out_of_band_inline(true)?;
    socket.set_read_timeout(inherited.read_timeout.map(at_least_a_microsecond))?;
    socket.set_write_timeout(inherited.write_timeout.map(at_least_a_microsecond))?;
    socket.listen(i32::try_from(backlog).unwrap_or(i32::MAX))
}

/// The kernel counts in microseconds, and takes 0 for "for ever".
fn at_least_a_microsecond(limit: Duration) -> Duration {
    limit.max(Duration::from_micros(1))
}

/// A TCP socket whose connect is under way: `WouldBlock` is no error here, the socket becomes writable when
/// the handshake is over.
///
/// With `source`, the connection leaves from that address; `IP_BIND_ADDRESS_NO_PORT` puts off the choice of the
/// port until the connect, so that one port serves many destinations.
///
/// # Errors
/// The socket could not be made, bound or connected; `EADDRNOTAVAIL` means that the ports of `source` are used up.
pub fn connect_nonblocking(to: SocketAddr, source: Option<Ipv4Addr>) -> io::Result<(Socket, Connected)> {
    let socket = Socket::new(Domain::for_address(to), Type::STREAM.nonblocking(), Some(Protocol::TCP))?;
    socket.set_tcp_nodelay(true)?;
    if let Some(source) = source {
        setsockopt(&socket, sockopt::IpBindAddressNoPort, &true)?;
        socket.bind(&SocketAddr::new(IpAddr::V4(source), 0).into())?;
    }
    match socket.connect(&to.into()) {
        Ok(()) => Ok((socket, Connected::Yes)),
        Err(e) if e.raw_os_error() == Some(libc::EINPROGRESS) => Ok((socket, Connected::NotYet)),
        Err(e) => Err(e),
    }
}

/// Whether a non-blocking connect is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Connected {
    /// The handshake is over.
    Yes,
    /// It is under way: wait until the socket is writable, then ask it for its error.
    NotYet,
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpStream;

    #[test]
    fn no_limit_is_so_short_that_it_means_for_ever() {
        let inherited = Inherited { read_timeout: Some(Duration::from_nanos(1)), ..Inherited::default() };
        let listener = listen("127.0.0.1:0".parse().unwrap(), 16, inherited).unwrap();
        let _client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (served, _) = listener.accept().unwrap();
        assert!(served.read_timeout().unwrap().is_some());
    }

    #[test]
    fn a_connection_inherits_what_its_listener_was_given() {
        let inherited = Inherited {
            read_timeout: Some(Duration::from_millis(1500)),
            write_timeout: Some(Duration::from_millis(2500)),
            shares_port: false,
        };
        let listener = listen("127.0.0.1:0".parse().unwrap(), 16, inherited).unwrap();
        let _client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (served, _) = listener.accept().unwrap();
        assert!(served.nodelay().unwrap());
        assert!(SockRef::from(&served).out_of_band_inline().unwrap());
        // the kernel keeps both in its own ticks of 4 ms and rounds up
        let near = |t: Option<Duration>, want: u64| t.unwrap().as_millis().abs_diff(want.into()) <= 10;
        assert!(near(served.read_timeout().unwrap(), 1500), "{:?}", served.read_timeout());
        assert!(near(served.write_timeout().unwrap(), 2500), "{:?}", served.write_timeout());
    }
}

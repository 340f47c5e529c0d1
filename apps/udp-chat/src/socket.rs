//! The one socket: made, read in batches, and asked which datagrams came back.
//!
//! - **Dual stack.** One IPv6 socket serves IPv4 as well (its addresses arrive as `::ffff:a.b.c.d`); where IPv6 is switched
//!   off, an IPv4 socket does.
//! - **No `SO_REUSEADDR`.** With it, a second program on the same port would silently take all that comes.
//! - **`IP_RECVERR` and `IPV6_RECVERR`** (each covers its own family): only with them does the kernel keep the datagrams
//!   that came back. The price: after a refusal the *next* operation fails with it once, even if it concerns another
//!   peer. So a send that fails is tried again.
//! - **`SO_MEMINFO`** tells how many datagrams the kernel has dropped so far. It is asked after each batch: something is
//!   dropped only while others wait, so the batch that empties the socket comes with the whole count. (`SO_RXQ_OVFL` would
//!   tell it with each datagram, but as it was when that one arrived: what was dropped behind the last would be missing.)
//!
//! Any number of threads may use it at once, without a lock: the kernel hands over whole datagrams.

use std::io::{self, IoSliceMut};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::ops::Range;
use std::os::fd::AsRawFd;

use nix::errno::Errno;
use nix::sys::socket::{
    ControlMessageOwned, MsgFlags, MultiHeaders, SockaddrStorage, recvmmsg, recvmsg, setsockopt, sockopt,
};
use socket2::{Domain, Protocol, Socket, Type};

use crate::chat::Refusal;
use crate::sys;

/// No datagram is longer: 65,535 bytes less its headers.
pub const DATAGRAM_MAX: usize = 65_535;
/// So many datagrams are taken with one system call.
const AT_ONCE: usize = 32;
/// So much the kernel is asked to hold for us, in bytes; it may grant less.
const RECEIVE_BUFFER: usize = 4 << 20;
/// A send is tried so often while old refusals of others make it fail.
const SEND_TRIES: usize = 8;
/// Refusals are taken out of the kernel's queue so many at a time.
const REFUSALS_AT_ONCE: usize = 256;

/// Makes the socket. Without an address (its port does not matter) it listens on all, IPv6 and IPv4.
///
/// # Errors
/// As the kernel says; `AddrInUse` means that the port is taken.
pub fn open(bind: Option<SocketAddr>, port: u16) -> io::Result<UdpSocket> {
    match bind {
        Some(ip) => bound(crate::chat::people::at(ip, port)),
        None => bound((Ipv6Addr::UNSPECIFIED, port).into()).or_else(|e| match e.raw_os_error() {
            Some(libc::EAFNOSUPPORT | libc::EADDRNOTAVAIL) => bound((Ipv4Addr::UNSPECIFIED, port).into()),
            _ => Err(e),
        }),
    }
}

fn bound(address: SocketAddr) -> io::Result<UdpSocket> {
    let socket = Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
    if address.is_ipv6() {
        socket.set_only_v6(false)?;
        setsockopt(&socket, sockopt::Ipv6RecvErr, &true)?;
    }
    setsockopt(&socket, sockopt::Ipv4RecvErr, &true)?;
    // beyond the usual limit only for root
    if setsockopt(&socket, sockopt::RcvBufForce, &RECEIVE_BUFFER).is_err() {
        let _ = socket.set_recv_buffer_size(RECEIVE_BUFFER);
    }
    socket.bind(&address.into())?;
    Ok(socket.into())
}

/// Sends one datagram. Refusals that wait in the socket make a send fail that has nothing to do with them: it is tried
/// again.
///
/// # Errors
/// This datagram cannot be sent.
pub fn send(socket: &UdpSocket, to: SocketAddr, bytes: &[u8]) -> io::Result<()> {
    let to = match (to, socket.local_addr()?.is_ipv6()) {
        (SocketAddr::V4(v4), true) => (v4.ip().to_ipv6_mapped(), v4.port()).into(),
        _ => to,
    };
    let mut tries = 0;
    loop {
        tries += 1;
        match socket.send_to(bytes, to) {
            Ok(_) => return Ok(()),
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) if tries == SEND_TRIES || e.raw_os_error() == Some(libc::EINVAL) => return Err(e),
            Err(_) => {}
        }
    }
}

/// Datagrams that came together.
#[derive(Debug, Default)]
pub struct Batch {
    bytes: Vec<u8>,
    parts: Vec<(SocketAddr, Range<usize>)>,
    /// So many the kernel had dropped after that, since the socket was made; see [`dropped`].
    pub dropped: Option<u32>,
}

impl Batch {
    /// Each datagram with its source, in the order of their arrival.
    pub fn datagrams(&self) -> impl Iterator<Item = (SocketAddr, &[u8])> {
        self.parts.iter().map(|(from, part)| (*from, &self.bytes[part.clone()]))
    }

    /// Nothing is in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.parts.is_empty()
    }
}

/// Room for 32 datagrams of any length. Only what datagrams have been written to is real memory.
#[derive(Debug)]
pub struct Room(Vec<u8>);

impl Default for Room {
    fn default() -> Self {
        Self(vec![0; AT_ONCE * DATAGRAM_MAX])
    }
}

/// Takes what is there, without waiting. An empty batch: nothing is there (or an old refusal got in the way; the socket
/// is readable again if there is more).
///
/// # Errors
/// The socket cannot be read at all.
pub fn receive(socket: &UdpSocket, room: &mut Room) -> io::Result<Batch> {
    let mut batch = Batch::default();
    let mut found: [(Option<SocketAddr>, usize); AT_ONCE] = [(None, 0); AT_ONCE];
    let mut places: Vec<_> = room.0.chunks_mut(DATAGRAM_MAX).map(|place| [IoSliceMut::new(place)]).collect();
    let mut headers = MultiHeaders::<SockaddrStorage>::preallocate(AT_ONCE, None);
    match recvmmsg(socket.as_raw_fd(), &mut headers, places.iter_mut(), MsgFlags::MSG_DONTWAIT, None) {
        Ok(messages) => {
            for (message, found) in messages.zip(&mut found) {
                *found = (message.address.as_ref().and_then(address), message.bytes);
            }
            batch.dropped = dropped(socket);
        }
        Err(Errno::EAGAIN | Errno::EINTR) => {}
        // what an earlier datagram of ours met: the error queue tells more
        Err(e) if is_refusal(e) => {}
        Err(e) => return Err(e.into()),
    }
    for (place, (from, length)) in room.0.chunks(DATAGRAM_MAX).zip(found) {
        let Some(from) = from else { continue };
        let start = batch.bytes.len();
        batch.bytes.extend_from_slice(&place[..length]);
        batch.parts.push((from, start..batch.bytes.len()));
    }
    Ok(batch)
}

/// So many datagrams the kernel has dropped since the socket was made, if it says so.
#[must_use]
pub fn dropped(socket: &UdpSocket) -> Option<u32> {
    sys::drops::dropped(socket)
}

/// A datagram of ours that came back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Returned {
    /// Where it had been sent.
    pub to: SocketAddr,
    /// Its beginning.
    pub piece: Vec<u8>,
    /// Why.
    pub why: Refusal,
}

/// Takes the datagrams that came back, without waiting; if there are more, the socket stays ready.
#[must_use]
pub fn returned(socket: &UdpSocket) -> Vec<Returned> {
    let mut all = Vec::new();
    let mut room = vec![0; 2048];
    for _ in 0..REFUSALS_AT_ONCE {
        let mut slice = [IoSliceMut::new(&mut room)];
        let mut controls = nix::cmsg_space!(libc::sock_extended_err, libc::sockaddr_in6, u32);
        let flags = MsgFlags::MSG_ERRQUEUE | MsgFlags::MSG_DONTWAIT;
        let message =
            match recvmsg::<SockaddrStorage>(socket.as_raw_fd(), &mut slice, Some(&mut controls), flags) {
                Ok(message) => message,
                Err(Errno::EINTR) => continue,
                Err(_) => break,
            };
        let Ok(controls) = message.cmsgs() else { continue };
        let error = controls.into_iter().find_map(|control| match control {
            ControlMessageOwned::Ipv4RecvErr(error, _) | ControlMessageOwned::Ipv6RecvErr(error, _) => {
                Some(error)
            }
            _ => None,
        });
        if let (Some(error), Some(to)) = (error, message.address.as_ref().and_then(address)) {
            let length = message.bytes;
            all.push(Returned { to, piece: room[..length].to_vec(), why: why(&error) });
        }
    }
    all
}

fn why(error: &libc::sock_extended_err) -> Refusal {
    match i32::try_from(error.ee_errno).unwrap_or(0) {
        libc::ECONNREFUSED => Refusal::NobodyListens,
        libc::EMSGSIZE => {
            Refusal::Network(format!("too long for the way there: at most {} bytes", error.ee_info))
        }
        errno => Refusal::Network(Errno::from_raw(errno).desc().to_lowercase()),
    }
}

/// Errors that are left in a socket by a datagram that came back.
fn is_refusal(errno: Errno) -> bool {
    matches!(
        errno,
        Errno::ECONNREFUSED
            | Errno::EHOSTUNREACH
            | Errno::ENETUNREACH
            | Errno::EHOSTDOWN
            | Errno::ENETDOWN
            | Errno::EMSGSIZE
            | Errno::EACCES
            | Errno::EPROTO
            | Errno::ENOPROTOOPT
            | Errno::EOPNOTSUPP
            | Errno::ENONET
            | Errno::EPERM
            | Errno::ENOBUFS
            | Errno::ENOMEM
    )
}

fn address(storage: &SockaddrStorage) -> Option<SocketAddr> {
    if let Some(v4) = storage.as_sockaddr_in() {
        return Some((v4.ip(), v4.port()).into());
    }
    let v6 = storage.as_sockaddr_in6()?;
    Some(std::net::SocketAddrV6::new(v6.ip(), v6.port(), 0, v6.scope_id()).into())
}

/// The addresses at which others can write to this socket.
#[must_use]
pub fn own_addresses(socket: &UdpSocket) -> Vec<SocketAddr> {
    let Ok(local) = socket.local_addr() else { return Vec::new() };
    if !local.ip().is_unspecified() {
        return vec![local];
    }
    let Ok(interfaces) = nix::ifaddrs::getifaddrs() else { return vec![local] };
    let mut all: Vec<SocketAddr> = interfaces
        .filter_map(|interface| interface.address.as_ref().and_then(address))
        .filter(|address| address.is_ipv4() || local.is_ipv6())
        .map(|address| crate::chat::people::at(address, local.port()))
        .collect();
    all.sort_by_key(|address| (address.ip().is_loopback(), address.is_ipv6(), *address));
    all.dedup();
    all
}

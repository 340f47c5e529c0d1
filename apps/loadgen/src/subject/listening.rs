//! Who listens where, as the kernel tells it: no connection is made for it, so a server that serves only one is not
//! spoilt by a question.
//!
//! How: `/proc/net/tcp` and `tcp6` list the listening sockets first, each with its address and inode. Cost: reading stops
//! at the first socket that does not listen. Where it breaks: sockets of another network namespace are not in it.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use socket2::{Domain, Socket, Type};

/// The state of a socket that listens.
const LISTEN: &str = "0A";

/// A listening socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Listener {
    /// Where.
    pub address: SocketAddr,
    /// Whose, by user number.
    pub user: u32,
    /// What its descriptors are known by.
    pub inode: u64,
}

/// All listening sockets of this port; `None`: the kernel does not tell.
#[must_use]
pub fn on_port(port: u16) -> Option<Vec<Listener>> {
    let mut found = read("/proc/net/tcp")?;
    found.extend(read("/proc/net/tcp6").unwrap_or_default());
    found.retain(|listener| listener.address.port() == port);
    Some(found)
}

/// Those of them that get a connection to `target`: those of its own address, or else those of any address.
#[must_use]
pub fn of_target(listeners: &[Listener], target: SocketAddr) -> Vec<Listener> {
    let of = |wanted: &dyn Fn(IpAddr) -> bool| -> Vec<Listener> {
        listeners.iter().copied().filter(|l| wanted(l.address.ip())).collect()
    };
    let exact = of(&|ip| ip.to_canonical() == target.ip().to_canonical());
    if !exact.is_empty() {
        return exact;
    }
    let same_family = of(&|ip| ip.is_unspecified() && ip.is_ipv4() == target.is_ipv4());
    if same_family.is_empty() { of(&|ip| ip.is_unspecified() && ip.is_ipv6()) } else { same_family }
}

/// Where a client of this machine reaches one of them; IPv4 before IPv6, and this machine itself before its networks.
#[must_use]
pub fn reach(listeners: &[Listener]) -> Option<SocketAddr> {
    let (four, six) = (IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST));
    let rank = |ip: IpAddr| match ip.to_canonical() {
        ip if ip == four || ip == IpAddr::V4(Ipv4Addr::UNSPECIFIED) => 0,
        IpAddr::V6(ip) if ip.is_unspecified() => 1,
        ip if ip == six => 2,
        _ => 3,
    };
    let best = listeners.iter().min_by_key(|l| rank(l.address.ip()))?.address;
    let port = best.port();
    Some(match rank(best.ip()) {
        0 => (four, port).into(),
        1 if takes_ipv4_as_well(port) => (four, port).into(),
        1 => (six, port).into(),
        _ => best,
    })
}

/// Whether an IPv6 socket has the port for IPv4 too: then nobody else can have it.
fn takes_ipv4_as_well(port: u16) -> bool {
    let any = SocketAddr::from((Ipv4Addr::UNSPECIFIED, port));
    Socket::new(Domain::IPV4, Type::STREAM, None).is_ok_and(|socket| socket.bind(&any.into()).is_err())
}

fn read(path: &str) -> Option<Vec<Listener>> {
    let lines = BufReader::new(File::open(path).ok()?).lines().skip(1);
    Some(lines.map_while(|line| understand(&line.ok()?)).collect())
}

/// A line of the list; `None`: it does not listen.
fn understand(line: &str) -> Option<Listener> {
    let fields: Vec<&str> = line.split_whitespace().collect();
    if *fields.get(3)? != LISTEN {
        return None;
    }
    let (ip, port) = fields.get(1)?.split_once(':')?;
    let words: Vec<u32> = (0..ip.len() / 8)
        .map(|at| u32::from_str_radix(ip.get(at * 8..at * 8 + 8)?, 16).ok())
        .collect::<Option<_>>()?;
    // each word is printed as this machine's number, though its bytes are in network order
    let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_ne_bytes()).collect();
    let ip = match <[u8; 4]>::try_from(bytes.as_slice()) {
        Ok(four) => IpAddr::from(four),
        Err(_) => IpAddr::from(<[u8; 16]>::try_from(bytes.as_slice()).ok()?),
    };
    let address = SocketAddr::new(ip, u16::from_str_radix(port, 16).ok()?);
    Some(Listener { address, user: fields.get(7)?.parse().ok()?, inode: fields.get(9)?.parse().ok()? })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::net::{TcpListener, TcpStream};

    fn listening(address: &str) -> Listener {
        Listener { address: address.parse().unwrap(), user: 0, inode: 1 }
    }

    #[test]
    fn a_socket_is_listed_as_long_as_it_listens() {
        for address in ["127.0.0.1:0", "[::1]:0"] {
            let Ok(listener) = TcpListener::bind(address) else { continue };
            let address = listener.local_addr().unwrap();
            // connections of the same port are none of them
            let _connection = TcpStream::connect(address).unwrap();
            let found = on_port(address.port()).unwrap();
            assert!(matches!(found.as_slice(), [one] if one.address == address), "{found:?}");
            assert_eq!(reach(&found), Some(address));
            drop(listener);
            assert!(on_port(address.port()).unwrap().is_empty());
        }
    }

    #[test]
    fn the_nearest_listener_is_the_one_that_is_meant() {
        let all = ["127.0.0.1:80", "0.0.0.0:80", "[::]:80"].map(listening);
        assert_eq!(of_target(&all, "127.0.0.1:80".parse().unwrap()), [all[0]]);
        assert_eq!(of_target(&all, "127.0.0.2:80".parse().unwrap()), [all[1]]);
        assert_eq!(of_target(&all, "[::1]:80".parse().unwrap()), [all[2]]);
        assert_eq!(of_target(&all[2..], "127.0.0.1:80".parse().unwrap()), [all[2]]);
        assert_eq!(of_target(&all[..1], "[::1]:80".parse().unwrap()), []);
    }

    #[test]
    fn a_server_is_reached_where_it_listens() {
        let to = |address: &str| reach(&[listening(address)]).unwrap().to_string();
        assert_eq!(to("0.0.0.0:80"), "127.0.0.1:80");
        assert_eq!(to("[::1]:80"), "[::1]:80");
        assert_eq!(to("127.0.0.3:80"), "127.0.0.3:80");
        let both = TcpListener::bind("[::]:0");
        if let Ok(both) = both {
            let port = both.local_addr().unwrap().port();
            assert_eq!(to(&format!("[::]:{port}")), format!("127.0.0.1:{port}"));
        }
        assert_eq!(reach(&[]), None);
    }

    proptest! {
        #[test]
        fn no_line_makes_it_panic(line in ".{0,60}", words in "( [0-9A-F:]{0,40}){0,12}") {
            let _ = understand(&line);
            let _ = understand(&words);
        }
    }
}

//! Who takes part. A peer is an address; a name is what this user calls it.
//!
//! At most [`PEOPLE_MAX`] are remembered. Whoever writes is remembered, so anybody can fill the table: then the one that has
//! been quiet longest goes, strangers before people who were added or are ignored.

use std::collections::{HashMap, HashSet};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

/// So many peers are remembered.
pub const PEOPLE_MAX: usize = 256;
/// So long may a name be, in characters.
const NAME_MAX: usize = 32;
/// The port of somebody who is given without one.
pub const DEFAULT_PORT: u16 = 7890;

/// What is known about an address.
#[derive(Debug, Clone)]
pub struct Peer {
    /// What the user calls it.
    pub name: Option<String>,
    /// When it last wrote, in milliseconds since 1970.
    pub last_seen: Option<u64>,
    /// Messages sent to it.
    pub sent: u64,
    /// Datagrams received from it, shown or not.
    pub received: u64,
    /// Messages to it that came back.
    pub refused: u64,
    /// Nothing from it is shown or saved. (Nor from any port of an address that is [ignored](People::ignore) as a whole.)
    pub ignored: bool,
    /// Its messages end with a newline.
    pub newline: bool,
    /// The last that is known: nobody listens there.
    pub deaf: bool,
    /// Datagrams over its rate limit that have not been reported yet.
    pub suppressed: u64,
    /// Unsupported frames that have not been reported yet.
    pub frames: u64,
    /// When it last wrote or was written to.
    active: Duration,
}

impl Peer {
    /// Frames and suppressed datagrams that were not reported, which is done now.
    pub fn take_unreported(&mut self) -> (u64, u64) {
        (std::mem::take(&mut self.frames), std::mem::take(&mut self.suppressed))
    }

    fn is_stranger(&self) -> bool {
        self.name.is_none() && !self.ignored
    }
}

/// All of them.
#[derive(Debug, Default)]
pub struct People {
    peers: HashMap<SocketAddr, Peer>,
    /// Addresses, with port 0, of which no port is shown or saved.
    ignored: HashSet<SocketAddr>,
}

impl People {
    /// Before a peer with this address is [met](Self::meet): if another has to go for it, that one.
    pub fn make_room(&mut self, address: SocketAddr) -> Option<Peer> {
        if self.peers.len() < PEOPLE_MAX || self.peers.contains_key(&address) {
            return None;
        }
        self.quietest().and_then(|quietest| self.peers.remove(&quietest))
    }

    /// The peer with this address, remembered from now on.
    pub fn meet(&mut self, address: SocketAddr, now: Duration) -> &mut Peer {
        let _ = self.make_room(address);
        let peer = self.peers.entry(address).or_insert_with(|| Peer {
            name: None,
            last_seen: None,
            sent: 0,
            received: 0,
            refused: 0,
            ignored: false,
            newline: false,
            deaf: false,
            suppressed: 0,
            frames: 0,
            active: now,
        });
        peer.active = now;
        peer
    }

    fn quietest(&self) -> Option<SocketAddr> {
        let quietest = self.peers.iter().min_by_key(|(_, peer)| (!peer.is_stranger(), peer.active));
        quietest.map(|(address, _)| *address)
    }

    /// The peer with this address, if it is remembered.
    pub fn get_mut(&mut self, address: SocketAddr) -> Option<&mut Peer> {
        self.peers.get_mut(&address)
    }

    /// The name of an address, if it has one.
    #[must_use]
    pub fn name(&self, address: SocketAddr) -> Option<&str> {
        self.peers.get(&address)?.name.as_deref()
    }

    /// How the user is told about it: by its name, else by its address.
    #[must_use]
    pub fn called(&self, address: SocketAddr) -> String {
        self.name(address).map_or_else(|| address.to_string(), str::to_owned)
    }

    /// Everybody, in the order of their addresses.
    #[must_use]
    pub fn all(&self) -> Vec<(SocketAddr, &Peer)> {
        let mut all: Vec<_> = self.peers.iter().map(|(address, peer)| (*address, peer)).collect();
        all.sort_by_key(|(address, _)| *address);
        all
    }

    /// Everybody that has something unreported: suppressed datagrams or frames.
    pub fn unreported(&mut self) -> impl Iterator<Item = (SocketAddr, &mut Peer)> {
        self.peers
            .iter_mut()
            .filter(|(_, peer)| peer.suppressed + peer.frames > 0)
            .map(|(address, peer)| (*address, peer))
    }

    /// Whom the user means, to write to: a name, or an address. Without a port that is port 7890 if somebody is known
    /// there, else the peer of this address that wrote or was written to last, unless nobody listens there any more: a
    /// program that has sent one message and ended leaves its port behind. Else port 7890 again.
    ///
    /// # Errors
    /// One line for the user.
    pub fn find(&self, who: &str, interfaces: Interfaces) -> Result<SocketAddr, String> {
        let (ip, port) = self.mean(who, interfaces)?;
        if let Some(port) = port {
            return Ok(at(ip, port));
        }
        let there = self.peers.iter().filter(|(address, peer)| is_at(**address, ip) && !peer.deaf);
        let best = there.max_by_key(|(address, peer)| (address.port() == DEFAULT_PORT, peer.active));
        Ok(best.map_or_else(|| at(ip, DEFAULT_PORT), |(address, _)| *address))
    }

    /// Whom the user means: a name is its address with its port, an address perhaps all of its ports.
    ///
    /// # Errors
    /// One line for the user.
    pub fn mean(&self, who: &str, interfaces: Interfaces) -> Result<(SocketAddr, Option<u16>), String> {
        if let Some((known, _)) = self.peers.iter().find(|(_, peer)| peer.name.as_deref() == Some(who)) {
            return Ok((at(*known, 0), Some(known.port())));
        }
        address(who, interfaces).ok_or_else(|| match who.split_once('%') {
            Some(_) => format!("{who} is no address of an interface of this machine: fe80::1%eth0 is one"),
            None => format!("nobody is called {who}: /peers lists who is known, /add IP[:PORT] NAME adds"),
        })
    }

    /// Shows and saves nothing from any port of this address, or everything again; says which.
    pub fn ignore(&mut self, ip: SocketAddr) -> bool {
        if self.ignored.insert(ip) {
            return true;
        }
        self.ignored.remove(&ip);
        self.peers
            .iter_mut()
            .filter(|(address, _)| is_at(**address, ip))
            .for_each(|(_, peer)| peer.ignored = false);
        false
    }

    /// Whether this address is ignored, by itself or with all its ports.
    #[must_use]
    pub fn ignores(&self, address: SocketAddr) -> bool {
        self.ignored.iter().any(|ip| is_at(address, *ip))
            || self.peers.get(&address).is_some_and(|peer| peer.ignored)
    }

    /// Gives an address a name.
    ///
    /// # Errors
    /// It is no name, or somebody else's.
    pub fn check_name(&self, address: SocketAddr, name: &str) -> Result<(), String> {
        let fits = name.chars().count() <= NAME_MAX
            && name.starts_with(char::is_alphabetic)
            && name.chars().all(|c| c.is_alphanumeric() || "-_.".contains(c));
        if !fits || name == "all" || self::address(name, |_| None).is_some() {
            return Err(format!(
                "{name} is no name: a letter, then letters, digits, - _ or . ({NAME_MAX} at most, and not \"all\")"
            ));
        }
        match self.peers.iter().find(|(other, peer)| **other != address && peer.name.as_deref() == Some(name))
        {
            Some((other, _)) => Err(format!("{name} is {other} already")),
            None => Ok(()),
        }
    }
}

/// The number of a network interface, by its name. Only the system knows it, so whoever reads addresses is handed this.
pub type Interfaces = fn(&str) -> Option<u32>;

/// `IP`, `IP:PORT`, `[IPv6]:PORT` or `localhost[:PORT]`; the port of the first part is 0. An IPv6 address may have an
/// interface, by name or number: `fe80::1%eth0`, `[fe80::1%2]:7890`.
#[must_use]
pub fn address(text: &str, interfaces: Interfaces) -> Option<(SocketAddr, Option<u16>)> {
    let numbered = numbered(text, interfaces)?;
    let text = numbered.as_deref().unwrap_or(text);
    let port_of = |text: &str| text.parse::<u16>().ok().filter(|port| *port > 0);
    if let Some(rest) = text.strip_prefix("localhost") {
        let port = match rest.strip_prefix(':') {
            Some(port) => Some(port_of(port)?),
            None if rest.is_empty() => None,
            None => return None,
        };
        return Some((at((IpAddr::from(Ipv4Addr::LOCALHOST), 0).into(), 0), port));
    }
    if let Ok(address) = text.parse::<SocketAddr>() {
        let port = Some(address.port()).filter(|port| *port > 0)?;
        return Some((at(address, 0), Some(port)));
    }
    let bare = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(text);
    let address = bare.parse::<IpAddr>().map(|ip| SocketAddr::new(ip, 0));
    // an IPv6 address with an interface parses only in this form
    let address = address.or_else(|_| format!("[{bare}]:0").parse::<SocketAddr>()).ok()?;
    Some((at(address, 0), None))
}

/// The same with the number of the interface instead of its name, if there is a name. `None`: nothing has that name.
fn numbered(text: &str, interfaces: Interfaces) -> Option<Option<String>> {
    let Some((ip, rest)) = text.split_once('%') else { return Some(None) };
    let (interface, rest) = rest.split_at(rest.find(']').unwrap_or(rest.len()));
    if interface.bytes().all(|byte| byte.is_ascii_digit()) {
        return Some(None);
    }
    Some(Some(format!("{ip}%{}{rest}", interfaces(interface)?)))
}

/// Whether this is a port of that address. One without an interface is meant on any.
fn is_at(address: SocketAddr, ip: SocketAddr) -> bool {
    match ip {
        SocketAddr::V6(ip) if ip.scope_id() == 0 => address.ip() == *ip.ip(),
        ip => at(address, 0) == ip,
    }
}

/// The same address with another port, in its usual form: an IPv4 address that came through an IPv6 socket is shown,
/// compared and saved as IPv4.
#[must_use]
pub fn at(address: SocketAddr, port: u16) -> SocketAddr {
    let mut address = canonical(address);
    address.set_port(port);
    address
}

/// An address in its usual form.
#[must_use]
pub fn canonical(address: SocketAddr) -> SocketAddr {
    match address {
        SocketAddr::V6(v6) => match v6.ip().to_canonical() {
            IpAddr::V4(v4) => (v4, v6.port()).into(),
            IpAddr::V6(ip) => std::net::SocketAddrV6::new(ip, v6.port(), 0, v6.scope_id()).into(),
        },
        v4 => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A machine with one interface.
    fn eth0(name: &str) -> Option<u32> {
        (name == "eth0").then_some(2)
    }

    #[test]
    fn addresses_as_people_write_them() {
        let read = |text| address(text, eth0).map(|(ip, port)| (ip.ip().to_string(), port));
        assert_eq!(read("192.168.1.5"), Some(("192.168.1.5".into(), None)));
        assert_eq!(read("192.168.1.5:7"), Some(("192.168.1.5".into(), Some(7))));
        assert_eq!(read("::1"), Some(("::1".into(), None)));
        assert_eq!(read("[::1]"), Some(("::1".into(), None)));
        assert_eq!(read("[::1]:7"), Some(("::1".into(), Some(7))));
        assert_eq!(read("::ffff:10.0.0.1"), Some(("10.0.0.1".into(), None)));
        assert_eq!(read("localhost:7"), Some(("127.0.0.1".into(), Some(7))));
        assert_eq!(address("[fe80::1%4]:7", eth0).unwrap().0.to_string(), "[fe80::1%4]:0");
        assert_eq!(address("fe80::1%4", eth0).unwrap().0.to_string(), "[fe80::1%4]:0");
        assert_eq!(address("fe80::1%eth0", eth0).unwrap().0.to_string(), "[fe80::1%2]:0");
        assert_eq!(read("[fe80::1%eth0]:7"), Some(("fe80::1".into(), Some(7))));
        for wrong in ["fe80::1%eth1", "fe80::1%", "%eth0", "10.0.0.1%eth0", "[fe80::1%eth0", "fe80::1%eth0]x"]
        {
            assert_eq!(read(wrong), None, "{wrong}");
        }
        for wrong in ["", "bob", "1.2.3", "1.2.3.4:0", "1.2.3.4:x", "1.2.3.4:70000", "localhostx", "[::1"] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn names_are_checked() {
        let mut people = People::default();
        let (bob, other) = (at(([1, 1, 1, 1], 0).into(), 1), at(([1, 1, 1, 1], 0).into(), 2));
        people.meet(bob, Duration::ZERO).name = Some("bob".into());
        for wrong in
            ["", "all", "7up", "a b", "a\u{202e}b", "10.0.0.1", "localhost", "x\x1b", &"n".repeat(33)]
        {
            assert!(people.check_name(other, wrong).is_err(), "{wrong}");
        }
        assert!(people.check_name(other, "bob").is_err());
        assert!(people.check_name(bob, "bob").is_ok());
        assert!(people.check_name(other, "Zoë-2").is_ok());
    }

    #[test]
    fn an_address_without_a_port_is_the_one_that_is_known() {
        let mut people = People::default();
        let at = |port: u16| SocketAddr::from(([10, 0, 0, 1], port));
        assert_eq!(people.find("10.0.0.1", eth0), Ok(at(7890)));
        people.meet(at(5), Duration::from_secs(1));
        assert_eq!(people.find("10.0.0.1", eth0), Ok(at(5)));
        people.meet(at(6), Duration::from_secs(2));
        assert_eq!(people.find("10.0.0.1", eth0), Ok(at(6)));
        people.meet(at(5), Duration::from_secs(3)).deaf = true;
        assert_eq!(people.find("10.0.0.1", eth0), Ok(at(6)));
        people.meet(at(6), Duration::from_secs(4)).deaf = true;
        assert_eq!(people.find("10.0.0.1", eth0), Ok(at(7890)));
        people.meet(at(7890), Duration::ZERO);
        people.meet(at(8), Duration::from_secs(5));
        assert_eq!(people.find("10.0.0.1", eth0), Ok(at(7890)));
        assert!(people.find("bob", eth0).unwrap_err().contains("nobody is called bob"));
    }

    #[test]
    fn an_address_with_an_interface_is_another_one() {
        let mut people = People::default();
        people.meet("[fe80::1%4]:5".parse().unwrap(), Duration::ZERO);
        assert_eq!(people.find("fe80::1%3", eth0).unwrap().to_string(), "[fe80::1%3]:7890");
        assert_eq!(people.find("fe80::1%4", eth0).unwrap().to_string(), "[fe80::1%4]:5");
        assert_eq!(people.find("fe80::1", eth0).unwrap().to_string(), "[fe80::1%4]:5");
    }

    #[test]
    fn an_address_is_ignored_with_all_its_ports() {
        let mut people = People::default();
        let at = |port: u16| SocketAddr::from(([10, 0, 0, 1], port));
        people.meet(at(5), Duration::ZERO).ignored = true;
        assert!(people.ignores(at(5)) && !people.ignores(at(6)));
        assert!(people.ignore(at(0)));
        assert!(people.ignores(at(6)) && !people.ignores(([10, 0, 0, 2], 6).into()));
        assert!(!people.ignore(at(0)));
        assert!(!people.ignores(at(5)) && !people.ignores(at(6)));
    }

    #[test]
    fn the_quietest_stranger_goes_first() {
        let mut people = People::default();
        let peer = |port| SocketAddr::from(([10, 0, 0, 1], port));
        people.meet(peer(1), Duration::from_secs(1)).name = Some("friend".into());
        people.meet(peer(2), Duration::from_secs(2)).ignored = true;
        for port in 3..=u16::try_from(PEOPLE_MAX).unwrap() {
            people.meet(peer(port), Duration::from_secs(port.into()));
        }
        people.meet(peer(3), Duration::from_secs(900));
        assert!(people.make_room(peer(1000)).is_some());
        assert!(people.make_room(peer(3)).is_none());
        people.meet(peer(1000), Duration::from_secs(1000));
        assert!(people.get_mut(peer(4)).is_none());
        assert_eq!(people.all().len(), PEOPLE_MAX);
    }
}

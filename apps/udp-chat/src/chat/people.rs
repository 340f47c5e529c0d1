//! Who takes part. A peer is an address; a name is what this user calls it.
//!
//! At most [`PEOPLE_MAX`] are remembered. Whoever writes is remembered, so anybody can fill the table: then the one that has
//! been quiet longest goes, strangers before people who were added or are ignored.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use super::allowance::{Allowance, RateLimit};

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
    /// Nothing from it is shown or saved.
    pub ignored: bool,
    /// Its messages end with a newline.
    pub newline: bool,
    /// What it may still send.
    pub allowance: Allowance,
    /// Datagrams over its rate limit that have not been reported yet.
    pub suppressed: u64,
    /// Unsupported frames that have not been reported yet.
    pub frames: u64,
    /// When it last wrote or was written to.
    active: Duration,
}

impl Peer {
    fn is_stranger(&self) -> bool {
        self.name.is_none() && !self.ignored
    }
}

/// All of them.
#[derive(Debug, Default)]
pub struct People(HashMap<SocketAddr, Peer>);

impl People {
    /// The peer with this address, remembered from now on. If another had to go for it, that one is given back.
    pub fn meet(
        &mut self,
        address: SocketAddr,
        limit: Option<RateLimit>,
        now: Duration,
    ) -> (&mut Peer, Option<(SocketAddr, Peer)>) {
        let gone = if self.0.len() >= PEOPLE_MAX && !self.0.contains_key(&address) {
            self.quietest().and_then(|quietest| self.0.remove_entry(&quietest))
        } else {
            None
        };
        let peer = self.0.entry(address).or_insert_with(|| Peer {
            name: None,
            last_seen: None,
            sent: 0,
            received: 0,
            refused: 0,
            ignored: false,
            newline: false,
            allowance: Allowance::full(limit, now),
            suppressed: 0,
            frames: 0,
            active: now,
        });
        peer.active = now;
        (peer, gone)
    }

    fn quietest(&self) -> Option<SocketAddr> {
        let quietest = self.0.iter().min_by_key(|(_, peer)| (!peer.is_stranger(), peer.active));
        quietest.map(|(address, _)| *address)
    }

    /// The peer with this address, if it is remembered.
    pub fn get_mut(&mut self, address: SocketAddr) -> Option<&mut Peer> {
        self.0.get_mut(&address)
    }

    /// The name of an address, if it has one.
    #[must_use]
    pub fn name(&self, address: SocketAddr) -> Option<&str> {
        self.0.get(&address)?.name.as_deref()
    }

    /// How the user is told about it: by its name, else by its address.
    #[must_use]
    pub fn called(&self, address: SocketAddr) -> String {
        self.name(address).map_or_else(|| address.to_string(), str::to_owned)
    }

    /// Everybody, in the order of their addresses.
    #[must_use]
    pub fn all(&self) -> Vec<(SocketAddr, &Peer)> {
        let mut all: Vec<_> = self.0.iter().map(|(address, peer)| (*address, peer)).collect();
        all.sort_by_key(|(address, _)| *address);
        all
    }

    /// Everybody that has something unreported: suppressed datagrams or frames.
    pub fn unreported(&mut self) -> impl Iterator<Item = (SocketAddr, &mut Peer)> {
        self.0
            .iter_mut()
            .filter(|(_, peer)| peer.suppressed + peer.frames > 0)
            .map(|(address, peer)| (*address, peer))
    }

    /// Whom the user means: a name, or an address. An address without a port is the one peer that is known there, else
    /// port 7890.
    ///
    /// # Errors
    /// One line for the user.
    pub fn find(&self, who: &str) -> Result<SocketAddr, String> {
        if let Some((address, _)) = self.0.iter().find(|(_, peer)| peer.name.as_deref() == Some(who)) {
            return Ok(*address);
        }
        let Some((ip, port)) = address(who) else {
            return Err(format!(
                "nobody is called {who}: /peers lists who is known, /add IP[:PORT] NAME adds"
            ));
        };
        if let Some(port) = port {
            return Ok(at(ip, port));
        }
        let mut there = self.0.keys().filter(|address| address.ip() == ip.ip());
        match (there.next(), there.next()) {
            (Some(only), None) => Ok(*only),
            _ => Ok(at(ip, DEFAULT_PORT)),
        }
    }

    /// Gives an address a name.
    ///
    /// # Errors
    /// It is no name, or somebody else's.
    pub fn check_name(&self, address: SocketAddr, name: &str) -> Result<(), String> {
        let fits = name.chars().count() <= NAME_MAX
            && name.starts_with(char::is_alphabetic)
            && name.chars().all(|c| c.is_alphanumeric() || "-_.".contains(c));
        if !fits || name == "all" || self::address(name).is_some() {
            return Err(format!(
                "{name} is no name: a letter, then letters, digits, - _ or . ({NAME_MAX} at most, and not \"all\")"
            ));
        }
        match self.0.iter().find(|(other, peer)| **other != address && peer.name.as_deref() == Some(name)) {
            Some((other, _)) => Err(format!("{name} is {other} already")),
            None => Ok(()),
        }
    }
}

/// `IP`, `IP:PORT`, `[IPv6]:PORT` or `localhost[:PORT]`; the port of the first part is 0.
#[must_use]
pub fn address(text: &str) -> Option<(SocketAddr, Option<u16>)> {
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

    #[test]
    fn addresses_as_people_write_them() {
        let read = |text| address(text).map(|(ip, port)| (ip.ip().to_string(), port));
        assert_eq!(read("192.168.1.5"), Some(("192.168.1.5".into(), None)));
        assert_eq!(read("192.168.1.5:7"), Some(("192.168.1.5".into(), Some(7))));
        assert_eq!(read("::1"), Some(("::1".into(), None)));
        assert_eq!(read("[::1]"), Some(("::1".into(), None)));
        assert_eq!(read("[::1]:7"), Some(("::1".into(), Some(7))));
        assert_eq!(read("::ffff:10.0.0.1"), Some(("10.0.0.1".into(), None)));
        assert_eq!(read("localhost:7"), Some(("127.0.0.1".into(), Some(7))));
        assert_eq!(address("[fe80::1%4]:7").unwrap().0.to_string(), "[fe80::1%4]:0");
        assert_eq!(address("fe80::1%4").unwrap().0.to_string(), "[fe80::1%4]:0");
        for wrong in ["", "bob", "1.2.3", "1.2.3.4:0", "1.2.3.4:x", "1.2.3.4:70000", "localhostx", "[::1"] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn names_are_checked() {
        let mut people = People::default();
        let (bob, other) = (at(([1, 1, 1, 1], 0).into(), 1), at(([1, 1, 1, 1], 0).into(), 2));
        people.meet(bob, None, Duration::ZERO).0.name = Some("bob".into());
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
        let one = "10.0.0.1:5".parse().unwrap();
        assert_eq!(people.find("10.0.0.1"), Ok("10.0.0.1:7890".parse().unwrap()));
        people.meet(one, None, Duration::ZERO);
        assert_eq!(people.find("10.0.0.1"), Ok(one));
        people.meet("10.0.0.1:6".parse().unwrap(), None, Duration::ZERO);
        assert_eq!(people.find("10.0.0.1"), Ok("10.0.0.1:7890".parse().unwrap()));
        assert!(people.find("bob").unwrap_err().contains("nobody is called bob"));
    }

    #[test]
    fn the_quietest_stranger_goes_first() {
        let mut people = People::default();
        let peer = |port| SocketAddr::from(([10, 0, 0, 1], port));
        people.meet(peer(1), None, Duration::from_secs(1)).0.name = Some("friend".into());
        people.meet(peer(2), None, Duration::from_secs(2)).0.ignored = true;
        for port in 3..=u16::try_from(PEOPLE_MAX).unwrap() {
            people.meet(peer(port), None, Duration::from_secs(port.into()));
        }
        people.meet(peer(3), None, Duration::from_secs(900));
        let (_, gone) = people.meet(peer(1000), None, Duration::from_secs(1000));
        assert_eq!(gone.unwrap().0, peer(4));
        assert_eq!(people.all().len(), PEOPLE_MAX);
    }
}

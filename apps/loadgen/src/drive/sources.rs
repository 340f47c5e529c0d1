//! The local addresses that connections leave from.
//!
//! Two addresses have some 28,000 ports between them, and a closed connection blocks its port for a minute. On
//! loopback every 127.x.y.z is ours, so a load with many connections takes several of them in turn; elsewhere this
//! machine has the addresses that it has.

use std::fs;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use crate::plan::Load;

/// How many addresses are taken in turn where nobody says how many: 127.0.0.1 to 127.0.0.32.
const ADDRESSES: u32 = 32;
/// The most that may be asked for: 127.0.0.1 to 127.0.0.250.
pub const ADDRESSES_MAX: u64 = 250;
/// The usual number of local ports, where the kernel does not tell.
const PORTS: u64 = 28_232;

/// Takes the addresses in turn, or leaves the choice to the kernel.
#[derive(Debug, Clone)]
pub struct Sources {
    /// How many; 0: the kernel chooses.
    addresses: u32,
    next: u32,
}

impl Sources {
    /// For a load on `target`; `first` differs from thread to thread, so that they do not march in step.
    #[must_use]
    pub fn new(target: SocketAddr, load: &Load, first: usize) -> Self {
        Self { addresses: addresses(target, load, ports()), next: first as u32 }
    }

    /// The address for the next connection.
    pub fn take(&mut self) -> Option<Ipv4Addr> {
        if self.addresses == 0 {
            return None;
        }
        self.next = self.next.wrapping_add(1);
        Some(Ipv4Addr::from(Ipv4Addr::LOCALHOST.to_bits() + self.next % self.addresses))
    }
}

/// How many addresses a load on `target` leaves from; 0: the one that the kernel chooses.
fn addresses(target: SocketAddr, load: &Load, ports: u64) -> u32 {
    if !has_many(target) {
        return 0;
    }
    // some ports are always taken by others
    let few = load.all_connections() as u64 <= ports / 10 * 7;
    match load.sources {
        Some(asked) => u32::try_from(asked).unwrap_or(ADDRESSES),
        None if load.churns() || !few => ADDRESSES,
        None => 0,
    }
}

/// Whether this machine has many addresses towards it.
fn has_many(target: SocketAddr) -> bool {
    matches!(target.ip(), IpAddr::V4(address) if address.is_loopback())
}

/// Local ports that one address has for connections to one server, as the kernel is set up.
#[must_use]
pub fn ports() -> u64 {
    let range = fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range").unwrap_or_default();
    let mut ends = range.split_whitespace().filter_map(|end| end.parse::<u64>().ok());
    match (ends.next(), ends.next()) {
        (Some(first), Some(last)) => (last + 1).saturating_sub(first),
        _ => PORTS,
    }
}

/// Why a load cannot have enough local ports towards `target`, and what to do; `None`: it can.
#[must_use]
pub fn too_few(target: SocketAddr, load: &Load, ports: u64) -> Option<String> {
    let addresses = u64::from(addresses(target, load, ports).max(1));
    let wanted = load.all_connections() as u64;
    let has = addresses * ports;
    (wanted > has).then(|| {
        let advice = if has_many(target) { "leave out --sources or raise it" } else { "use fewer connections" };
        format!(
            "{wanted} connections need as many local ports, and towards {target} this machine has {has} \
             (net.ipv4.ip_local_port_range, {addresses} of its addresses): {advice}, or widen the range with sysctl"
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;
    use std::time::Duration;

    use crate::ping::Protocol;
    use crate::plan::{Arrivals, Bystanders, Stop};

    fn load(connections: usize, reconnect: Option<u64>, sources: Option<usize>) -> Load {
        Load {
            connections,
            stop: Stop::Requests(1),
            threads: 1,
            size: 64,
            depth: 1,
            protocol: Protocol::Pattern,
            warmup: Duration::ZERO,
            reconnect,
            timeout: Duration::from_secs(1),
            arrivals: Arrivals::AfterReply,
            bystanders: Bystanders::default(),
            ramp: None,
            sources,
            interval: Duration::from_secs(1),
        }
    }

    fn taken(target: &str, load: &Load) -> BTreeSet<Ipv4Addr> {
        let mut sources = Sources::new(target.parse().unwrap(), load, 7);
        (0..300).filter_map(|_| sources.take()).collect()
    }

    #[test]
    fn many_loopback_connections_leave_from_32_addresses() {
        for load in [load(50, Some(1), None), load(60_000, None, None)] {
            let taken = taken("127.0.0.1:80", &load);
            assert_eq!(taken.len(), 32);
            assert_eq!(taken.first(), Some(&Ipv4Addr::new(127, 0, 0, 1)));
            assert_eq!(taken.last(), Some(&Ipv4Addr::new(127, 0, 0, 32)));
        }
        assert_eq!(taken("127.0.0.1:80", &load(50, None, Some(3))).len(), 3);
    }

    #[test]
    fn everything_else_is_left_to_the_kernel() {
        assert!(taken("127.0.0.1:80", &load(50, None, None)).is_empty());
        assert!(taken("192.0.2.1:80", &load(50, Some(1), None)).is_empty());
        assert!(taken("[::1]:80", &load(60_000, None, Some(3))).is_empty());
    }

    #[test]
    fn a_load_that_has_too_few_ports_is_told_before_it_begins() {
        let why = |target: &str, load: &Load| too_few(target.parse().unwrap(), load, 28_000);
        assert_eq!(why("127.0.0.1:80", &load(60_000, None, None)), None);
        assert_eq!(why("127.0.0.1:80", &load(60_000, None, Some(3))), None);
        assert!(why("127.0.0.1:80", &load(60_000, None, Some(2))).unwrap().contains("--sources"));
        assert!(why("192.0.2.1:80", &load(60_000, None, None)).unwrap().contains("fewer connections"));
        assert!(why("[::1]:80", &load(28_001, None, None)).is_some());
    }
}

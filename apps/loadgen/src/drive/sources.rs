//! The local addresses that connections leave from.
//!
//! Two addresses have some 28,000 ports between them, and a closed connection blocks its port for a minute. On
//! loopback every 127.x.y.z is ours, so a load with many connections takes them in turn.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

/// How many addresses are taken in turn: 127.0.0.1 to 127.0.0.32.
const ADDRESSES: u32 = 32;
/// So many connections that are kept need no help.
const FEW: usize = 20_000;

/// Takes the addresses in turn, or leaves the choice to the kernel.
#[derive(Debug, Clone)]
pub struct Sources {
    rotate: bool,
    next: u32,
}

impl Sources {
    /// For a load on `target`; `first` differs from thread to thread, so that they do not march in step.
    #[must_use]
    pub fn new(target: SocketAddr, churns: bool, connections: usize, first: usize) -> Self {
        let loopback = matches!(target.ip(), IpAddr::V4(address) if address.is_loopback());
        Self { rotate: loopback && (churns || connections > FEW), next: first as u32 }
    }

    /// The address for the next connection.
    pub fn take(&mut self) -> Option<Ipv4Addr> {
        if !self.rotate {
            return None;
        }
        self.next = self.next.wrapping_add(1);
        Some(Ipv4Addr::from(Ipv4Addr::LOCALHOST.to_bits() + self.next % ADDRESSES))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn many_loopback_connections_leave_from_32_addresses() {
        let mut sources = Sources::new("127.0.0.1:80".parse().unwrap(), true, 50, 7);
        let taken: BTreeSet<Ipv4Addr> = (0..100).filter_map(|_| sources.take()).collect();
        assert_eq!(taken.len(), 32);
        assert_eq!(taken.first(), Some(&Ipv4Addr::new(127, 0, 0, 1)));
        assert_eq!(taken.last(), Some(&Ipv4Addr::new(127, 0, 0, 32)));
    }

    #[test]
    fn everything_else_is_left_to_the_kernel() {
        assert_eq!(Sources::new("127.0.0.1:80".parse().unwrap(), false, 50, 0).take(), None);
        assert_eq!(Sources::new("192.0.2.1:80".parse().unwrap(), true, 50, 0).take(), None);
        assert_eq!(Sources::new("[::1]:80".parse().unwrap(), true, 50, 0).take(), None);
    }
}

//! Network interfaces: their names, and the advice for addresses that do not fit them.
//!
//! A link-local IPv6 address means something only together with an interface. The system counts interfaces, people name
//! them.

use std::io;
use std::net::SocketAddr;

use nix::errno::Errno;
use nix::net::if_::{if_indextoname, if_nametoindex};

/// The number of this interface.
#[must_use]
pub fn number(name: &str) -> Option<u32> {
    if_nametoindex(name).ok()
}

/// An address with the name of its interface, as it may be typed.
#[must_use]
pub fn with_name(address: SocketAddr) -> String {
    if let SocketAddr::V6(v6) = address
        && v6.scope_id() > 0
        && let Ok(name) = if_indextoname(v6.scope_id())
        && let Ok(name) = name.to_str()
    {
        return format!("[{}%{name}]:{}", v6.ip(), v6.port());
    }
    address.to_string()
}

/// Why nothing can be sent to this address from that one, and what to do about it.
#[must_use]
pub fn cannot_send(error: &io::Error, to: SocketAddr, own: Option<SocketAddr>) -> String {
    let Some(errno) = error.raw_os_error() else { return error.to_string() };
    let other_family = own.is_some_and(|own| !own.ip().is_unspecified() && own.is_ipv4() != to.is_ipv4());
    let advice = match errno {
        libc::EMSGSIZE => return "too long for one datagram: a smaller --max-datagram splits it".into(),
        _ if lacks_interface(to) => ": this address needs an interface, for example fe80::1%eth0",
        libc::EACCES | libc::EPERM => {
            ": a broadcast address? A message goes to one host (or a firewall forbids it)"
        }
        libc::EAFNOSUPPORT | libc::EINVAL | libc::ENETUNREACH | libc::EADDRNOTAVAIL if other_family => {
            ": --bind has bound this chat to the other of IPv4 and IPv6"
        }
        _ => "",
    };
    format!("{}{advice}", Errno::from_raw(errno).desc().to_lowercase())
}

/// Whether this address means nothing without an interface.
#[must_use]
pub fn lacks_interface(address: SocketAddr) -> bool {
    matches!(address, SocketAddr::V6(v6) if v6.ip().is_unicast_link_local() && v6.scope_id() == 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn interfaces_have_names() {
        let loopback = number("lo").unwrap();
        let address: SocketAddr = format!("[fe80::1%{loopback}]:7").parse().unwrap();
        assert_eq!(with_name(address), "[fe80::1%lo]:7");
        assert_eq!(with_name("[::1]:7".parse().unwrap()), "[::1]:7");
        assert_eq!(number("no such one"), None);
    }

    #[test]
    fn advice_fits() {
        let because = |errno, to: &str, own: &str| {
            let error = io::Error::from_raw_os_error(errno);
            cannot_send(&error, to.parse().unwrap(), own.parse().ok())
        };
        assert!(because(libc::EINVAL, "[fe80::1]:7", "[::]:7").contains("fe80::1%eth0"));
        assert!(because(libc::EACCES, "10.0.0.255:7", "[::]:7").contains("broadcast"));
        assert!(because(libc::EAFNOSUPPORT, "[::1]:7", "127.0.0.1:7").contains("--bind"));
        assert_eq!(because(libc::ENETUNREACH, "10.0.0.1:7", "[::]:7"), "network is unreachable");
    }
}

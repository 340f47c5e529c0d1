//! E14: the same backlog for all models. A model with a shorter one would lose a comparison for a reason that is not
//! its own.

use std::net::TcpStream;
use std::time::Duration;

use nix::sys::signal::Signal;

use tcp_echo::about::Listeners;

use crate::server::Start;
use crate::variants::{ALL, Variant};

#[test]
fn all_models_have_the_same_backlog() {
    for variant in ALL {
        let n = connects_while_frozen(*variant);
        // Linux completes one more than was asked for; where each worker has a listener of its own, the first that is full
        // ends the count
        let most = match variant.needs().listeners {
            Listeners::One => 17,
            Listeners::Reuseport(count) => 17 * count,
        };
        assert!((17..=most).contains(&n), "{}: {n}", variant.name);
    }
}

/// How many connections the kernel completes while nobody accepts.
fn connects_while_frozen(variant: Variant) -> usize {
    let server = Start::new(variant).with("--backlog 16").go();
    server.freeze();
    let mut connected = Vec::new();
    // the one that is too many is not refused: its request is dropped, and sent again after a second
    while let Ok(stream) = TcpStream::connect_timeout(&server.address, Duration::from_millis(300)) {
        connected.push(stream);
        assert!(connected.len() < 1_000, "{}: no end of the backlog", variant.name);
    }
    let n = connected.len();
    drop(connected);
    server.thaw();
    server.signal(Signal::SIGTERM);
    assert_eq!(server.end().code(), 0);
    n
}

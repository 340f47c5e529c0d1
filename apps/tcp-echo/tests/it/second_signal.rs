//! E3 and E4: a second signal, Ctrl-C to the whole process group, and `kill -9`.

use std::net::TcpListener;
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use crate::client::{Client, Pattern};
use crate::inspect::assert_gone;
use crate::server::{LONG, Server, eventually};
use crate::variants::Variant;

on_every_variant! {
    the_second_signal_ends_it_at_once,
    control_c_drains_and_does_not_cut,
    no_child_outlives_a_killed_parent,
}

fn the_second_signal_ends_it_at_once(variant: Variant) {
    for (signal, code) in [(Signal::SIGTERM, 143), (Signal::SIGINT, 130)] {
        let server = Server::start(variant, "--drain-idle 10s --faults");
        // one place is for the one that hangs
        let mut clients: Vec<Client> = (1..variant.at_a_time(6)).map(|_| Client::of(&server)).collect();
        clients.iter_mut().for_each(|client| client.expect_echo(b"hello"));
        // a handler that does not react must not matter
        let mut hung = Client::of(&server);
        hung.send(b"!hang\n");
        server.signal(Signal::SIGTERM);
        server.assert_refuses(LONG);
        let signalled = Instant::now();
        server.signal(signal);
        let outcome = server.end();
        assert_eq!(outcome.code(), code, "{outcome:?}");
        // the promise is 250 ms; this machine may be busy with other tests
        assert!(signalled.elapsed() < Duration::from_secs(1), "{}: {:?}", variant.name, signalled.elapsed());
        clients.iter_mut().for_each(Client::expect_over);
    }
}

/// A terminal sends SIGINT to the server and all its children. They are in the middle of something.
fn control_c_drains_and_does_not_cut(variant: Variant) {
    let server = Server::start(variant, "--drain-idle 1s");
    let together = variant.at_a_time(4);
    let mut clients: Vec<Client> = (0..together).map(|_| Client::of(&server)).collect();
    thread::scope(|scope| {
        for client in &mut clients {
            scope.spawn(|| {
                client.stream_through(3_000_000, &[10_000], &[Duration::from_micros(500)], true);
            });
        }
        thread::sleep(Duration::from_millis(30));
        server.signal_group(Signal::SIGINT);
    });
    let outcome = server.end();
    assert_eq!(outcome.code(), 0, "{outcome:?}");
    assert_eq!(outcome.stat("bytes"), 3_000_000 * together as u64, "{}", variant.name);
}

fn no_child_outlives_a_killed_parent(variant: Variant) {
    let server = Server::start(variant, "");
    let together = variant.at_a_time(5);
    let mut clients: Vec<Client> = (0..together).map(|_| Client::of(&server)).collect();
    clients.iter_mut().for_each(|client| client.expect_echo(&Pattern::new(1).take(1000)));
    let children = server.children();
    assert!(!variant.isolates_crashes() || children.len() >= together, "{}: {children:?}", variant.name);
    let address = server.address;
    server.signal(Signal::SIGKILL);
    assert_gone(&children, Duration::from_secs(1));
    let bound = eventually(Duration::from_secs(1), || TcpListener::bind(address).is_ok());
    assert!(bound, "{}: the port is still taken", variant.name);
    clients.iter_mut().for_each(Client::expect_over);
    assert_eq!(server.end().code(), 137);
}

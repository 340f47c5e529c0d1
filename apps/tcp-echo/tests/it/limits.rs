//! E9 and E12: how many are let in, and from where.

use std::net::TcpStream;
use std::time::Duration;

use crate::client::Client;
use crate::server::{Server, Start, program};
use crate::tools::has_ipv6;
use crate::variants::{Variant, named};

on_every_variant! { at_the_limit_the_next_one_waits, a_seat_comes_with_all_that_it_takes, it_listens_on_loopback_only }

fn at_the_limit_the_next_one_waits(variant: Variant) {
    if !variant.serves_two_for_sure() {
        return; // with one seat it is the next test
    }
    let server = Server::start(variant, "--max-conns 2");
    let mut first = Client::of(&server);
    let mut second = Client::of(&server);
    first.expect_echo(b"first");
    second.expect_echo(b"second");
    for _ in 0..5 {
        let mut third = Client::of(&server);
        third.send(b"third");
        assert!(!third.hears_within(Duration::from_millis(200)), "{}: three at a time", variant.name);
        second.expect_echo_then_end(b"goodbye");
        third.expect(b"third");
        second = third;
    }
    drop((first, second));
    assert_eq!(server.stop().stat("max_active"), 2, "{}", variant.name);
}

/// Whoever gets the seat of a client that has just left also gets what that one used.
fn a_seat_comes_with_all_that_it_takes(variant: Variant) {
    let server = Server::start(variant, "--max-conns 1");
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..150 {
                    Client::of(&server).expect_echo_then_end(b"my turn");
                }
            });
        }
    });
    assert_eq!(server.stop().stat("max_active"), 1, "{}", variant.name);
}

fn it_listens_on_loopback_only(variant: Variant) {
    let server = Start::new(variant).go();
    assert_eq!(server.address.ip().to_string(), "127.0.0.1", "{}", variant.name);
    // 127.0.0.2 stands for every other address of this machine
    let elsewhere = TcpStream::connect(("127.0.0.2", server.address.port()));
    assert!(elsewhere.is_err(), "{}: listens on more than it says", variant.name);
    server.stop();
}

#[test]
fn another_address_is_bound_when_asked_for() {
    let addresses = ["0.0.0.0", "127.0.0.2", "::1"];
    for bind in addresses.into_iter().filter(|address| *address != "::1" || has_ipv6()) {
        let server = Start::new(named("thread")).with(&format!("--bind {bind}")).cold().go();
        assert_eq!(server.address.ip().to_string(), bind);
        if bind != "0.0.0.0" {
            Client::of(&server).expect_echo_then_end(b"here");
        }
        server.signal(nix::sys::signal::Signal::SIGTERM);
        assert_eq!(server.end().code(), 0);
    }
}

#[test]
fn a_limit_that_does_not_fit_is_refused_at_the_start() {
    let output = program().args(["--port", "0", "--max-conns", "100m"]).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    let message = String::from_utf8(output.stderr).unwrap();
    assert!(message.starts_with("error: --max-conns 100,000,000 does not fit"), "{message}");
    assert!(message.contains("ulimit -n"), "{message}");
}

/// Each worker process costs the server a descriptor: what cannot be is said before the ready line.
#[test]
fn workers_that_do_not_fit_the_descriptors_are_refused() {
    let program = env!("CARGO_BIN_EXE_tcp-echo");
    let script = format!("ulimit -n 150; exec {program} --port 0 --mode pool --of processes --workers 200");
    let refused = std::process::Command::new("sh").args(["-c", &script]).output().unwrap();
    assert_eq!((refused.status.code(), refused.stdout.len()), (Some(2), 0));
    let message = String::from_utf8(refused.stderr).unwrap();
    assert!(message.starts_with("error: the limit on open descriptors"), "{message}");
}

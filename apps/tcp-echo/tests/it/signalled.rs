//! SIGUSR1 shows the statistics on stderr, and does nothing else.

use std::time::Duration;

use nix::sys::signal::Signal;
use serde_json::Value;

use crate::client::Client;
use crate::inspect::Process;
use crate::server::{LONG, Server, eventually};
use crate::variants::Variant;

on_every_variant! {
    the_statistics_are_shown_when_asked_for,
    nobody_in_the_group_dies_of_it,
    it_does_not_end_a_drain,
}

/// Nobody who asks waits longer than this, also while nobody connects.
const SOON: Duration = Duration::from_secs(5);

/// What the log shows, once it is complete.
fn shown(log: &str) -> Option<Value> {
    let (from, to) = (log.find('{')?, log.rfind('}')?);
    serde_json::from_str(log.get(from..=to)?).ok()
}

fn await_statistics(server: &Server) -> Value {
    let mut statistics = None;
    let came = eventually(SOON, || {
        statistics = shown(&server.log());
        statistics.is_some()
    });
    assert!(came, "{}: no statistics on stderr\n{}", server.name(), server.log());
    statistics.unwrap()
}

fn the_statistics_are_shown_when_asked_for(variant: Variant) {
    let server = Server::start(variant, "");
    server.assert_at_rest();
    let mut client = Client::of(&server);
    client.expect_echo(b"before");
    server.signal(Signal::SIGUSR1);
    let statistics = await_statistics(&server);
    // the one that warmed the server up may just be leaving
    let active = statistics["active"].as_u64().unwrap();
    assert!((1..=2).contains(&active), "{}: {statistics}", variant.name);
    assert_eq!(statistics["connections"], 2, "{}: {statistics}", variant.name);
    assert_eq!(statistics["pid"], server.pid, "{}: {statistics}", variant.name);
    let workers = statistics["workers"].as_array().unwrap();
    assert_eq!(workers.len(), variant.needs().workers, "{}: {statistics}", variant.name);
    client.expect_echo(b"after");
    drop(client);
    let outcome = server.stop();
    // what is written at the end has the same form
    let keys = |of: &Value| of.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    assert_eq!(keys(&statistics), keys(&outcome.stats), "{}", variant.name);
    assert_eq!(outcome.stat("bytes"), 11, "{}", variant.name);
}

/// A signal by the name of the program or to its group reaches children and workers as well.
fn nobody_in_the_group_dies_of_it(variant: Variant) {
    let server = Server::start(variant, "");
    let mut clients: Vec<Client> = (0..variant.at_a_time(3)).map(|_| Client::of(&server)).collect();
    clients.iter_mut().for_each(|client| client.expect_echo(b"before"));
    let children = server.children();
    for _ in 0..10 {
        server.signal_group(Signal::SIGUSR1);
        clients.iter_mut().for_each(|client| client.expect_echo(b"unharmed"));
    }
    assert!(children.iter().all(Process::lives), "{}: {children:?}", variant.name);
    assert!(eventually(SOON, || server.log().contains("\"active\"")), "{}", server.log());
    drop(clients);
    let outcome = server.stop();
    assert_eq!((outcome.stat("errors.crash"), outcome.stat("errors.broken")), (0, 0), "{}", outcome.stats);
}

/// It is no second stop signal.
fn it_does_not_end_a_drain(variant: Variant) {
    let server = Server::start(variant, "--drain-idle 20s --drain-timeout 30s");
    let mut client = Client::of(&server);
    client.expect_echo(b"before");
    server.signal(Signal::SIGTERM);
    server.assert_refuses(LONG);
    for _ in 0..3 {
        server.signal_group(Signal::SIGUSR1);
        client.expect_echo(b"still here");
    }
    drop(client);
    let outcome = server.end();
    assert_eq!((outcome.code(), outcome.stat("cut")), (0, 0), "{outcome:?}");
}

/// A server that has just said that it is ready is ready for this as well, and a storm of signals is no harm.
#[test]
fn many_requests_are_no_harm() {
    for variant in crate::variants::ALL {
        let server = crate::server::Start::new(*variant).cold().go();
        for _ in 0..200 {
            server.signal(Signal::SIGUSR1);
        }
        let mut client = Client::of(&server);
        client.expect_echo_then_end(b"served");
        drop(client);
        server.signal(Signal::SIGTERM);
        assert_eq!(server.end().code(), 0, "{}", variant.name);
    }
}

//! Clients that break off, take nothing or say nothing: only they feel it.

use std::io::{ErrorKind, Write};
use std::time::{Duration, Instant};

use crate::client::{Client, Pattern};
use crate::inspect;
use crate::server::{LONG, Server, Start, eventually};
use crate::tools::uncrowded;
use crate::variants::Variant;

on_every_variant! {
    a_reset_in_mid_message,
    a_reset_before_it_is_accepted,
    a_client_that_takes_nothing,
    an_idle_client_gets_the_end,
    an_idle_client_keeps_its_unread_echo,
}

fn a_reset_in_mid_message(variant: Variant) {
    let server = Server::start(variant, "");
    let mut others: Vec<Client> = (1..variant.at_a_time(5)).map(|_| Client::of(&server)).collect();
    let message = Pattern::new(3).take(300_000);
    for round in 1..=40 {
        let mut rude = Client::of(&server);
        rude.send(&message[..round * 5_000]);
        assert!(rude.hears_within(LONG), "{}: no echo", variant.name);
        rude.reset();
        for other in &mut others {
            other.expect_echo(&message[..2_000]);
        }
    }
    drop(others);
    let outcome = server.stop();
    assert_eq!(outcome.stat("errors.broken"), 40, "{}: {}", variant.name, outcome.stats);
}

/// Linux accepts such a connection without an error; asking it for its peer is what fails.
fn a_reset_before_it_is_accepted(variant: Variant) {
    let server = Server::start(variant, "");
    server.freeze();
    for _ in 0..30 {
        Client::of(&server).reset();
    }
    server.thaw();
    Client::of(&server).expect_echo_then_end(b"still there");
    server.stop();
}

/// E10: the echo that it does not take stays in the kernel; the server's own memory does not grow with it.
fn a_client_that_takes_nothing(variant: Variant) {
    if !variant.serves_two_for_sure() {
        return; // it holds up whoever comes next
    }
    let server = Server::start(variant, "--write-timeout 1s");
    let mut other = Client::of(&server);
    let mut before = 0;
    let mut greedy = Vec::new();
    for n in 0..5 {
        let client = Client::of(&server);
        other.expect_echo(b"here I am");
        if n == 0 {
            // the first one pays for what a handler costs at all
            before = inspect::memory_of_tree(server.pid);
        }
        client.stream.set_nonblocking(true).unwrap();
        greedy.push(client);
    }
    let chunk = vec![b'x'; 1 << 16];
    let blocked = |client: &mut Client| loop {
        match client.stream.write(&chunk) {
            Ok(_) => {}
            Err(e) if e.kind() == ErrorKind::WouldBlock => return,
            Err(_) => return,
        }
    };
    let pushing = Instant::now();
    while pushing.elapsed() < Duration::from_millis(500) {
        greedy.iter_mut().for_each(blocked);
        other.expect_echo(b"not held up");
    }
    let grown = inspect::memory_of_tree(server.pid).saturating_sub(before);
    // 64 KiB of buffers each; a process of its own costs some more
    assert!(
        grown < 5 * 64 + 5 * 400 + variant.shared_buffers_kib(),
        "{}: {grown} KiB for five clients",
        variant.name
    );
    for client in &mut greedy {
        client.wait_for_end_unread();
        other.expect_echo(b"not held up");
    }
    drop((greedy, other));
    let outcome = server.stop();
    assert_eq!(outcome.stat("errors.stalled"), 5, "{}: {}", variant.name, outcome.stats);
}

fn an_idle_client_gets_the_end(variant: Variant) {
    let server = Server::start(variant, "--idle-timeout 300ms");
    let mut idle = Client::of(&server);
    idle.expect_echo(b"hello");
    let mut lively = variant.serves_two_for_sure().then(|| Client::of(&server));
    let started = Instant::now();
    while !idle.hears_within(Duration::from_millis(50)) {
        lively.iter_mut().for_each(|client| client.expect_echo(b"still talking"));
    }
    idle.expect_end();
    let waited = started.elapsed();
    assert!((Duration::from_millis(250)..LONG / 10).contains(&waited), "{}: {waited:?}", variant.name);
    lively.iter_mut().for_each(|client| client.expect_echo(b"after that, too"));
    drop((idle, lively));
    let outcome = server.stop();
    assert_eq!(outcome.stat("errors.idle"), 1, "{}: {}", variant.name, outcome.stats);
}

/// The lingering close: more of the echo is under way than the client has room for, and it sends once more when the
/// server has finished with it. Had the server closed, the kernel would answer that with a reset and throw away the echo.
fn an_idle_client_keeps_its_unread_echo(variant: Variant) {
    let server = Start::new(variant).with("--idle-timeout 300ms").with(uncrowded()).go();
    let message = Pattern::new(11).take(300_000);
    let mut client = Client::of(&server);
    client.send(&message);
    client.wait_for_end_behind_unread_bytes();
    client.send(b"one more");
    client.expect(&message);
    client.expect_end();
    drop(client);
    server.stop();
}

/// A finished client that neither reads nor leaves is not waited for without end.
#[test]
fn a_lingering_close_ends() {
    let server = Server::start(crate::variants::named("process_by_fork"), "--idle-timeout 200ms");
    let mut client = Client::of(&server);
    client.expect_echo(b"hello");
    assert!(eventually(LONG, || !server.children().is_empty()));
    client.wait_for_end_unread();
    // the client stays; the server lingers 2 s and lets go
    assert!(eventually(Duration::from_secs(5), || server.children().is_empty()), "lingers for ever");
    drop(client);
    server.stop();
}

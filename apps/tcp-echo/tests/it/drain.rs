//! E2: what a stop signal does to the connections that are there, that wait, and that come later.

use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use crate::client::{Client, Pattern};
use crate::server::{LONG, Server, Start};
use crate::tools::{needs, uncrowded};
use crate::variants::{Variant, named};

on_every_variant! {
    idle_clients_get_the_end,
    a_busy_client_may_go_on_and_nobody_is_let_in,
    clients_in_the_backlog_are_served,
    a_client_that_waits_for_a_seat_is_served,
    a_client_that_does_not_stop_is_cut,
    a_drained_client_keeps_its_unread_echo,
    a_handler_that_hangs_is_cut,
    nothing_to_drain,
}

fn idle_clients_get_the_end(variant: Variant) {
    let server = Server::start(variant, "--drain-idle 200ms");
    let mut clients: Vec<Client> = (0..variant.at_a_time(5)).map(|_| Client::of(&server)).collect();
    clients.iter_mut().for_each(|client| client.expect_echo(b"hello"));
    let signalled = Instant::now();
    server.signal(Signal::SIGTERM);
    clients.iter_mut().for_each(Client::expect_end);
    // the promise is 200 ms; by the default idle time-out it would be 300 s
    assert!(signalled.elapsed() < Duration::from_secs(2), "{}: {:?}", variant.name, signalled.elapsed());
    drop(clients);
    let outcome = server.end();
    assert_eq!(outcome.code(), 0, "{outcome:?}");
    assert_eq!(outcome.stat("cut"), 0);
    assert_eq!(outcome.stat("errors.idle"), 0, "{}: a drained client did nothing wrong", variant.name);
}

fn a_busy_client_may_go_on_and_nobody_is_let_in(variant: Variant) {
    let server = Server::start(variant, "--drain-idle 1s");
    let mut busy = Client::of(&server);
    busy.expect_echo(b"before");
    let signalled = Instant::now();
    server.signal(Signal::SIGINT);
    // the promise is 100 ms; the rest is for a machine that does other things as well
    server.assert_refuses(Duration::from_millis(600));
    while signalled.elapsed() < Duration::from_millis(1500) {
        busy.expect_echo(b"and on");
        thread::sleep(Duration::from_millis(20));
    }
    busy.expect_echo_then_end(&Pattern::new(5).take(100_000));
    let outcome = server.end();
    assert_eq!(outcome.code(), 0, "{outcome:?}");
}

/// The server is frozen, so the signal and the clients are there together when it goes on.
fn clients_in_the_backlog_are_served(variant: Variant) {
    let server = Server::start(variant, "");
    server.freeze();
    let mut clients: Vec<Client> = (0..50).map(|_| Client::of(&server)).collect();
    for client in &mut clients {
        client.send(b"I came in time");
        client.finish();
    }
    server.signal(Signal::SIGTERM);
    server.thaw();
    for client in &mut clients {
        client.expect(b"I came in time");
        client.expect_end();
    }
    let outcome = server.end();
    assert_eq!(outcome.code(), 0, "{outcome:?}");
    assert_eq!(outcome.stat("connections"), 51, "{}", variant.name);
}

/// Clients go on coming while the listener is being closed, which takes its time here: whoever is let in is served. (A second passes before
/// the last one of them knows that it was not let in.)
#[test]
fn nobody_is_let_in_and_then_thrown_out() {
    if !needs("strace") {
        return;
    }
    let slow_close = "strace -f -qq -o /dev/null -e trace=close -e inject=close:delay_enter=20000";
    let slow_close: Vec<&str> = slow_close.split(' ').collect();
    for name in ["thread", "process_by_fork"] {
        let server = Start::new(named(name)).under(&slow_close).cold().go();
        let mut let_in = Vec::new();
        // (far more than come in so short a time)
        for number in 0..2_000 {
            if number == 5 {
                server.signal(Signal::SIGTERM);
            }
            let Ok(mut client) = Client::try_of(&server) else { break };
            client.send(b"let in");
            let_in.push(client);
            thread::sleep(Duration::from_millis(1));
        }
        assert!((5..2_000).contains(&let_in.len()), "{name}: {}", let_in.len());
        for client in &mut let_in {
            client.expect(b"let in");
            client.expect_end();
        }
        drop(let_in);
        let outcome = server.end();
        assert_eq!((outcome.code(), outcome.stat("cut")), (0, 0), "{outcome:?}");
    }
}

/// At `--max-conns` the second client is in the backlog when the signal comes; it is served when the first leaves.
fn a_client_that_waits_for_a_seat_is_served(variant: Variant) {
    let server = Server::start(variant, "--max-conns 1 --drain-idle 5s");
    let mut first = Client::of(&server);
    first.expect_echo(b"first");
    let mut second = Client::of(&server);
    second.send(b"second");
    server.signal(Signal::SIGTERM);
    server.assert_refuses(LONG);
    first.expect_echo_then_end(b"goodbye");
    drop(first);
    second.expect(b"second");
    second.expect_echo_then_end(b"goodbye");
    let outcome = server.end();
    assert_eq!(outcome.code(), 0, "{outcome:?}");
}

fn a_client_that_does_not_stop_is_cut(variant: Variant) {
    let server = Server::start(variant, "--drain-timeout 500ms");
    let mut endless = Client::of(&server);
    endless.expect_echo(b"hello");
    let mut sender = endless.stream.try_clone().unwrap();
    let sending = thread::spawn(move || {
        while std::io::Write::write_all(&mut sender, b"and on").is_ok() {
            thread::sleep(Duration::from_millis(10));
        }
    });
    let signalled = Instant::now();
    server.signal(Signal::SIGTERM);
    endless.expect_over();
    let outcome = server.end();
    let took = signalled.elapsed();
    sending.join().unwrap();
    assert_eq!(outcome.code(), 3, "{outcome:?}");
    assert_eq!(outcome.stat("cut"), 1, "{}", variant.name);
    assert!(outcome.log.contains("1 connection cut"), "{}", outcome.log);
    assert!(
        (Duration::from_millis(450)..Duration::from_secs(3)).contains(&took),
        "{}: {took:?}",
        variant.name
    );
}

fn a_drained_client_keeps_its_unread_echo(variant: Variant) {
    let server = Start::new(variant).with("--drain-idle 200ms").with(uncrowded()).go();
    let message = Pattern::new(12).take(300_000);
    let mut client = Client::of(&server);
    client.send(&message);
    server.signal(Signal::SIGTERM);
    client.wait_for_end_behind_unread_bytes();
    client.send(b"one more");
    client.expect(&message);
    client.expect_end();
    drop(client);
    let outcome = server.end();
    assert_eq!(outcome.code(), 0, "{outcome:?}");
}

/// A handler that will never answer again must not hold up the end.
fn a_handler_that_hangs_is_cut(variant: Variant) {
    let server = Server::start(variant, "--faults --drain-timeout 300ms");
    let mut hung = Client::of(&server);
    hung.send(b"!hang\n");
    if variant.survives_a_hang() {
        Client::of(&server).expect_echo_then_end(b"not held up");
    }
    server.signal(Signal::SIGTERM);
    let outcome = server.end();
    assert_eq!(outcome.code(), 3, "{outcome:?}");
    assert_eq!(outcome.stat("cut"), 1, "{}", variant.name);
}

/// With nobody there it ends at once: no time limit is waited for. Twenty times, because a signal may come between a
/// check and the call that blocks.
fn nothing_to_drain(variant: Variant) {
    for _ in 0..20 {
        let server = Start::new(variant).cold().go();
        let signalled = Instant::now();
        server.signal(Signal::SIGTERM);
        let outcome = server.end();
        assert_eq!(outcome.code(), 0, "{outcome:?}");
        // the shortest limit that it could wait for is the 1 s of --drain-idle
        assert!(
            signalled.elapsed() < Duration::from_millis(900),
            "{}: {:?}",
            variant.name,
            signalled.elapsed()
        );
    }
}

/// The time for reading the rest is short, however patient a drain is with those who are silent.
#[test]
fn a_stop_does_not_make_lingering_longer() {
    for name in ["thread", "process_by_fork", "pool_of_processes"] {
        let server = Server::start(named(name), "--idle-timeout 100ms --drain-idle 20s --drain-timeout 20s");
        let mut client = Client::of(&server);
        // the end of the stream came, and we do not close: the server lingers
        client.expect_end();
        let asked = Instant::now();
        server.signal(Signal::SIGTERM);
        assert_eq!(server.end().code(), 0);
        assert!(asked.elapsed() < Duration::from_secs(8), "{name}: {:?}", asked.elapsed());
        drop(client);
    }
}

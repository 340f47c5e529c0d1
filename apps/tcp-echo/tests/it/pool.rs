//! E6 and E10, the promises of a pool: dead workers are replaced, what was on its way to them is not lost, and clients
//! that say nothing hold it up for a limited time.

use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::client::Client;
use crate::inspect;
use crate::server::{LONG, Server, Start, eventually};
use crate::variants::{ALL, Variant, named};

fn processes(workers: usize, options: &str) -> Server {
    Start::new(named("pool_of_processes")).room_for(workers).with(options).go()
}

fn pools() -> impl Iterator<Item = Variant> {
    ALL.iter().copied().filter(Variant::has_queue)
}

fn send(signal: Signal, to: i32) {
    kill(Pid::from_raw(to), signal).unwrap();
}

#[test]
fn a_dead_worker_is_replaced_at_once() {
    let server = processes(2, "");
    let old = server.children();
    send(Signal::SIGKILL, old[0].pid);
    let died = Instant::now();
    let fresh = || server.children().iter().any(|p| !old.contains(p) && p.state != 'Z');
    assert!(eventually(LONG, fresh));
    // the promise is 200 ms; the rest is for a busy machine
    assert!(died.elapsed() < Duration::from_millis(600), "{:?}", died.elapsed());
    let mut clients: Vec<Client> = (0..2).map(|_| Client::of(&server)).collect();
    clients.iter_mut().for_each(|client| client.expect_echo(b"two workers again"));
    drop(clients);
    assert_eq!(server.stop().stat("errors.crash"), 1);
}

/// Whatever the deaths, the pool comes back to its size; a growing wait keeps it from forking all the time.
#[test]
fn repeated_deaths_are_replaced_with_a_growing_wait() {
    let server = processes(1, "--faults");
    let started = Instant::now();
    for _ in 0..4 {
        let mut victim = Client::of(&server);
        victim.send(b"!abort\n");
        victim.expect_over();
    }
    let mut client = Client::of(&server);
    client.expect_echo_then_end(b"in the end");
    // at once, then after 100, 200 and 400 ms
    let took = started.elapsed();
    assert!((Duration::from_millis(650)..Duration::from_secs(5)).contains(&took), "{took:?}");
    drop(client);
    assert_eq!(server.stop().stat("errors.crash"), 4);
}

/// The workers stand still, so the connections lie in their mail when they are killed. The parent kept its copies.
#[test]
fn a_connection_that_a_dead_worker_had_not_taken_is_served_by_another() {
    let server = processes(3, "");
    let stopped = server.children();
    stopped.iter().for_each(|worker| send(Signal::SIGSTOP, worker.pid));
    assert!(eventually(LONG, || server.children().iter().all(|p| p.state == 'T')));
    let mut clients: Vec<Client> = (0..6).map(|_| Client::of(&server)).collect();
    for client in &mut clients {
        client.send(b"do not lose me");
        client.finish();
    }
    // handed over: the parent has accepted them all
    let at_rest = server.descriptors_at_rest();
    assert!(eventually(LONG, || inspect::descriptors(server.pid).len() >= at_rest + 6));
    stopped.iter().for_each(|worker| send(Signal::SIGKILL, worker.pid));
    for client in &mut clients {
        client.expect(b"do not lose me");
        client.expect_end();
    }
    drop(clients);
    let outcome = server.stop();
    assert_eq!(outcome.stat("errors.crash"), 3);
    assert_eq!(outcome.stat("connections"), 7);
}

/// A worker that stands still must not hold up the end for longer than the drain time-out.
#[test]
fn a_stopped_worker_does_not_hold_up_the_end() {
    let server = processes(2, "--drain-timeout 500ms");
    let worker = server.children()[0];
    send(Signal::SIGSTOP, worker.pid);
    assert!(eventually(LONG, || inspect::process(worker.pid).is_some_and(|p| p.state == 'T')));
    let signalled = Instant::now();
    server.signal(Signal::SIGTERM);
    let ended =
        eventually(Duration::from_secs(5), || inspect::process(server.pid).is_none_or(|p| p.state == 'Z'));
    if !ended {
        send(Signal::SIGCONT, worker.pid);
    }
    assert!(ended, "still there {:?} after the signal", signalled.elapsed());
    server.end();
}

/// E10. The silent clients do not even react to the end of the stream, so lingering comes on top of the time-out.
#[test]
fn silent_clients_hold_up_a_pool_no_longer_than_the_time_out() {
    for variant in pools() {
        let server = Start::new(variant).room_for(2).with("--idle-timeout 500ms").go();
        let silent: Vec<Client> = (0..2).map(|_| Client::of(&server)).collect();
        assert!(eventually(LONG, || inspect::descriptors(server.pid).len() >= server.descriptors_at_rest()));
        let mut third = Client::of(&server);
        let started = Instant::now();
        third.expect_echo_then_end(b"my turn");
        let waited = started.elapsed();
        // 0.5 s, at most 2 s of lingering, and a second for a busy machine
        assert!(waited < Duration::from_millis(3500), "{}: {waited:?}", variant.name);
        drop((silent, third));
        server.stop();
    }
}

/// One worker, one place in the queue: the third client is closed, the second is served when its turn comes.
#[test]
fn a_full_queue_rejects_when_asked_to() {
    for variant in pools() {
        let server = Start::new(variant).room_for(1).with("--queue-capacity 1 --on-full reject").go();
        let mut first = Client::of(&server);
        first.expect_echo(b"first");
        let mut second = Client::of(&server);
        second.send(b"second");
        let mut third = Client::of(&server);
        third.expect_over();
        first.expect_echo_then_end(b"goodbye");
        drop(first);
        second.expect(b"second");
        drop((second, third));
        let outcome = server.stop();
        assert_eq!(outcome.stat("errors.rejected"), 1, "{}: {}", variant.name, outcome.stats);
    }
}

/// First come, first served: with one worker, clients that wait are served in the order of their arrival.
#[test]
fn the_queue_is_fair() {
    for variant in pools().filter(|pool| !pool.is_lifo()) {
        let server = Start::new(variant).room_for(1).with("--queue-capacity 8").go();
        let mut first = Client::of(&server);
        first.expect_echo(b"first");
        // more than the queue holds: the rest waits in the backlog
        let mut waiting: Vec<Client> = (0..20).map(|_| Client::of(&server)).collect();
        waiting.iter_mut().for_each(|client| client.send(b"next"));
        drop(first);
        for turn in 0..waiting.len() {
            waiting[turn].expect(b"next");
            let early = waiting[turn + 1..].iter().any(|client| client.hears_within(Duration::ZERO));
            assert!(!early, "{}: somebody was served before number {turn} left", variant.name);
            waiting[turn].finish();
            waiting[turn].expect_end();
        }
        drop(waiting);
        server.stop();
    }
}

/// With `--queue lifo`, whoever came last is served next.
#[test]
fn the_newest_is_served_first_if_that_was_asked_for() {
    for variant in pools().filter(Variant::is_lifo) {
        let server = Start::new(variant).room_for(1).go();
        let mut first = Client::of(&server);
        first.expect_echo(b"first");
        let at_rest = inspect::descriptors(server.pid).len();
        let mut waiting: Vec<Client> = (0..5).map(|_| Client::of(&server)).collect();
        waiting.iter_mut().for_each(|client| client.send(b"next"));
        // all are in the queue
        assert!(eventually(LONG, || inspect::descriptors(server.pid).len() >= at_rest + 5));
        first.expect_echo_then_end(b"goodbye");
        drop(first);
        while let Some(mut newest) = waiting.pop() {
            newest.expect(b"next");
            let early = waiting.iter().any(|client| client.hears_within(Duration::ZERO));
            assert!(!early, "{}: somebody older was served before", variant.name);
            newest.expect_echo_then_end(b"goodbye");
        }
        server.stop();
    }
}

/// Whoever still waits when the drain time-out has passed is cut at once, however many they are.
#[test]
fn a_drain_that_is_over_waits_for_nobody() {
    for variant in pools() {
        let server =
            Start::new(variant).room_for(1).with("--queue-capacity 1 --drain-timeout 500ms --faults").go();
        let mut hanging = Client::of(&server);
        hanging.send(b"!hang\n");
        let waiting: Vec<Client> = (0..80).map(|_| Client::of(&server)).collect();
        let asked = Instant::now();
        server.signal(Signal::SIGTERM);
        assert_eq!(server.end().code(), 3);
        // 50 ms for each of them would be 4 s
        assert!(asked.elapsed() < Duration::from_secs(3), "{}: {:?}", variant.name, asked.elapsed());
        drop((hanging, waiting));
    }
}

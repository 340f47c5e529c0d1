//! E7: the descriptors run out while the server runs, and come back.

use std::time::{Duration, Instant};

use tcp_echo::model::Mode;

use crate::client::Client;
use crate::inspect;
use crate::server::{Server, eventually};
use crate::tools::{limit_descriptors, needs};
use crate::variants::Variant;

on_every_variant! { descriptors_run_out_and_come_back }

fn descriptors_run_out_and_come_back(variant: Variant) {
    // one at a time needs one descriptor, and has it; where workers block and have listeners of their own, nobody can say
    // who waits for whom
    if !variant.serves_two_for_sure() {
        return;
    }
    if !needs("prlimit") {
        return;
    }
    // the kernel asks for the limit when a ring is told to accept, so an accept that repeats itself does not notice that it has
    // become another one; with fewer seats the ring accepts one at a time
    let server = Server::start(variant, if variant.mode() == Mode::Uring { "--max-conns 500" } else { "" });
    let mut old: Vec<Client> = (0..3).map(|_| Client::of(&server)).collect();
    old.iter_mut().for_each(|client| client.expect_echo(b"before"));
    server.wait_until_quiet();
    let accepting: Vec<i32> = match variant.mode() {
        Mode::Prefork => server.children().iter().map(|worker| worker.pid).collect(),
        _ => vec![server.pid],
    };
    for pid in &accepting {
        // the limit is on the number of a descriptor: from the lowest free one on there is none to be had
        let taken = inspect::descriptors(*pid);
        let free = (0..).find(|n| !taken.contains(n)).unwrap();
        limit_descriptors(*pid, free.try_into().unwrap());
    }

    // Whoever is blocked in accept has reserved the next number already, so some more may get in: they may be served, or
    // closed if their handler needs another descriptor. They leave before the others come.
    let blocked =
        if variant.is_pool() && !variant.has_queue() { variant.needs().workers - old.len() } else { 1 };
    let mut last: Vec<Client> = (0..blocked).map(|_| Client::of(&server)).collect();
    last.iter_mut().for_each(|client| client.send(b"the last one"));
    eventually(Duration::from_millis(500), || last.iter().all(|client| client.hears_within(Duration::ZERO)));
    if blocked > 1 {
        last.clear();
    }
    server.wait_until_quiet();

    let told = |server: &Server| server.log().lines().filter(|line| line.contains("cannot accept")).count();
    let told_before = told(&server);
    let (began, before) = (Instant::now(), inspect::process(server.pid).unwrap());
    let mut new: Vec<Client> = (0..3).map(|_| Client::of(&server)).collect();
    new.iter_mut().for_each(|client| client.send(b"let me in"));
    while began.elapsed() < Duration::from_secs(2) {
        old.iter_mut().for_each(|client| client.expect_echo(b"unaffected"));
        let heard = new.iter().any(|client| client.hears_within(Duration::from_millis(10)));
        assert!(!heard, "{}: it serves, so this test has taken no descriptors away", variant.name);
    }
    let seconds = began.elapsed().as_secs_f64();
    let after = inspect::process(server.pid).unwrap();
    assert!(after.lives(), "{}", variant.name);
    // in ticks of 10 ms, those of the few echoes included
    let share = (after.ticks - before.ticks) as f64 / (seconds * 100.0);
    assert!(share < 0.05, "{}: {:.1} % CPU while it cannot accept", variant.name, share * 100.0);
    let lines = told(&server) - told_before;
    assert!(
        (usize::from(told_before == 0)..=seconds as usize + 1).contains(&lines),
        "{}: {lines} lines in {seconds} s\n{}",
        variant.name,
        server.log()
    );

    accepting.iter().for_each(|pid| limit_descriptors(*pid, 1_000));
    let relieved = Instant::now();
    new.iter_mut().for_each(|client| client.expect(b"let me in"));
    // the promise is 1 s; the rest is for a busy machine
    assert!(relieved.elapsed() < Duration::from_millis(1_500), "{}: {:?}", variant.name, relieved.elapsed());
    old.iter_mut().for_each(|client| client.expect_echo(b"after"));
    drop((old, last, new));
    let outcome = server.stop();
    assert!(outcome.stat("errors.exhausted") > 0, "{}: {}", variant.name, outcome.stats);
}

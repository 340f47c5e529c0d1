//! Killing whoever holds the accept turn stops nobody: a lock must not die with its holder.

use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::client::Client;
use crate::custom::like;
use crate::inspect::Process;
use crate::server::{LONG, Server, Start, eventually};
use crate::variants::named;

const WORKERS: usize = 4;
/// A client that comes after a worker's death is served within this time.
const SOON: Duration = Duration::from_secs(2);

fn server(accept: &str) -> Server {
    like(&format!("prefork_{accept}"), &format!("--mode prefork --accept {accept} --workers {WORKERS}")).go()
}

/// The system call that a sleeping process is in.
fn call_of(worker: &Process) -> Option<i64> {
    let call = std::fs::read_to_string(format!("/proc/{}/syscall", worker.pid)).ok()?;
    call.split(' ').next()?.parse().ok()
}

/// Those who may accept: one with a lock, all without.
fn acceptors(server: &Server) -> Vec<Process> {
    server.children().into_iter().filter(|child| call_of(child) == Some(libc::SYS_accept4)).collect()
}

/// Waits until every worker is in its place: so many in accept, all asleep.
fn wait_until_idle(server: &Server, accepting: usize) {
    let mut last = Vec::new();
    let idle = eventually(LONG, || {
        let now = server.children();
        let asleep = now.len() == WORKERS && now.iter().all(|child| child.state == 'S');
        let same = now == last;
        last = now;
        asleep && same && acceptors(server).len() == accepting
    });
    assert!(idle, "{}: {:?} accept\n{}", server.name(), acceptors(server), server.log());
}

/// Kills it and waits for its death. (A process that dies in accept may take a client along who comes at that moment.)
fn kill_worker(worker: &Process) {
    kill(Pid::from_raw(worker.pid), Signal::SIGKILL).unwrap();
    assert!(eventually(LONG, || !worker.lives()), "{worker:?}");
}

fn expect_service(server: &Server, what: &str) {
    let came = Instant::now();
    Client::of(server).expect_echo_then_end(b"me next");
    assert!(came.elapsed() < SOON, "{}: {what}: served after {:?}", server.name(), came.elapsed());
}

/// All places are filled, by so many new workers; the server ends as if nothing had happened.
fn expect_all_replaced(server: Server, old: &[Process], deaths: u64) {
    let whole = eventually(LONG, || {
        let now = server.children();
        now.len() == WORKERS
            && now.iter().all(|child| child.state != 'Z' && !old.iter().any(|o| o.pid == child.pid))
    });
    assert!(whole, "{}: {:?}\n{}", server.name(), server.children(), server.log());
    let outcome = server.stop();
    let workers = outcome.stats["workers"].as_array().unwrap();
    let restarts: u64 = workers.iter().map(|worker| worker["restarts"].as_u64().unwrap()).sum();
    assert_eq!(
        (restarts, outcome.stat("errors.crash")),
        (deaths, deaths),
        "{}: {}",
        outcome.name,
        outcome.stats
    );
    assert_eq!(outcome.stat("active"), 0, "{}", outcome.stats);
}

/// One after the other, with somebody to serve after each.
#[test]
fn each_worker_is_killed_in_turn() {
    for accept in ["open", "flock", "mutex"] {
        let server = server(accept);
        let old = server.children();
        for worker in &old {
            wait_until_idle(&server, if accept == "open" { WORKERS } else { 1 });
            kill_worker(worker);
            expect_service(&server, "one was killed");
        }
        expect_all_replaced(server, &old, WORKERS as u64);
    }
}

/// Whoever holds the lock at that time, again and again, while all the others wait for it.
#[test]
fn the_holder_is_killed() {
    for accept in ["flock", "mutex"] {
        let server = server(accept);
        let mut dead = Vec::new();
        for _ in 0..WORKERS {
            wait_until_idle(&server, 1);
            let holder = acceptors(&server)[0];
            kill_worker(&holder);
            dead.push(holder);
            expect_service(&server, "the holder of the turn was killed");
        }
        expect_all_replaced(server, &dead, WORKERS as u64);
    }
}

/// The holder and all who wait for it: the lock is left to those who come after them.
#[test]
fn all_are_killed_at_once() {
    for accept in ["open", "flock", "mutex"] {
        let server = server(accept);
        wait_until_idle(&server, if accept == "open" { WORKERS } else { 1 });
        let old = server.children();
        server.freeze();
        old.iter().for_each(kill_worker);
        server.thaw();
        expect_service(&server, "all were killed");
        expect_all_replaced(server, &old, WORKERS as u64);
    }
}

/// The one who is in a connection, and holds the turn no more.
fn busy(server: &Server) -> Process {
    let in_recv = |child: &Process| call_of(child) == Some(libc::SYS_recvfrom);
    let mut found = None;
    let is_found = eventually(LONG, || {
        found = server.children().into_iter().find(in_recv);
        found.is_some()
    });
    assert!(is_found, "{}: nobody serves", server.name());
    found.unwrap()
}

#[test]
fn a_worker_dies_at_its_work() {
    for accept in ["open", "flock", "mutex"] {
        let server = server(accept);
        let mut victim = Client::of(&server);
        victim.expect_echo(b"hello");
        let worker = busy(&server);
        kill_worker(&worker);
        victim.expect_over();
        expect_service(&server, "one was killed at its work");
        expect_all_replaced(server, &[worker], 1);
    }
}

/// At the moment at which it has closed its client's socket, and has not yet said so: the seat must not be lost, or the server
/// waits for it at its end (and, after `--max-conns` such deaths, accepts nobody any more).
#[test]
fn a_worker_dies_as_its_client_leaves() {
    // each worker's first death is made good at once
    const TIMES: usize = 32;
    let server = Start::new(named("prefork_open")).room_for(TIMES).go();
    for _ in 0..TIMES {
        let mut client = Client::of(&server);
        client.expect_echo(b"hello");
        let worker = busy(&server);
        client.finish();
        client.expect_end();
        kill_worker(&worker);
        expect_service(&server, "one was killed as its client left");
    }
    let outcome = server.stop();
    assert_eq!(outcome.stat("active"), 0, "{}", outcome.stats);
}

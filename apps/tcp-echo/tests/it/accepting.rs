//! Who gets the next connection: each way of `--accept` has a pattern of its own, and `workers[].accepted` shows it.
//!
//! Clients come one after the other, each when the one before it has seen the end of its stream, so workers are idle when
//! somebody comes.

use std::time::Duration;

use nix::sys::signal::Signal;

use crate::client::Client;
use crate::custom::like;
use crate::server::{Outcome, Start};
use crate::tools::needs;
use crate::variants::named;

/// As many workers as every server here has.
const WORKERS: u64 = 4;
/// Who gets a client is up to the scheduler, too: on a machine that is busy with something else, a pattern may come out blurred. One of so
/// many attempts has to show it.
const ATTEMPTS: usize = 20;

/// Serves so many clients, one after the other (one of them warms the server up).
fn served(start: Start, clients: u64) -> Outcome {
    let server = start.go();
    for _ in 1..clients {
        Client::of(&server).expect_echo_then_end(b"next");
    }
    let outcome = server.stop();
    assert_eq!(each(&outcome, "accepted").iter().sum::<u64>(), clients, "{}", outcome.stats);
    assert_eq!(each(&outcome, "accepted").len() as u64, WORKERS, "{}", outcome.stats);
    outcome
}

/// A number of each worker.
fn each(outcome: &Outcome, key: &str) -> Vec<u64> {
    let workers = outcome.stats["workers"].as_array().unwrap();
    workers.iter().map(|worker| worker[key].as_u64().unwrap()).collect()
}

/// What is said of this server's workers is true of how many each has accepted, of 40 clients a worker.
fn shows(what: &str, name: &str, options: &str, is_so: impl Fn(&[u64]) -> bool) {
    let mut attempts = Vec::new();
    for _ in 0..ATTEMPTS {
        let accepted = each(&served(like(name, options), 40 * WORKERS), "accepted");
        if is_so(&accepted) {
            return;
        }
        attempts.push(accepted);
    }
    panic!("{name}: not once {what}: {attempts:?}");
}

fn loops(accept: &str) -> Start {
    like(&format!("event_loop_{accept}"), &format!("--mode event-loop --workers {WORKERS} --accept {accept}"))
}

/// The kernel wakes the worker that has waited longest. A worker that comes back late from its last client loses its place in
/// the line, and on a busy machine one is late quite often: so the shares are equal only on the whole. (If the kernel woke the
/// one that came last, one worker would get nearly all, each time.)
#[test]
fn workers_that_block_in_accept_take_turns() {
    for name in ["prefork_open", "prethread_open"] {
        let options = format!("--mode {} --workers {WORKERS}", name.trim_end_matches("_open"));
        shows("they take turns", name, &options, |accepted| accepted.iter().all(|n| (12..=80).contains(n)));
    }
}

/// Whoever has accepted somebody has passed the turn on: nobody gets nearly all. But no lock promises to be fair: the one that has
/// served may be back before the one that was woken has come.
#[test]
fn workers_that_wait_for_their_turn_get_it() {
    for (name, mode, accept) in [
        ("prefork_flock", "prefork", "flock"),
        ("prefork_mutex", "prefork", "mutex"),
        ("prethread_mutex", "prethread", "mutex"),
    ] {
        let options = format!("--mode {mode} --workers {WORKERS} --accept {accept}");
        shows("nobody gets nearly all", name, &options, |accepted| {
            accepted.iter().all(|n| *n < 30 * WORKERS)
        });
    }
}

/// The main thread hands them out in turn, whatever the loops do.
#[test]
fn the_main_thread_deals_like_cards() {
    let outcome = served(loops("main"), 25 * WORKERS);
    assert_eq!(each(&outcome, "accepted"), [25; WORKERS as usize]);
}

/// One loop is woken, and while there is little to do it is the same one nearly always.
#[test]
fn exclusive_wake_ups_go_to_one_loop() {
    let options = format!("--mode event-loop --workers {WORKERS} --accept exclusive");
    shows("one gets more than half", "event_loop_exclusive", &options, |accepted| {
        accepted.iter().any(|n| *n > 20 * WORKERS)
    });
}

/// A listener that all loops watch wakes them all, and every wake-up is a change of context. (Most of them never come out of
/// `epoll_wait`: it looks once more whether there still is somebody, and sleeps on. So it is the kernel who counts here.)
#[test]
fn a_shared_listener_wakes_too_many() {
    const CLIENTS: u64 = 300;
    let switches = |accept| {
        served(loops(accept), CLIENTS).stat("usage_self.voluntary_context_switches") as f64 / CLIENTS as f64
    };
    let mut attempts = Vec::new();
    for _ in 0..ATTEMPTS {
        let (shared, exclusive) = (switches("shared"), switches("exclusive"));
        // every client costs two of the loop that serves it, and a shared listener one of each of the other three
        if shared > exclusive + 1.5 {
            return;
        }
        attempts.push((shared, exclusive));
    }
    panic!("per client with a shared listener, and without: {attempts:?}");
}

/// Some do come out and find nobody: where accepting takes its time, two loops go for the same client. (strace makes it slow.)
#[test]
fn wake_ups_for_nobody_are_counted() {
    if !needs("strace") {
        return;
    }
    let slow_accept = [
        "strace",
        "-f",
        "-qq",
        "-o",
        "/dev/null",
        "-e",
        "trace=accept4",
        "-e",
        "inject=accept4:delay_enter=20000",
    ];
    let for_nothing = |name| {
        let server = Start::new(named(name)).under(&slow_accept).cold().go();
        for _ in 0..10 {
            Client::of(&server).expect_echo_then_end(b"me");
            // a loop that still looks around would find the next one instead
            std::thread::sleep(Duration::from_millis(100));
        }
        server.signal(Signal::SIGTERM);
        let outcome = server.end();
        assert_eq!(outcome.code(), 0, "{outcome:?}");
        each(&outcome, "spurious_wakeups").iter().sum::<u64>()
    };
    // two loops: each time one finds somebody, and the other one nobody
    let shared = for_nothing("event_loop_shared");
    assert!((3..=25).contains(&shared), "{shared} for 10 clients");
    assert_eq!(for_nothing("event_loop_main"), 0, "nobody but the main thread accepts");
}

/// A listener each, and a hash of the addresses decides: like throwing dice.
#[test]
fn listeners_of_their_own_are_chosen_by_a_hash() {
    const CLIENTS: u64 = 480;
    for (name, mode) in [
        ("prefork_reuseport", "prefork --accept reuseport"),
        ("prethread_reuseport", "prethread --accept reuseport"),
        ("event_loop_reuseport", "event-loop --accept reuseport"),
        ("async_per_core", "async --runtime per-core"),
    ] {
        let outcome = served(like(name, &format!("--mode {mode} --workers {WORKERS}")), CLIENTS);
        let accepted = each(&outcome, "accepted");
        // the binomial distribution: its mean is n p, its variance n p (1 - p)
        let (n, p) = (CLIENTS as f64, 1.0 / WORKERS as f64);
        let five_sigma = 5.0 * (n * p * (1.0 - p)).sqrt();
        let strays = |count: &u64| (*count as f64 - n * p).abs() > five_sigma;
        assert!(!accepted.iter().any(strays), "{name}: {accepted:?}, expected {} ± {five_sigma:.0}", n * p);
    }
}

//! `--work`: what a request costs beside its echo, and which models can do something else meanwhile.

use std::time::{Duration, Instant};

use tcp_echo::about::Serves;

use crate::client::Client;
use crate::custom::like;
use crate::server::{Server, Start, program};
use crate::variants::Variant;

on_every_variant! { the_echo_stays_right, processor_time_is_spent, a_wait_holds_up_nobody }

/// Whatever a request costs, in whatever pieces it comes.
fn the_echo_stays_right(variant: Variant) {
    for work in ["none", "cpu:200us", "wait:2ms", "wait:exp(2ms)", "block:1ms", "mixed:50%,2ms"] {
        let server = Server::start(variant, &format!("--work {work} --buffer 8KiB"));
        let together = variant.at_a_time(3);
        let mut clients: Vec<Client> = (0..together).map(|_| Client::of(&server)).collect();
        std::thread::scope(|scope| {
            for client in &mut clients {
                scope.spawn(|| client.stream_through(100_000, &[5_000, 700], &[Duration::ZERO], true));
            }
        });
        drop(clients);
        let outcome = server.stop();
        assert_eq!(outcome.stat("bytes"), 100_000 * together as u64, "{}: {work}", variant.name);
    }
}

/// User and system time of the server and its children, as the kernel counts it.
fn processor_time_is_spent(variant: Variant) {
    const REQUESTS: u32 = 25;
    let server = Server::start(variant, "--work cpu:2ms");
    let mut client = Client::of(&server);
    for _ in 0..REQUESTS {
        client.expect_echo(b"compute");
    }
    drop(client);
    let outcome = server.stop();
    let spent: f64 = ["usage_self", "usage_children"]
        .iter()
        .flat_map(|whose| ["user_seconds", "system_seconds"].map(|what| &outcome.stats[whose][what]))
        .map(|seconds| seconds.as_f64().unwrap())
        .sum();
    let ordered = 0.002 * f64::from(REQUESTS);
    assert!((ordered..ordered * 2.0).contains(&spent), "{}: {spent} s for {ordered} s", variant.name);
}

/// So many clients send a request at the same time; gives the time until all have their reply.
fn all_at_once(server: &Server, clients: usize) -> Duration {
    let mut clients: Vec<Client> = (0..clients).map(|_| Client::of(server)).collect();
    let started = Instant::now();
    clients.iter_mut().for_each(|client| client.send(b"at once"));
    clients.iter_mut().for_each(|client| client.expect(b"at once"));
    started.elapsed()
}

const WAITERS: usize = 20;
const WAIT: Duration = Duration::from_millis(100);

/// A wait is done as the model waits for everything: by a thread or process of the client's own, or by a timer.
fn a_wait_holds_up_nobody(variant: Variant) {
    if variant.mode().about().serves != Serves::AsManyAsCome {
        return; // who waits keeps his worker
    }
    let server = Server::start(variant, "--work wait:100ms");
    let took = all_at_once(&server, WAITERS);
    // in turn it would be two seconds
    assert!((WAIT..WAIT * 10).contains(&took), "{}: {took:?}", variant.name);
    server.stop();
}

/// It takes no thread: neither the only one that there is, nor one of those that blocking requests are given to.
#[test]
fn a_wait_takes_no_thread() {
    for (name, options) in [
        ("event_loop_main", "--mode event-loop --accept main --workers 1"),
        ("hybrid", "--mode hybrid --workers 1 --offload 2"),
        ("async_current", "--mode async --runtime current"),
        ("async_multi", "--mode async --workers 1"),
        ("uring_multishot", "--mode uring --workers 1"),
    ] {
        let server = like(name, &format!("{options} --work wait:100ms")).go();
        let took = all_at_once(&server, WAITERS);
        assert!((WAIT..WAIT * 5).contains(&took), "{name}: {took:?}");
        server.stop();
    }
}

/// A request is what has come by the time at which it is read, however small the one before it was: a client that begins with
/// one byte and then sends more than the server has answered must not be read a byte at a time from then on.
#[test]
fn a_small_request_does_not_make_the_next_ones_small() {
    for (name, options) in [
        ("event_loop_main", "--mode event-loop --accept main --workers 1"),
        ("hybrid", "--mode hybrid --workers 1 --offload 2"),
        ("async_current", "--mode async --runtime current"),
        ("uring_multishot", "--mode uring --workers 1"),
        ("thread", "--mode thread"),
    ] {
        let server = like(name, &format!("{options} --work wait:50ms")).go();
        let mut client = Client::of(&server);
        let started = Instant::now();
        client.send(b"1");
        // (if this is too short, both are one request, and nothing is proved this time)
        std::thread::sleep(Duration::from_millis(20));
        client.send(&[b'2'; 200]);
        client.expect(b"1");
        client.expect(&[b'2'; 200]);
        let took = started.elapsed();
        // two requests, and two more in case the second came in pieces; a byte each would be 10 s
        assert!(took < Duration::from_secs(1), "{name}: {took:?} for two requests of 50 ms");
        drop(client);
        server.stop();
    }
}

/// Exponentially distributed waits are not all the same: the replies come one by one, and 100 of them take the sum of none.
#[test]
fn waits_differ_when_told_to() {
    let server = like("event_loop_main", "--mode event-loop --workers 1 --work wait:exp(20ms)").go();
    let mut client = Client::of(&server);
    let mut times: Vec<Duration> = (0..50)
        .map(|_| {
            let started = Instant::now();
            client.expect_echo(b"how long?");
            started.elapsed()
        })
        .collect();
    times.sort();
    let (quick, slow, all) = (times[5], times[44], times.iter().sum::<Duration>());
    assert!(slow > quick * 4, "{times:?}");
    // the mean of 50 is 20 ms, with a standard error of 3 ms; a busy machine adds to it
    assert!((Duration::from_millis(400)..Duration::from_secs(3)).contains(&all), "{all:?}");
    drop(client);
    server.stop();
}

const BLOCKED: usize = 10;
const IN_TURN: Duration = Duration::from_millis(500);

/// Blocking calls of 50 ms, by 10 clients at once; gives the time for all.
fn ten_that_block(start: Start) -> Duration {
    let server = start.go();
    let took = all_at_once(&server, BLOCKED);
    server.stop();
    took
}

/// What one thread serves is served in turn when it blocks; a thread for each request blocks for itself.
#[test]
fn a_blocking_call_holds_up_its_loop() {
    for work in ["block:50ms", "mixed:100%,50ms"] {
        for (name, options) in [
            ("event_loop_shared", "--mode event-loop --workers 1"),
            ("async_current", "--mode async --runtime current"),
            ("uring_multishot", "--mode uring --workers 1"),
        ] {
            let took = ten_that_block(like(name, &format!("{options} --work {work}")));
            assert!(took >= IN_TURN, "{name}: {work}: {took:?}");
        }
        for (name, options) in [
            ("hybrid", "--mode hybrid --workers 1 --offload 10"),
            ("thread", "--mode thread"),
            ("process_by_fork", "--mode process"),
        ] {
            let took = ten_that_block(like(name, &format!("{options} --work {work}")));
            assert!((IN_TURN / 10..IN_TURN / 2).contains(&took), "{name}: {work}: {took:?}");
        }
    }
}

/// With fewer threads than requests that block, the rest wait in the queue, and the queue says how long.
#[test]
fn a_hybrid_blocks_as_far_as_its_threads_go() {
    let options = "--mode hybrid --workers 1 --offload 2 --work block:50ms";
    let server = like("hybrid", options).go();
    let took = all_at_once(&server, BLOCKED);
    let outcome = server.stop();
    // five rounds of 50 ms
    assert!((IN_TURN / 2..IN_TURN).contains(&took), "{took:?}");
    let longest = outcome.stats["queue"]["max_wait_us"].as_f64().unwrap();
    assert!(longest >= 150_000.0, "{}", outcome.stats);
}

/// None of the requests blocks, or each does.
#[test]
fn a_share_of_nothing_is_nothing() {
    let took =
        ten_that_block(like("event_loop_shared", "--mode event-loop --workers 1 --work mixed:0%,50ms"));
    assert!(took < IN_TURN, "{took:?}");
}

#[test]
fn wrong_work_is_a_wrong_usage() {
    for wrong in ["", "sleep:5ms", "cpu", "cpu:5", "wait:exp(5ms", "mixed:5ms", "mixed:1,5ms", "none:1ms"] {
        let output = program().args(["--port", "0", "--work", wrong]).output().unwrap();
        assert_eq!((output.status.code(), output.stdout.len()), (Some(2), 0), "{wrong:?}");
    }
    let output = program().args(["--port", "0", "--work", "sleep:5ms"]).output().unwrap();
    let message = String::from_utf8(output.stderr).unwrap();
    for form in ["none", "cpu:50us", "wait:5ms", "wait:exp(5ms)", "block:5ms", "mixed:1%,10ms"] {
        assert!(message.contains(form), "{form} is not shown: {message}");
    }
}

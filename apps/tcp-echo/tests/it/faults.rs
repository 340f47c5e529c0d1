//! E8: the kernel refuses a thread, a process or a message. Injected with strace, which makes the n-th such call of a
//! thread fail. (It runs the server as its child, which needs no privilege.)

use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tcp_echo::model::Mode;

use crate::client::Client;
use crate::server::{LONG, Server, Start, eventually};
use crate::tools::{needs, strace_failing};
use crate::variants::{ALL, Variant, named};

on_every_variant! { no_thread_or_process_for_a_connection }

const MAKERS: &str = "clone,clone3,fork,vfork";

fn start(variant: Variant, options: &str, calls: &str, error: &str, when: &str) -> Server {
    let wrapper = strace_failing(calls, error, when);
    let wrapper: Vec<&str> = wrapper.iter().map(String::as_str).collect();
    Start::new(variant).with(options).under(&wrapper).cold().go()
}

fn no_thread_or_process_for_a_connection(variant: Variant) {
    // the others make all that they need at the start
    if !matches!(variant.mode(), Mode::Thread | Mode::Process) || !needs("strace") {
        return;
    }
    let server = start(variant, "", MAKERS, "EAGAIN", "1..3");
    for _ in 0..3 {
        // closed, not left hanging
        Client::of(&server).expect_over();
    }
    let failed = Instant::now();
    Client::of(&server).expect_echo_then_end(b"it goes on");
    assert!(failed.elapsed() < Duration::from_secs(2), "{}: {:?}", variant.name, failed.elapsed());
    server.signal(Signal::SIGTERM);
    let outcome = server.end();
    assert_eq!(outcome.code(), 0, "{outcome:?}");
    assert_eq!(outcome.stat("errors.spawn"), 3, "{}: {}", variant.name, outcome.stats);
    assert_eq!(outcome.stat("connections"), 4, "{}", variant.name);
    assert!(outcome.log.contains("it was closed"), "{}", outcome.log);
}

/// Two workers are made; the replacement of the first dead one is refused twice.
#[test]
fn a_replacement_that_cannot_be_made_is_made_later() {
    if !needs("strace") {
        return;
    }
    let wrapper = strace_failing(MAKERS, "EAGAIN", "3..4");
    let wrapper: Vec<&str> = wrapper.iter().map(String::as_str).collect();
    let server = Start::new(named("pool_of_processes")).room_for(2).under(&wrapper).cold().go();
    assert!(eventually(LONG, || server.children().len() == 2));
    kill(Pid::from_raw(server.children()[0].pid), Signal::SIGKILL).unwrap();
    // one worker is left and serves
    Client::of(&server).expect_echo_then_end(b"by the other");
    assert!(eventually(LONG, || server.children().len() == 2), "{}", server.log());
    let mut clients: Vec<Client> = (0..2).map(|_| Client::of(&server)).collect();
    clients.iter_mut().for_each(|client| client.expect_echo(b"two again"));
    drop(clients);
    server.signal(Signal::SIGTERM);
    let outcome = server.end();
    assert_eq!(outcome.code(), 0, "{outcome:?}");
    assert_eq!(outcome.stat("errors.spawn"), 2, "{}", outcome.stats);
}

/// A message to a worker may fail although the worker lives (no memory, too many descriptors in flight).
#[test]
fn a_connection_that_could_not_be_passed_is_passed_again() {
    if !needs("strace") {
        return;
    }
    for error in ["ENOBUFS", "ETOOMANYREFS"] {
        let server = start(named("pool_of_processes"), "", "sendmsg", error, "1..3");
        let mut clients: Vec<Client> = (0..5).map(|_| Client::of(&server)).collect();
        for client in &mut clients {
            client.send(b"pass me on");
            client.finish();
        }
        for client in &mut clients {
            assert!(client.hears_within(Duration::from_secs(5)), "{error}: a connection is stuck");
            client.expect(b"pass me on");
        }
        drop(clients);
        server.signal(Signal::SIGTERM);
        let outcome = server.end();
        assert_eq!(outcome.code(), 0, "{outcome:?}");
    }
}

/// Errors of accept(2) that are the connection's own must not end or slow the server.
#[test]
fn accept_errors_of_one_connection_are_passed_over() {
    if !needs("strace") {
        return;
    }
    // a ring accepts without that system call
    for variant in ALL.iter().filter(|variant| variant.mode() != Mode::Uring) {
        for error in ["ECONNABORTED", "EPROTO", "ENETDOWN", "EPERM"] {
            let server = start(*variant, "", "accept4", error, "1..5");
            Client::of(&server).expect_echo_then_end(b"none of my business");
            server.signal(Signal::SIGTERM);
            let outcome = server.end();
            assert_eq!(outcome.code(), 0, "{error}: {outcome:?}");
            // several that accept for themselves may each meet five
            assert!(outcome.stat("errors.accept") >= 5, "{}: {error}: {}", variant.name, outcome.stats);
        }
    }
}

/// A loop that is not woken leaves its mail where it is. (Each second write of a thread is interrupted, the first one too.)
#[test]
fn an_interrupted_wake_up_wakes() {
    if !needs("strace") {
        return;
    }
    for name in ["event_loop_main", "hybrid", "uring_multishot"] {
        let server = start(named(name), "", "write", "EINTR", "1+2");
        for _ in 0..4 {
            Client::of(&server).expect_echo_then_end(b"woken");
        }
        server.signal(Signal::SIGTERM);
        let outcome = server.end();
        assert_eq!(outcome.code(), 0, "{outcome:?}");
    }
}

/// Short writes and interrupted calls happen to everybody; they must not show.
#[test]
fn interrupted_calls_do_not_show() {
    if !needs("strace") {
        return;
    }
    for variant in ALL {
        let server = start(*variant, "", "recvfrom,sendto,read,write", "EINTR", "5+3");
        Client::of(&server).stream_through(200_000, &[5_000], &[Duration::ZERO], true);
        server.signal(Signal::SIGTERM);
        let outcome = server.end();
        assert_eq!(outcome.code(), 0, "{outcome:?}");
    }
}

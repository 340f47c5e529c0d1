//! C10k: ten thousand clients at a time that mostly say nothing, in the models that are made for them.

use std::fs::File;

use crate::client::Client;
use crate::inspect::memory_of_tree;
use crate::server::Start;
use crate::variants::named;

const CLIENTS: usize = 10_000;
/// What an idle connection may cost the server, in bytes. (Beside it the kernel has its sockets.)
const EACH: u64 = 4096;

/// Whether this process may have so many sockets. If not, says so and lets the test be skipped; where skipping is not
/// allowed, it fails.
fn there_is_room() -> bool {
    let limit = common::limits::raise_descriptor_limit().unwrap();
    if limit >= CLIENTS as u64 * 3 / 2 {
        return true;
    }
    let allowed = std::env::var("CI").as_deref() != Ok("true");
    assert!(allowed, "no room for {CLIENTS} descriptors, and with CI=true no test may be skipped");
    eprintln!("SKIPPED: the hard limit on open descriptors is {limit} (ulimit -Hn)");
    false
}

/// One of these tests at a time, whether they are threads or processes: there are 28,000 ports for all clients of this machine.
fn one_at_a_time() -> File {
    let lock = File::create(std::env::temp_dir().join("tcp-echo-ten-thousand.lock")).unwrap();
    lock.lock().unwrap();
    lock
}

fn are_held(name: &str) {
    if !there_is_room() {
        return;
    }
    let _lock = one_at_a_time();
    let server = Start::new(named(name)).with("--max-conns 10000").go();
    server.assert_at_rest();
    let before = memory_of_tree(server.pid);
    let mut clients = Vec::with_capacity(CLIENTS);
    for n in 0..CLIENTS {
        let mut client = Client::of(&server);
        client.expect_echo(&n.to_le_bytes());
        clients.push(client);
    }
    server.wait_until_quiet();
    let after = memory_of_tree(server.pid);
    let each = after.saturating_sub(before) * 1024 / CLIENTS as u64;
    println!("{name}: {each} bytes for each idle connection");
    assert!(each < EACH, "{name}: {before} KiB became {after} KiB, {each} bytes each");
    // all at once
    for (n, client) in clients.iter_mut().enumerate() {
        client.send(&(n * 3).to_le_bytes());
    }
    for (n, client) in clients.iter_mut().enumerate() {
        client.expect(&(n * 3).to_le_bytes());
    }
    // by a reset, which leaves no port waiting
    clients.into_iter().for_each(Client::reset);
    let outcome = server.stop();
    assert_eq!(outcome.stat("max_active"), CLIENTS as u64, "{name}");
    assert_eq!(outcome.stat("connections"), CLIENTS as u64 + 1, "{name}");
    assert_eq!(outcome.stat("bytes"), CLIENTS as u64 * 16, "{name}");
}

#[test]
fn are_held_by_an_event_loop() {
    are_held("event_loop_shared");
}

#[test]
fn are_held_by_a_hybrid() {
    are_held("hybrid");
}

#[test]
fn are_held_by_tasks() {
    are_held("async_multi");
}

#[test]
fn are_held_by_completions() {
    are_held("uring_multishot");
}

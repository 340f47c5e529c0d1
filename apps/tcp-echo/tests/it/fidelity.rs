//! E1: bytes back are the bytes sent, in order, however they come; then the end of the stream, never a reset.

use std::os::fd::AsRawFd;
use std::time::Duration;

use nix::sys::socket::{MsgFlags, send};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use tcp_echo::model::Mode;

use crate::client::{Client, Pattern};
use crate::server::Server;
use crate::tools::full;
use crate::variants::Variant;

on_every_variant! {
    any_chunking_with_pauses,
    sixteen_mebibytes,
    data_and_end_at_once,
    nothing_at_all,
    everything_after_a_half_close,
    one_byte_buffer,
    urgent_bytes,
}

/// A byte that is marked urgent is a byte of the stream like all others.
fn urgent_bytes(variant: Variant) {
    if variant.mode() == Mode::Async {
        return; // tokio takes the short read before such a byte for the last; the model's file says so
    }
    let server = Server::start(variant, "");
    let mut client = Client::of(&server);
    client.expect_echo(b"hello");
    for frozen in [false, true] {
        // all of it is there before the server reads
        if frozen {
            server.freeze();
        }
        client.send(b"abc");
        let sent = send(client.stream.as_raw_fd(), b"X", MsgFlags::MSG_OOB);
        assert_eq!(sent, Ok(1));
        client.send(b"def");
        if frozen {
            server.thaw();
        }
        client.expect(b"abcXdef");
    }
    drop(client);
    server.stop();
}

const MIB: u64 = 1 << 20;

fn any_chunking_with_pauses(variant: Variant) {
    let server = Server::start(variant, "");
    let size = prop_oneof![3 => 0..200u64, 3 => 0..=256 * 1024u64, 1 => 0..=4 * MIB];
    let chunk = prop_oneof![1usize..64, 1usize..=20_000, 16_380usize..16_390, 1usize..=300_000];
    // a pause of zero is a yield
    let pause = prop_oneof![8 => Just(0u64), 1 => 1u64..1_500].prop_map(Duration::from_micros);
    let plan = (size, prop::collection::vec(chunk, 1..6), prop::collection::vec(pause, 1..6), any::<bool>());
    let cases = if full() { 200 } else { 16 };
    let mut runner = TestRunner::new(Config { cases, failure_persistence: None, ..Config::default() });
    let result = runner.run(&plan, |(total, mut chunks, pauses, finish)| {
        // a million one-byte messages are another test's business
        let least = usize::try_from(total / 2_000).unwrap();
        chunks.iter_mut().for_each(|chunk| *chunk = (*chunk).max(least));
        Client::of(&server).stream_through(total, &chunks, &pauses, finish);
        Ok(())
    });
    result.unwrap_or_else(|e| panic!("{}: {e}", variant.name));
    server.stop();
}

fn sixteen_mebibytes(variant: Variant) {
    let server = Server::start(variant, "");
    let total = if full() { 1024 * MIB } else { 16 * MIB };
    Client::of(&server).stream_through(total, &[100_000, 1, 65_536], &[Duration::ZERO], true);
    let outcome = server.stop();
    assert_eq!(outcome.stat("bytes"), total, "{}", variant.name);
}

/// The last message and the end of the stream in one event: the loop that stops at the end drops the message.
fn data_and_end_at_once(variant: Variant) {
    let server = Server::start(variant, "");
    for n in 0..200 {
        Client::of(&server).expect_echo_then_end(&Pattern::new(n).take(n as usize * 97));
    }
    server.stop();
}

fn nothing_at_all(variant: Variant) {
    let server = Server::start(variant, "");
    for n in 0..20 {
        let mut client = Client::of(&server);
        if n % 2 == 0 {
            client.finish();
            client.expect_end();
        }
    }
    let outcome = server.stop();
    assert_eq!(outcome.stat("bytes"), 0, "{}", variant.name);
    assert_eq!(outcome.stat("errors.broken"), 0, "{}", variant.name);
}

/// All is sent before anything is read, so most of the echo is still under way when the client has finished.
fn everything_after_a_half_close(variant: Variant) {
    let server = Server::start(variant, "");
    let message = Pattern::new(7).take(1_000_000);
    let mut client = Client::of(&server);
    client.send(&message);
    client.finish();
    for part in message.chunks(50_000) {
        client.expect(part);
        std::thread::yield_now();
    }
    client.expect_end();
    server.stop();
}

/// The smallest buffer: every read is full, every write short of nothing.
fn one_byte_buffer(variant: Variant) {
    let server = Server::start(variant, "--buffer 1");
    Client::of(&server).expect_echo_then_end(&Pattern::new(1).take(3_000));
    server.stop();
}

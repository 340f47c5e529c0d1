//! E13: logging never holds up service, and shows no byte that a peer sent.

use std::io::pipe;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::process::Stdio;

use nix::sys::signal::Signal;

use crate::client::{Client, Pattern};
use crate::server::{Server, Start};
use crate::variants::Variant;

on_every_variant! { a_log_that_nobody_reads_holds_up_nobody, the_log_shows_no_bytes_of_a_peer, what_v_and_vv_show }

fn a_log_that_nobody_reads_holds_up_nobody(variant: Variant) {
    let (unread, stderr) = pipe().unwrap();
    holds_up_nobody(variant, stderr.into());
    drop(unread);
    // what a service's journal is
    let (unread, stderr) = UnixStream::pair().unwrap();
    holds_up_nobody(variant, OwnedFd::from(stderr).into());
    drop(unread);
}

fn holds_up_nobody(variant: Variant, stderr: Stdio) {
    let server = Start::new(variant).with("-vv --faults").stderr(stderr).go();
    // a pipe holds 64 KiB, a socket some 200; this makes about 300 KiB of lines
    let mut client = Client::of(&server);
    let message = Pattern::new(2).take(10);
    for _ in 0..6_000 {
        client.expect_echo(&message);
    }
    drop(client);
    for _ in 0..100 {
        Client::of(&server).expect_echo_then_end(&message);
    }
    // what a panic writes goes to the same stderr
    let mut victim = Client::of(&server);
    victim.send(b"!panic\n");
    victim.expect_over();
    drop(victim);
    let outcome = server.stop();
    assert!(outcome.stat("log_lines_dropped") > 0, "{}: it was never full", variant.name);
}

fn the_log_shows_no_bytes_of_a_peer(variant: Variant) {
    let server = Server::start(variant, "-vv --faults");
    Client::of(&server).expect_echo_then_end(b"\x1b[2J\x1b]0;owned\x07 PEERBYTES \xff\x00\r\n");
    let mut victim = Client::of(&server);
    victim.send(b"!panic\nPEERBYTES");
    victim.expect_over();
    drop(victim);
    let log = server.stop().log;
    let clean = |c: char| c == '\n' || !c.is_control();
    assert!(log.chars().all(clean) && !log.contains("PEERBYTES"), "{}: {log:?}", variant.name);
}

fn what_v_and_vv_show(variant: Variant) {
    for (level, shown) in [("", [false, false]), ("-v", [true, false]), ("-vv", [true, true])] {
        let server = Server::start(variant, level);
        let mut client = Client::of(&server);
        let peer = client.stream.local_addr().unwrap().to_string();
        client.expect_echo(&[7; 2048]);
        client.finish();
        client.expect_end();
        drop(client);
        server.signal(Signal::SIGTERM);
        let log = server.end().log;
        let lines: Vec<&str> = log.lines().filter(|line| line.contains(&peer)).collect();
        let told = |what: &str| lines.iter().any(|line| line.contains(what));
        assert_eq!(told("connected"), shown[0], "{} {level}: {log}", variant.name);
        assert_eq!(told("closed, 2.0 KiB echoed"), shown[0], "{} {level}: {log}", variant.name);
        assert_eq!(told("echoed 2.0 KiB"), shown[1], "{} {level}: {log}", variant.name);
        assert!(log.lines().last().unwrap().starts_with("served 2 connections in"), "{log}");
    }
}

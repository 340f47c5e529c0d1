//! The two protocols of systemd: readiness (`NOTIFY_SOCKET`), and a listener that was opened before the server
//! (`LISTEN_FDS`). No systemd is needed: an environment variable and a descriptor are all that it gives.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixDatagram;
use std::process::{Command, Output, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};

use nix::sys::signal::Signal;
use tcp_echo::about::Listeners;

use crate::client::Client;
use crate::inspect::descriptors;
use crate::server::{LONG, Server, Start, eventually};
use crate::variants::{Variant, named};

on_every_variant! { readiness_and_the_stop_are_told, a_passed_listener_is_served }

fn hear(socket: &UnixDatagram) -> Option<String> {
    let mut text = [0; 256];
    let length = socket.recv(&mut text).ok()?;
    Some(String::from_utf8_lossy(&text[..length]).trim_end().to_owned())
}

/// Each of them once, whatever children there are.
fn readiness_and_the_stop_are_told(variant: Variant) {
    let folder = tempfile::tempdir().unwrap();
    let name = folder.path().join("notify");
    let socket = UnixDatagram::bind(&name).unwrap();
    socket.set_read_timeout(Some(LONG)).unwrap();
    let server = Start::new(variant).under(&["env", &format!("NOTIFY_SOCKET={}", name.display())]).go();
    assert_eq!(hear(&socket).as_deref(), Some("READY=1"), "{}", variant.name);
    let mut client = Client::of(&server);
    client.expect_echo(b"hello");
    server.signal(Signal::SIGTERM);
    // while it drains, not when it has ended
    assert_eq!(hear(&socket).as_deref(), Some("STOPPING=1"), "{}", variant.name);
    client.expect_echo_then_end(b"goodbye");
    drop(client);
    assert_eq!(server.end().code(), 0, "{}", variant.name);
    socket.set_nonblocking(true).unwrap();
    assert_eq!(hear(&socket), None, "{}: said more", variant.name);
}

/// Whoever asked to be told may be gone.
#[test]
fn nobody_need_listen() {
    for nobody in ["/nowhere/at/all", "@nobody", ""] {
        let name = format!("NOTIFY_SOCKET={nobody}");
        let server = Start::new(named("thread")).under(&["env", &name]).go();
        Client::of(&server).expect_echo_then_end(b"served all the same");
        server.stop();
    }
}

/// A shell that has something as its descriptor `from` passes it `count` times to the server, which it becomes: from 3 on.
fn passing(from: i32, count: i32) -> String {
    let passed: String = (3..3 + count).map(|n| format!(" {n}<&{from}")).collect();
    format!("exec{passed} {from}</dev/null; LISTEN_FDS={count} LISTEN_PID=$$ exec \"$0\" \"$@\"")
}

/// Starts a server with a passed listener. (It takes the way of stderr: no other test's child can inherit it on that way.)
fn with_listener(variant: Variant, listener: TcpListener, script: &str) -> Server {
    Start::new(variant).under(&["sh", "-c", script]).stderr(OwnedFd::from(listener)).go()
}

/// Starts a server that ends at once. (One that does not is ended, with code 124.)
fn try_passing(count: i32, it: impl Into<Stdio>, words: &[String]) -> Output {
    let mut shell = Command::new("timeout");
    shell
        .args(["10", "sh", "-c", &passing(0, count), env!("CARGO_BIN_EXE_tcp-echo"), "--port", "0"])
        .args(words);
    shell.stdin(it).output().unwrap()
}

fn assert_refused(output: &Output, code: i32) {
    let message = String::from_utf8_lossy(&output.stderr);
    assert_eq!((output.status.code(), output.stdout.len()), (Some(code), 0), "{message}");
    assert!(message.starts_with("error: ") && message.contains("LISTEN_FDS"), "{message}");
    assert_eq!(message.trim_end().lines().count(), 1, "{message}");
}

/// On a port that was asked for, as systemd does. (One that the kernel has chosen is given up when the socket is shut down. These here
/// are below those that it chooses from.)
fn a_listener() -> TcpListener {
    // each port once: a test that has ended may look whether somebody listens there
    static NEXT: AtomicU16 = AtomicU16::new(20_000);
    let listen = || TcpListener::bind(("127.0.0.1", NEXT.fetch_add(1, Ordering::Relaxed)));
    (0..1000).find_map(|_| listen().ok()).unwrap()
}

fn a_passed_listener_is_served(variant: Variant) {
    let listener = a_listener();
    if variant.needs().listeners != Listeners::One {
        // one listener cannot become several
        return assert_refused(&try_passing(1, OwnedFd::from(listener), &variant.arguments()), 2);
    }
    let address = listener.local_addr().unwrap();
    let kept = listener.try_clone().unwrap();
    let server = with_listener(variant, listener, &passing(2, 1));
    assert_eq!(server.address, address, "{}: listens elsewhere", variant.name);
    let mut clients: Vec<Client> = (0..variant.at_a_time(3)).map(|_| Client::of(&server)).collect();
    clients.iter_mut().for_each(|client| client.expect_echo(b"hello"));
    drop(clients);
    let outcome = server.stop();
    assert_eq!(outcome.stat("connections"), 1 + variant.at_a_time(3) as u64, "{}", outcome.stats);
    // who passed it has it still, for the next server
    let late = std::net::TcpStream::connect_timeout(&address, LONG).unwrap();
    kept.set_nonblocking(true).unwrap();
    assert!(eventually(LONG, || kept.accept().is_ok()), "{}: it is deaf", variant.name);
    drop((late, kept));
    // and nobody else has it (but for a moment what another test is just starting)
    let refused = || std::net::TcpStream::connect(address).is_err();
    assert!(eventually(LONG, refused), "{}: somebody still listens", variant.name);
}

/// That is what a listener is opened for before its server is there.
#[test]
fn who_came_before_the_server_is_served() {
    for name in ["thread", "process_by_fork", "prefork_open", "event_loop_shared", "async_multi"] {
        let listener = a_listener();
        let mut early = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        early.write_all(b"early").unwrap();
        let start = Start::new(named(name)).under(&["sh", "-c", &passing(2, 1)]).cold();
        let server = start.stderr(OwnedFd::from(listener)).go();
        let mut reply = [0; 5];
        early.set_read_timeout(Some(LONG)).unwrap();
        early.read_exact(&mut reply).unwrap();
        assert_eq!(&reply, b"early", "{name}");
        drop(early);
        server.signal(Signal::SIGTERM);
        assert_eq!(server.end().code(), 0, "{name}");
    }
}

#[test]
fn two_listeners_are_one_too_many() {
    assert_refused(&try_passing(2, OwnedFd::from(a_listener()), &[]), 1);
}

#[test]
fn what_is_no_listener_is_refused() {
    assert_refused(&try_passing(1, Stdio::null(), &[]), 1);
    let datagrams = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    assert_refused(&try_passing(1, OwnedFd::from(datagrams), &[]), 1);
}

/// The variables are inherited from whoever was started by systemd: they are meant for the process that they name.
#[test]
fn what_is_meant_for_somebody_else_is_left_alone() {
    let listener = a_listener();
    let address = listener.local_addr().unwrap();
    let server = with_listener(named("thread"), listener, &passing(2, 1).replace("$$", "1"));
    assert_ne!(server.address, address);
    server.stop();
}

/// A listener that came by an exec must not go on by the next one: who holds it keeps the port.
#[test]
fn an_executed_child_does_not_get_it() {
    let held_by_child = |server: Server| {
        // (the first client's process may not have ended yet)
        server.assert_at_rest();
        let mut client = Client::of(&server);
        client.expect_echo(b"hello");
        let held = descriptors(server.children()[0].pid).len();
        drop(client);
        server.stop();
        held
    };
    let variant = named("process_by_exec");
    let usual = held_by_child(Start::new(variant).go());
    let passed = held_by_child(with_listener(variant, a_listener(), &passing(2, 1)));
    assert_eq!(passed, usual, "descriptors of an executed child");
}

//! Each class of loss by its own kind of server: exactly that class, in books that balance. (`run.rs` has those that
//! answer wrongly, late or not to the end, `protocol.rs` the unexpected replies.)

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::process::Command;
use std::time::Duration;

use socket2::{Domain, SockRef, Socket, Type};

use crate::tool::{Ran, correct, echo, loadgen, serve, short};

/// Every error is of this class, and nothing is missing from the books.
fn assert_only(ran: &Ran, class: &str) {
    let client = ran.client();
    let classes = ran.classes();
    // on a busy machine a reply may be late as well, where connects are
    let late = class == "connect_timed_out";
    let fits = |found: &String| found == class || (late && found == "timed_out");
    assert!(
        classes.iter().any(|found| found == class) && classes.iter().all(fits),
        "{classes:?}: {}",
        ran.stderr
    );
    assert_eq!(client["requests"]["balanced"], true, "{client}");
    assert_eq!(ran.code, Some(1), "{}", ran.stderr);
    assert_eq!(ran.stderr.lines().count(), 1, "{}", ran.stderr);
}

/// Listens until it has accepted so many connections; these it serves well.
fn leaving_after(connections: usize) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        let accepted: Vec<_> = listener.incoming().flatten().take(connections).collect();
        // from now on nobody can connect; who has been accepted is served
        drop(listener);
        for stream in accepted {
            std::thread::spawn(move || echo(stream, |_| true));
        }
    });
    address
}

#[test]
fn a_server_that_stops_listening_refuses_connects_and_costs_no_request() {
    // one at a time: nobody is in the queue of a listener that closes
    let ran = short(leaving_after(1), &["-c", "1", "--reconnect", "20", "-w", "0"]);
    assert_only(&ran, "connect_refused");
    let client = ran.client();
    assert_eq!(
        (&client["requests"]["ok"], &client["errors"][0]["requests"]),
        (&20.into(), &0.into()),
        "{client}"
    );
    assert!(ran.stderr.contains("connect refused"), "{}", ran.stderr);
}

/// Accepts one connection and serves it well; behind it one more has room, and the next SYN is dropped.
fn one_seat() -> SocketAddr {
    let listener = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    let any: SocketAddr = "127.0.0.1:0".parse().unwrap();
    listener.bind(&any.into()).unwrap();
    listener.listen(0).unwrap();
    let address = listener.local_addr().unwrap().as_socket().unwrap();
    std::thread::spawn(move || {
        let (stream, _) = listener.accept().unwrap();
        echo(stream.into(), |_| true);
        // it listens on, and never accepts again
        loop {
            std::thread::park();
        }
    });
    address
}

#[test]
fn a_full_backlog_that_nobody_empties_times_connects_out() {
    // at the start, where nothing has been measured yet
    let ran = short(one_seat(), &["-c", "6", "-T", "150ms", "-w", "0", "-d", "300ms"]);
    assert_only(&ran, "connect_timed_out");
    assert!(
        ran.stderr.contains("connect timed out") || ran.stderr.contains("cannot connect"),
        "{}",
        ran.stderr
    );
    // and in the middle: the one that waits in the backlog is connected and never answered, so its reply is late
    let ran = short(one_seat(), &["-c", "1", "--reconnect", "20", "-T", "150ms", "-w", "0", "-d", "700ms"]);
    assert_eq!(ran.classes(), ["connect_timed_out", "timed_out"], "{}", ran.stdout);
    let client = ran.client();
    assert_eq!((ran.code, &client["requests"]["balanced"]), (Some(1), &true.into()), "{client}");
    assert_eq!(
        (&client["requests"]["ok"], &client["errors"][1]["requests"]),
        (&20.into(), &1.into()),
        "{client}"
    );
}

#[test]
fn a_server_that_aborts_connections_resets_them() {
    let server = serve(|mut stream, _| {
        let mut message = [0; 64];
        for _ in 0..10 {
            if stream.read_exact(&mut message).is_err() || stream.write_all(&message).is_err() {
                return;
            }
        }
        // the eleventh is read and not answered; closed with this option, a connection is reset
        let _ = stream.read_exact(&mut message);
        SockRef::from(&stream).set_linger(Some(Duration::ZERO)).unwrap();
    });
    let ran = short(server, &["-c", "2", "-w", "0"]);
    assert_only(&ran, "reset");
    let client = ran.client();
    assert_eq!(client["errors"][0]["meaning"], "connection reset by peer", "{client}");
    assert_eq!(client["errors"][0]["connections"], client["errors"][0]["requests"], "{client}");
}

/// The check before a run cannot know what else holds descriptors: here the shell that started it.
#[test]
fn a_client_without_descriptors_accuses_no_server() {
    let Some(mut prlimit) = tool("prlimit") else { return };
    let script = "for n in $(seq 10 99); do eval \"exec $n</dev/null\"; done; exec \"$@\"";
    let plain = loadgen(&[]);
    let server = correct().to_string();
    let output = prlimit
        .args(["--nofile=130:130", "bash", "-c", script, "bash"])
        .arg(plain.get_program())
        .args(["run", &server, "-c", "60", "-J", "--quiet", "-w", "0", "-d", "200ms"])
        .output()
        .unwrap();
    let ran = Ran::of(&output);
    assert_only(&ran, "client_side");
    assert_eq!(ran.client()["errors"][0]["meaning"], "too many open files", "{}", ran.stdout);
    assert!(ran.client()["requests"]["ok"].as_u64() > Some(0), "those that have one go on: {}", ran.stdout);
}

/// What no server does by itself: the kernel of the client says that there is no way to the host.
#[test]
fn an_error_without_a_class_of_its_own_is_told_by_its_number() {
    for (call, error, when, meaning) in [
        ("connect", "EHOSTUNREACH", "4+", "no route to host"),
        ("recvfrom", "EIO", "40", "input/output error"),
    ] {
        let Some(mut strace) = tool("strace") else { return };
        let inject = format!("inject={call}:error={error}:when={when}");
        let output = strace
            .args(["-f", "-qq", "-o", "/dev/null", "-e", &format!("trace={call}"), "-e", &inject])
            .arg(loadgen(&[]).get_program())
            .args(["run", &correct().to_string(), "-c", "2", "-J", "--quiet", "-w", "0", "-d", "300ms"])
            .args(["--reconnect", "10"])
            .output()
            .unwrap();
        let ran = Ran::of(&output);
        assert_only(&ran, "other");
        assert_eq!(ran.client()["errors"][0]["meaning"], meaning, "{}", ran.stdout);
    }
}

/// A tool from outside, or why the test is skipped.
fn tool(name: &str) -> Option<Command> {
    if Command::new(name).arg("--version").output().is_ok() {
        return Some(Command::new(name));
    }
    assert_ne!(std::env::var("CI").as_deref(), Ok("true"), "{name} is missing");
    eprintln!("SKIPPED: {name} is missing: run scripts/test");
    None
}

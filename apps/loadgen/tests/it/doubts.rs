//! Figures that must not be believed: a run that measured nothing, or something else, says so.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::time::{Duration, Instant};

use socket2::{Domain, SockAddr, Socket, Type};

use crate::tool::{correct, echo, every, serve, short};

/// A listener that keeps hardly any connection that it has not accepted yet.
fn short_queue() -> TcpListener {
    let listener = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    listener.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into()).unwrap();
    listener.listen(1).unwrap();
    listener.into()
}

/// Begins so many connects, and waits for none.
fn fill(address: SocketAddr, connects: usize) -> Vec<Socket> {
    let connect = |_| {
        let socket = Socket::new(Domain::IPV4, Type::STREAM.nonblocking(), None).unwrap();
        let _ = socket.connect(&SockAddr::from(address));
        socket
    };
    (0..connects).map(connect).collect()
}

/// Answers one request on each of so many connections, then accepts no more: its listen queue is full of its own
/// connects, and stays so.
fn closes_its_door_after(served: usize) -> SocketAddr {
    let listener = short_queue();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        let mut own = Vec::new();
        for number in 1..=served {
            let (mut stream, _) = listener.accept().unwrap();
            let mut message = [0; 64];
            // one that comes to look only, and sends nothing
            if stream.read_exact(&mut message).is_err() {
                continue;
            }
            if number == served {
                // its client waits for the reply, so that nobody else connects meanwhile
                own.extend(fill(address, 8));
            }
            stream.write_all(&message).unwrap();
        }
        loop {
            std::thread::park();
        }
    });
    address
}

/// One message that takes long to read: its time is that of its last byte, not that of its first.
#[test]
fn the_measured_time_ends_with_the_last_byte() {
    let ran = short(correct(), &["-c", "1", "-n", "1", "-w", "0", "-s", "32MiB"]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let (seconds, reply) = (ran.client()["seconds"].clone(), ran.client()["reply"]["p50"].clone());
    // a recorded time has three digits
    assert!(seconds.as_f64().unwrap() * 1e9 > reply.as_f64().unwrap() * 0.998, "{seconds} {reply}");
}

/// The server holds one reply back until the sending has long ended.
#[test]
fn a_late_last_reply_makes_the_rate_suspect() {
    let begin = Instant::now();
    let slow = every(50);
    let server = serve(move |stream, _| {
        echo(stream, |_| {
            if slow() && begin.elapsed() < Duration::from_millis(700) {
                std::thread::park_timeout(Duration::from_millis(700).saturating_sub(begin.elapsed()));
            }
            true
        });
    });
    let ran = short(server, &["-c", "1", "-w", "0", "-d", "300ms"]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let verdict = ran.json()["trials"][0]["verdict"].clone();
    assert_eq!(verdict["level"], "suspect");
    assert!(verdict["reasons"].to_string().contains("only late replies were waited for"), "{verdict}");
}

/// The warm-up was answered, so that the server is known to be one; then every connect waits for ever.
#[test]
fn a_run_without_any_reply_has_failed() {
    let ran =
        short(closes_its_door_after(20), &["-c", "1", "--reconnect", "1", "-w", "400ms", "-d", "300ms"]);
    let report = ran.json();
    assert_eq!(ran.client()["requests"]["ok"], 0, "{report}");
    assert!(ran.client()["requests"]["warmup_ok"].as_u64() > Some(0), "{report}");
    assert_eq!((ran.code, &report["trials"][0]["verdict"]["level"]), (Some(1), &"failed".into()), "{report}");
    assert!(ran.stderr.contains("not one right reply came in the measured time"), "{}", ran.stderr);
    assert_eq!(ran.client()["connections"]["connecting_at_end"], 1, "{report}");
    let reasons = report["trials"][0]["verdict"]["reasons"].to_string();
    assert!(reasons.contains("1 connect still not accepted at the end"), "{reasons}");
}

/// What is told in one line is what went wrong, not that nothing went right.
#[test]
fn a_server_that_only_answers_wrongly_is_told_what_it_does() {
    let server = serve(|stream, _| {
        echo(stream, |piece| {
            piece[20] ^= 1;
            true
        });
    });
    for warmup in ["50ms", "0"] {
        let ran = short(server, &["-c", "2", "-T", "100ms", "-w", warmup]);
        let report = ran.json();
        assert_eq!(ran.code, Some(1), "{report}");
        assert!(ran.stderr.contains(" corrupt, ") && ran.stderr.contains("byte 20 "), "{}", ran.stderr);
        assert!(!report.to_string().contains("is it an echo server"), "{report}");
    }
}

/// A listener whose queue holds one connection, and connects to it that were begun and mostly dropped.
fn overflowing(connects: usize) -> (TcpListener, Vec<Socket>) {
    let listener = short_queue();
    let begun = fill(listener.local_addr().unwrap(), connects);
    (listener, begun)
}

/// Connects that were dropped in the ramp cost it a second; the server begins to accept when that has happened.
#[test]
fn a_listen_queue_that_overflows_in_the_ramp_is_told() {
    let (listener, full) = overflowing(4);
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        let _full = full;
        std::thread::park_timeout(Duration::from_millis(300));
        while let Ok((stream, _)) = listener.accept() {
            std::thread::spawn(move || echo(stream, |_| true));
        }
    });
    let ran = short(address, &["-c", "2"]);
    let verdict = ran.json()["trials"][0]["verdict"].clone();
    assert_eq!((ran.code, &verdict["level"]), (Some(0), &"suspect".into()), "{verdict}");
    assert!(
        verdict["reasons"].to_string().contains("full listen queues on this machine dropped"),
        "{verdict}"
    );
}

/// What others' listen queues drop is nothing to a load whose connections are all there.
#[test]
fn a_listen_queue_of_others_is_no_doubt() {
    let once = std::sync::Once::new();
    let often = every(200);
    let others = std::sync::Mutex::new(None);
    let server = serve(move |stream, _| {
        echo(stream, |_| {
            if often() {
                once.call_once(|| *others.lock().unwrap() = Some(overflowing(100)));
            }
            true
        });
    });
    let ran = short(server, &["-c", "2", "-w", "0"]);
    let dropped = ran.json()["trials"][0]["machine"]["listen_overflows"].as_u64().unwrap();
    // other tests may have overflown some queue in our ramp
    assert!(dropped < 90, "{dropped}");
}

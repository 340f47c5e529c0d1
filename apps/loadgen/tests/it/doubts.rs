//! Figures that must not be believed: a run that measured nothing, or something else, says so.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::time::{Duration, Instant};

use socket2::{Domain, SockAddr, Socket, Type};

use crate::tool::{correct, echo, every, serve, short};

/// Answers one request on each of so many connections, then accepts no more: its listen queue is full of its own
/// connects, and stays so.
fn closes_its_door_after(served: usize) -> SocketAddr {
    let listener = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    listener.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into()).unwrap();
    listener.listen(1).unwrap();
    let listener = TcpListener::from(listener);
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
                for _ in 0..8 {
                    let connect = Socket::new(Domain::IPV4, Type::STREAM.nonblocking(), None).unwrap();
                    let _ = connect.connect(&SockAddr::from(address));
                    own.push(connect);
                }
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

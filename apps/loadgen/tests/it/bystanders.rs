//! Connections that are not measured: idle, slow and greedy ones.

use std::net::SocketAddr;
use std::time::Duration;

use serde_json::Value;

use crate::tool::{Ran, correct, echo, pool, ran, serve, short, silent};

/// The bystanders of the first trial.
fn beside(ran: &Ran) -> Value {
    ran.client()["bystanders"].clone()
}

fn fate(asked: usize, established: usize, served: usize, closed: usize, reset: usize) -> Value {
    serde_json::json!({
        "asked": asked, "established": established, "served": served, "closed": closed, "reset": reset, "wrong": 0
    })
}

/// Ends the first `few` connections when they have said nothing for a while: bystanders come first. The others are
/// served for ever, however long a busy machine keeps them silent.
fn ends_idle(few: usize, linger: Option<Duration>) -> SocketAddr {
    serve(move |stream, number| {
        if number < few {
            stream.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
            socket2::SockRef::from(&stream).set_linger(linger).unwrap();
        }
        echo(stream, |_| true);
    })
}

#[test]
fn all_kinds_are_there_and_everybody_measured_is_served() {
    let run = short(correct(), &["-c", "4", "--idle", "3", "--slow", "4", "--greedy", "2", "-d", "400ms"]);
    assert_eq!(run.code, Some(0), "{} {}", run.stdout, run.stderr);
    let (client, beside) = (run.client(), beside(&run));
    assert_eq!(client["connections"]["served"], 4, "{client}");
    assert_eq!(client["connections"]["requested"], 4, "bystanders are no measured connections: {client}");
    assert_eq!(client["requests"]["balanced"], true, "{client}");
    assert_eq!(beside["idle"], fate(3, 3, 3, 0, 0), "{beside}");
    assert_eq!(beside["dribblers"], fate(2, 2, 0, 0, 0), "{beside}");
    assert!(beside["dribbled_bytes"].as_u64() > Some(0), "{beside}");
    assert_eq!(beside["never_readers"], fate(2, 2, 0, 0, 0), "{beside}");
    assert_eq!(beside["full"], 2, "an echo that waits for its reader stops reading: {beside}");
    assert_eq!(beside["greedy"], fate(2, 2, 2, 0, 0), "{beside}");
    assert!(beside["greedy_requests_per_second"].as_f64() > Some(0.0), "{beside}");
    assert!(beside["cpu_seconds"].as_f64() > Some(0.0), "{beside}");
    let load = &run.json()["workloads"][0]["load"];
    assert_eq!(load["bystanders"], serde_json::json!({"idle": 3, "slow": 4, "greedy": 2}));
}

#[test]
fn without_any_there_is_nothing_to_tell() {
    assert_eq!(beside(&short(correct(), &["-c", "2"])), Value::Null);
}

#[test]
fn a_server_that_ends_idle_connections_is_told_and_does_not_fail() {
    // without time to linger a close is a reset
    for (linger, ended) in [(None, fate(5, 5, 5, 5, 0)), (Some(Duration::ZERO), fate(5, 5, 5, 0, 5))] {
        let run = short(ends_idle(5, linger), &["-c", "2", "--idle", "5", "-d", "500ms"]);
        assert_eq!(run.code, Some(0), "{} {}", run.stdout, run.stderr);
        assert_eq!(beside(&run)["idle"], ended);
        assert!(run.classes().is_empty());
    }
}

#[test]
fn idle_connections_that_hold_every_worker_end_the_run_with_a_reason() {
    let run = short(pool(2), &["-c", "3", "--idle", "2", "-T", "300ms"]);
    assert_eq!(run.code, Some(1), "{} {}", run.stdout, run.stderr);
    assert_eq!(beside(&run)["idle"], fate(2, 2, 2, 0, 0), "{}", run.stdout);
    assert_eq!(run.client()["connections"]["served"], 0);
    assert!(run.stderr.contains("hold every worker"), "{}", run.stderr);
}

/// One worker is left: those that it does not serve wait, and that is no error.
#[test]
fn a_worker_that_is_left_serves_one_of_the_measured() {
    let run = short(pool(3), &["-c", "3", "--idle", "2", "-T", "300ms"]);
    assert_eq!(run.code, Some(0), "{} {}", run.stdout, run.stderr);
    assert_eq!(run.client()["connections"]["served"], 1);
    assert_eq!(run.client()["connections"]["unanswered"], 2);
    assert!(run.classes().is_empty(), "{}", run.stdout);
}

#[test]
fn idle_connections_that_are_never_answered_hold_the_run_up_for_the_time_limit_only() {
    let run = short(silent(), &["-c", "1", "--idle", "2", "-T", "200ms"]);
    assert_eq!(run.code, Some(1), "{}", run.stdout);
    assert_eq!(beside(&run)["idle"], fate(2, 2, 0, 0, 0), "{}", run.stdout);
    assert!(run.stderr.contains("is it an echo server?"), "{}", run.stderr);
}

#[test]
fn a_wrong_reply_to_a_bystander_is_counted() {
    let server = serve(|stream, number| {
        echo(stream, |piece| {
            if number == 0 {
                piece[0] ^= 1;
            }
            true
        });
    });
    let run = short(server, &["-c", "1", "--idle", "2"]);
    assert_eq!(run.code, Some(1), "every byte is checked: {}", run.stdout);
    assert_eq!(
        (beside(&run)["idle"]["wrong"].clone(), beside(&run)["idle"]["served"].clone()),
        (1.into(), 1.into())
    );
}

/// A server that reads on and never waits for a reader has no bound; the sender has one.
#[test]
fn a_never_reader_stops_at_its_own_bound() {
    let server = serve(|mut stream, number| {
        if number == 1 {
            let _ = std::io::copy(&mut stream, &mut std::io::sink());
        } else {
            echo(stream, |_| true);
        }
    });
    let run = short(server, &["-c", "1", "--slow", "2", "-d", "1s"]);
    assert_eq!(run.code, Some(0), "{} {}", run.stdout, run.stderr);
    let taken = beside(&run)["taken_bytes"].as_u64().unwrap();
    assert!((1..=(64 << 20) + (64 << 10)).contains(&taken), "{taken}");
}

#[test]
fn the_text_tells_of_fairness_and_of_each_kind() {
    let address = correct().to_string();
    let arguments =
        ["run", &address, "-c", "3", "-d", "200ms", "-w", "50ms", "--quiet", "--idle", "2", "--greedy", "1"];
    let run = ran(&arguments);
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    let stdout = run.stdout.split_whitespace().collect::<Vec<_>>().join(" ");
    for text in [
        "3 connections, 64 B messages, kept, beside 2 idle and 1 greedy connections",
        "fairness Jain ",
        "idle 2 served of 2 established of 2 requested ",
        "greedy 1 served of 1 established of 1 requested; ",
        "of CPU for them in loadgen",
    ] {
        assert!(stdout.contains(text), "{text:?} is missing: {}", run.stdout);
    }
}

#[test]
fn connections_open_at_the_rate_that_was_asked_for_and_from_as_many_addresses() {
    let server = correct();
    let begin = std::time::Instant::now();
    let run =
        short(server, &["-c", "20", "--connect-rate", "50", "-d", "100ms", "-w", "0s", "--sources", "3"]);
    assert_eq!(run.code, Some(0), "{} {}", run.stdout, run.stderr);
    assert!(begin.elapsed() >= Duration::from_millis(380), "{:?}", begin.elapsed());
    assert_eq!(run.json()["workloads"][0]["load"]["sources"], 3);
}

#[test]
fn what_this_machine_cannot_have_is_told_before_anything_is_opened() {
    let refused = |arguments: &[&str]| {
        let run = ran(&[&["run", "127.0.0.1:9", "--quiet"], arguments].concat());
        assert!(run.stderr.lines().count() == 1, "{}", run.stderr);
        (run.code, run.stderr)
    };
    let (code, message) = refused(&["-c", "100000", "--idle", "100000", "--sources", "1"]);
    assert_eq!(code, Some(1), "{message}");
    assert!(message.contains("descriptors") || message.contains("local ports"), "{message}");
    assert_eq!(refused(&["--slow", "1m"]).0, Some(2));
    assert_eq!(refused(&["--connect-rate", "5", "--ramp", "1s"]).0, Some(2));
    assert_eq!(refused(&["--sources", "0"]).0, Some(2));
}

//! `--stats`: JSON with the right numbers, in a file or on stdout.

use std::io::{BufReader, Read};
use std::process::Stdio;

use common::ready::Ready;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;
use tcp_echo::model::Mode;

use crate::client::Client;
use crate::server::{Server, program};
use crate::variants::Variant;

on_every_variant! { the_numbers_are_right }

fn the_numbers_are_right(variant: Variant) {
    let server = Server::start(variant, "");
    let pid = server.pid;
    let together = variant.at_a_time(3);
    let mut staying: Vec<Client> = (0..together).map(|_| Client::of(&server)).collect();
    staying.iter_mut().for_each(|client| client.expect_echo(&[1; 1000]));
    if together == 1 {
        // nobody else is served while this one stays
        staying.clear();
    }
    for _ in 0..13 - together {
        Client::of(&server).expect_echo_then_end(&[2; 100]);
    }
    drop(staying);
    let outcome = server.stop();
    let bytes = 1_000 * together as u64 + 100 * (13 - together as u64);
    // one connection warmed the server up
    assert_eq!(outcome.stat("connections"), 14, "{}", variant.name);
    assert_eq!(outcome.stat("bytes"), bytes, "{}", variant.name);
    // a passing client's place may be taken again before its handler has quite gone
    assert!(
        (together as u64..=6).contains(&outcome.stat("max_active")),
        "{}: {}",
        variant.name,
        outcome.stats
    );
    assert_eq!(outcome.stat("pid"), pid as u64);
    let kinds = ["accept", "exhausted", "spawn", "rejected", "broken", "idle", "stalled", "panic", "crash"];
    for kind in kinds {
        assert_eq!(outcome.stat(&format!("errors.{kind}")), 0, "{}: {kind}", variant.name);
    }
    let workers = outcome.stats["workers"].as_array().unwrap();
    assert_eq!(workers.len(), variant.needs().workers, "{}", variant.name);
    let sum = |key: &str| workers.iter().map(|worker| worker[key].as_u64().unwrap()).sum::<u64>();
    if !workers.is_empty() {
        assert_eq!((sum("accepted"), sum("bytes")), (14, bytes), "{}: {}", variant.name, outcome.stats);
        assert_eq!((sum("active"), sum("restarts")), (0, 0), "{}: {}", variant.name, outcome.stats);
    }
    let through_the_queue = match variant.mode() {
        Mode::Pool => 14..15,
        // requests, or what looked like one
        Mode::Hybrid => 14..100,
        _ => 0..1,
    };
    assert!(through_the_queue.contains(&outcome.stat("queue.taken")), "{}: {}", variant.name, outcome.stats);
    for whose in ["usage_self", "usage_children"] {
        let used = &outcome.stats[whose];
        for number in ["user_seconds", "system_seconds"] {
            assert!(used[number].is_number(), "{}: {whose}.{number}", variant.name);
        }
        for count in
            ["voluntary_context_switches", "involuntary_context_switches", "minor_faults", "max_rss_kib"]
        {
            assert!(used[count].is_u64(), "{}: {whose}.{count}", variant.name);
        }
    }
    let children = outcome.stat("usage_children.minor_faults");
    assert_eq!(children > 0, variant.isolates_crashes(), "{}: children were not counted", variant.name);
    assert!(outcome.log.contains("served 14 connections in"), "{}", outcome.log);
}

#[test]
fn a_dash_is_stdout_after_the_ready_line() {
    let mut child = program()
        .args(["--port", "0", "--stats", "-"])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    let ready = Ready::await_from(&mut stdout).unwrap();
    assert_eq!(ready.about, "mode thread");
    kill(Pid::from_raw(ready.pid.try_into().unwrap()), Signal::SIGTERM).unwrap();
    let mut json = String::new();
    stdout.read_to_string(&mut json).unwrap();
    let stats: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(stats["connections"], 0);
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

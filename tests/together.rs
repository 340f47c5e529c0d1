//! Both programs together: loadgen beside every model of tcp-echo, and what the two say about the same traffic.
//!
//! The programs lie beside this test's own folder, where `scripts/test` has built them.
#![expect(clippy::unwrap_used, reason = "whatever fails here is a failed test")]

use std::fs;
use std::io::BufReader;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use common::ready::Ready;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

const MODELS: &[&[&str]] = &[
    &["--mode", "thread"],
    &["--mode", "thread", "--spare", "8"],
    &["--mode", "process"],
    &["--mode", "process", "--spawn", "exec"],
    &["--mode", "pool", "--workers", "8"],
    &["--mode", "pool", "--of", "processes", "--workers", "8"],
];

/// A program of the suite; `None`, and why, if it has not been built.
fn program(name: &str) -> Option<PathBuf> {
    let own = std::env::current_exe().unwrap();
    let path = own.parent().unwrap().parent().unwrap().join(name);
    if path.is_file() {
        return Some(path);
    }
    let allowed = std::env::var("CI").as_deref() != Ok("true");
    assert!(allowed, "{} is missing, and with CI=true no test may be skipped", path.display());
    eprintln!("SKIPPED: {} is missing: run scripts/test, or cargo build first", path.display());
    None
}

/// Kills the server if the test fails half-way.
struct Guard(Child);

impl Drop for Guard {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Runs loadgen against this model; gives what each of them reports.
fn measured(model: &[&str], load: &[&str]) -> Option<(Value, Value)> {
    both(model, load, 0)
}

/// Likewise, where loadgen ends with this exit code.
fn both(model: &[&str], load: &[&str], code: i32) -> Option<(Value, Value)> {
    let (tcp_echo, loadgen) = (program("tcp-echo")?, program("loadgen")?);
    let folder = tempfile::tempdir().unwrap();
    let stats = folder.path().join("stats");
    let mut command = Command::new(tcp_echo);
    command.args(model).args(["--port", "0", "--stats"]).arg(&stats);
    let mut server = Guard(command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap());
    let ready = Ready::await_from(BufReader::new(server.0.stdout.take().unwrap())).unwrap();
    let output = Command::new(loadgen)
        .args(["run", &ready.address.to_string(), "-w", "0s", "-J"])
        .args(load)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{model:?} {load:?}: {said}");
    kill(Pid::from_raw(ready.pid.try_into().unwrap()), Signal::SIGTERM).unwrap();
    assert_eq!(server.0.wait().unwrap().code(), Some(0), "{model:?}");
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    // it found out by itself who serves, and whether that is one process or many
    let accounting = &report["subjects"][0]["accounting"];
    assert_eq!(accounting["counted"]["pids"], serde_json::json!([ready.pid]), "{model:?}: {accounting}");
    let cost = &report["trials"][0]["server"];
    assert!(code != 0 || cost["cpu_us_per_request"].as_f64() > Some(0.0), "{model:?}: {cost}");
    let stats: Value = serde_json::from_str(&fs::read_to_string(stats).unwrap()).unwrap();
    Some((report["trials"][0]["client"].clone(), stats))
}

#[test]
fn they_agree_on_connections_that_stay() {
    for model in MODELS {
        let Some((client, server)) = measured(model, &["-c", "4", "-n", "1000", "-s", "100"]) else { return };
        assert_eq!(client["requests"]["ok"], 1000, "{model:?}: {client}");
        assert_eq!(client["requests"]["balanced"], true, "{model:?}: {client}");
        assert_eq!(client["connections"]["served"], 4, "{model:?}: {client}");
        assert_eq!(server["connections"], 4, "{model:?}: {server}");
        assert_eq!(server["bytes"], 100_000, "{model:?}: {server}");
        assert!(client["errors"].as_array().unwrap().is_empty(), "{model:?}: {client}");
        assert!(server["errors"].as_object().unwrap().values().all(|n| n == 0), "{model:?}: {server}");
    }
}

/// A connection for each request: those of the start, and those that were opened while it measured.
#[test]
fn they_agree_on_connections_that_pass() {
    for model in MODELS {
        let load = ["-c", "4", "-n", "300", "--reconnect", "1", "-s", "100"];
        let Some((client, server)) = measured(model, &load) else { return };
        assert_eq!(client["requests"]["ok"], 300, "{model:?}: {client}");
        assert_eq!(server["bytes"], 30_000, "{model:?}: {server}");
        let count = |name: &str| client["connections"][name].as_u64().unwrap();
        assert_eq!(
            server["connections"],
            count("established") + count("opened"),
            "{model:?}: {client} {server}"
        );
    }
}

/// One loop serves everybody: who sleeps, dribbles or never reads costs the others nothing but memory.
#[test]
fn an_event_loop_serves_everybody_beside_idle_and_slow_connections() {
    let load = ["-c", "4", "-n", "1000", "--idle", "50", "--slow", "4", "--greedy", "1"];
    let Some((client, server)) = measured(&["--mode", "event-loop"], &load) else { return };
    assert_eq!(client["requests"]["ok"], 1000, "{client}");
    assert_eq!(client["connections"]["served"], 4, "{client}");
    let beside = &client["bystanders"];
    assert_eq!(beside["idle"]["served"], 50, "{beside}");
    assert_eq!(beside["dribblers"]["established"], 2, "{beside}");
    assert_eq!(beside["never_readers"]["established"], 2, "{beside}");
    assert_eq!(beside["greedy"]["served"], 1, "{beside}");
    assert_eq!(server["connections"], 59, "{server}");
}

/// A worker belongs to a connection until it ends: two that sleep hold both.
#[test]
fn a_pool_whose_workers_idle_connections_hold_serves_nobody_and_the_run_says_so() {
    let load = ["-c", "2", "-d", "200ms", "--idle", "2", "-T", "500ms"];
    let Some((client, _)) = both(&["--mode", "pool", "--workers", "2"], &load, 1) else { return };
    assert_eq!(client["ending"], "not_served", "{client}");
    assert_eq!(client["connections"]["served"], 0, "{client}");
    assert_eq!(client["bystanders"]["idle"]["served"], 2, "{client}");
}

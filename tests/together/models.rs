//! What loadgen and each model of tcp-echo say about the same traffic.

use serde_json::Value;

use crate::programs::{Echo, beside_others, report, run};

const MODELS: &[&[&str]] = &[
    &["--mode", "thread"],
    &["--mode", "thread", "--spare", "8"],
    &["--mode", "process"],
    &["--mode", "process", "--spawn", "exec"],
    &["--mode", "pool", "--workers", "8"],
    &["--mode", "pool", "--of", "processes", "--workers", "8"],
];

/// Runs loadgen against this model; gives what each of them reports.
fn measured(model: &[&str], load: &[&str]) -> Option<(Value, Value)> {
    both(model, load, 0)
}

/// Likewise, where loadgen ends with this exit code.
fn both(model: &[&str], load: &[&str], code: i32) -> Option<(Value, Value)> {
    let server = Echo::start(model)?;
    let report = report(&run(server.address, &[&["-w", "0s"], load].concat())?.output().unwrap(), code);
    // it found out by itself who serves, and whether that is one process or many
    let accounting = &report["subjects"][0]["accounting"];
    assert_eq!(accounting["counted"]["pids"], serde_json::json!([server.pid]), "{model:?}: {accounting}");
    let cost = &report["trials"][0]["server"];
    assert!(code != 0 || cost["cpu_us_per_request"].as_f64() > Some(0.0), "{model:?}: {cost}");
    Some((report["trials"][0]["client"].clone(), server.stop()))
}

#[test]
fn they_agree_on_connections_that_stay() {
    let _turn = beside_others();
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
    let _turn = beside_others();
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
    let _turn = beside_others();
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
    let _turn = beside_others();
    let load = ["-c", "2", "-d", "200ms", "--idle", "2", "-T", "500ms"];
    let Some((client, _)) = both(&["--mode", "pool", "--workers", "2"], &load, 1) else { return };
    assert_eq!(client["ending"], "not_served", "{client}");
    assert_eq!(client["connections"]["served"], 0, "{client}");
    assert_eq!(client["bystanders"]["idle"]["served"], 2, "{client}");
}

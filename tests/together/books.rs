//! Nothing is lost between the books of loadgen and those of tcp-echo, whatever the load.

use std::io::BufRead;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

use crate::programs::{Echo, beside_others, measured, report, run};

/// Bytes of every request here.
const SIZE: u64 = 100;

fn count(value: &Value) -> u64 {
    value.as_u64().unwrap_or_else(|| panic!("no count: {value}"))
}

/// Requests that the server has answered.
fn answered(server: &Value) -> u64 {
    let bytes = count(&server["bytes"]);
    assert!(bytes.is_multiple_of(SIZE), "half a request was answered: {server}");
    bytes / SIZE
}

/// Right replies of the whole run, warm-up included.
fn replies(client: &Value) -> u64 {
    count(&client["requests"]["ok"]) + count(&client["requests"]["warmup_ok"])
}

/// One run against one server; what both counted.
fn counted(load: &[&str]) -> Option<(Value, Value)> {
    let server = Echo::start(&[])?;
    let client = measured(server.address, &[&["-s", "100"], load].concat())?;
    Some((client, server.stop()))
}

#[test]
fn both_count_the_same_under_every_kind_of_load() {
    let _turn = beside_others();
    let loads: [&[&str]; 6] = [
        &["-c", "4", "-d", "200ms", "-w", "50ms"],
        &["-c", "4", "-d", "200ms", "-w", "50ms", "-P", "8"],
        &["-c", "6", "-t", "3", "-d", "200ms", "-w", "50ms", "-P", "4"],
        &["-c", "4", "-d", "300ms", "-w", "50ms", "-R", "2000", "--arrivals", "poisson"],
        &["-c", "4", "-d", "300ms", "-w", "50ms", "-R", "1000", "--arrivals", "burst:20"],
        &["-c", "4", "-d", "300ms", "-w", "50ms", "-R", "100:3000", "-t", "2"],
    ];
    for load in loads {
        let Some((client, server)) = counted(load) else { return };
        assert_eq!(client["requests"]["balanced"], true, "{load:?}: {client}");
        assert!(replies(&client) > 0, "{load:?}: {client}");
        assert_eq!(replies(&client), answered(&server), "{load:?}: {client} {server}");
        assert_eq!(
            client["connections"]["established"], server["connections"],
            "{load:?}: {client} {server}"
        );
    }
}

#[test]
fn both_count_the_same_where_connections_come_and_go() {
    let _turn = beside_others();
    for load in
        [&["--reconnect", "1"][..], &["--reconnect", "5", "-P", "2"], &["--reconnect", "1", "-R", "500"]]
    {
        let load = [&["-c", "4", "-d", "300ms", "-w", "0"], load].concat();
        let Some((client, server)) = counted(&load) else { return };
        assert_eq!(replies(&client), answered(&server), "{load:?}: {client} {server}");
        let of = |name: &str| count(&client["connections"][name]);
        let opened = of("established") + of("opened");
        // whose handshake the server's kernel ends just before the end is known to the server only
        let most = opened + of("connecting_at_end");
        assert!((opened..=most).contains(&count(&server["connections"])), "{load:?}: {client} {server}");
    }
}

#[test]
fn the_trials_of_a_sweep_add_up_to_what_the_server_counts() {
    let _turn = beside_others();
    let Some(server) = Echo::start(&[]) else { return };
    let load = ["-c", "1,3,8", "-x", "2", "-d", "100ms", "-w", "20ms", "-s", "100"];
    let Some(mut command) = run(server.address, &load) else { return };
    let report = report(&command.output().unwrap(), 0);
    let trials = report["trials"].as_array().unwrap();
    assert_eq!(trials.len(), 6, "{report}");
    let sum: u64 = trials.iter().map(|trial| replies(&trial["client"])).sum();
    let server = server.stop();
    assert_eq!((sum, 2 * (1 + 3 + 8)), (answered(&server), count(&server["connections"])), "{server}");
}

/// The server has done what was counted, and nothing that was not under way.
#[test]
fn an_interrupted_run_hides_nothing() {
    let _turn = beside_others();
    for load in [&["-P", "4"][..], &["-R", "5000"], &["--reconnect", "3"]] {
        let Some((server, log)) = Echo::start_talking(&[]) else { return };
        let all = [&["-c", "4", "-s", "100", "-d", "60s", "-w", "0"], load].concat();
        let Some(child) = run(server.address, &all).map(|mut command| command.spawn().unwrap()) else {
            return;
        };
        // so much has been logged when it is in the middle of its work
        assert_eq!(log.lines().take(200).filter(Result::is_ok).count(), 200);
        kill(Pid::from_raw(child.id().cast_signed()), Signal::SIGINT).unwrap();
        let report = report(&child.wait_with_output().unwrap(), 130);
        let client = &report["trials"][0]["client"];
        let books = &client["requests"];
        assert_eq!(books["balanced"], true, "{load:?}: {client}");
        let lost: u64 = books["lost"].as_array().unwrap().iter().map(|loss| count(&loss["requests"])).sum();
        let most = replies(client) + lost + count(&books["in_flight_at_end"]);
        let done = count(&server.stop()["bytes"]).div_ceil(SIZE);
        assert!((replies(client)..=most).contains(&done), "{load:?}: the server did {done}: {client}");
    }
}

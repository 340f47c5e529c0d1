//! The experiments that are about failing: a crash, a stop, more than a server can do. Theory is certain of who falls.

use crate::experiments::{echo_in_python, experiment, figure, row, sentences};
use crate::programs::{alone, beside_others, number};

const MODES: [&str; 3] = ["process", "thread", "event-loop"];

#[test]
fn a_crash_ends_what_shares_its_process() {
    let _turn = beside_others();
    let python = echo_in_python();
    let servers = ["--modes", "process,thread,event-loop", "--server", &python, "-c", "50"];
    let Some(report) = experiment("crash", &servers) else { return };
    let of = |mode: &str, load: &str, name: &str| figure(&report, mode, &format!("crash: {load}"), name);
    for mode in MODES {
        // a panic: nobody else
        assert_eq!(of(mode, "a panic", "crashes"), Some(1.0), "{mode}: {}", sentences(&report));
        assert_eq!(of(mode, "a panic", "connections_lost"), Some(0.0), "{mode}: {}", sentences(&report));
        assert!(of(mode, "a panic", "recovered_ms").is_some(), "{mode}: {}", sentences(&report));
        // an abort: the process, and who is in it
        let alone_in_its_process = mode == "process";
        // (one that is opened again before the server is gone, and is reset as well, counts again)
        let lost = of(mode, "an abort", "connections_lost").unwrap();
        let right = if alone_in_its_process { lost == 0.0 } else { lost >= 50.0 };
        assert!(right, "{mode}: {lost}: {}", sentences(&report));
        assert_eq!(of(mode, "an abort", "recovered_ms").is_some(), alone_in_its_process, "{mode}");
        // a kill hits one of those that are measured, or all
        let killed = "kill -9 of a process";
        let lost = of(mode, killed, "connections_lost").unwrap();
        let right = if alone_in_its_process { lost == 1.0 } else { lost >= 50.0 };
        assert!(right, "{mode}: {lost}: {}", sentences(&report));
        assert_eq!(of(mode, killed, "recovered_ms").is_some(), alone_in_its_process, "{mode}");
        // what is provoked is no failure of the experiment
        assert_ne!(row(&report, mode, "crash: an abort")["verdict"]["level"], "failed", "{report}");
    }
    // one of somebody else's is one process: it can be killed, and is asked for nothing that it does not know
    let lost = of("py", "kill -9 of a process", "connections_lost");
    assert!(lost >= Some(50.0), "{lost:?}: {}", sentences(&report));
    let rows = report["summary"].as_array().unwrap();
    assert_eq!(rows.iter().filter(|row| row["subject"] == "py").count(), 1, "{report}");
    assert!(sentences(&report).contains("thread: 50 of 50 others lost"), "{}", sentences(&report));
    assert!(sentences(&report).contains("process: 1 of 50 connections lost"), "{}", sentences(&report));
}

/// What a server has accepted it answers before it leaves.
#[test]
fn a_server_that_drains_loses_nothing_of_what_it_has_accepted() {
    let _turn = beside_others();
    let python = echo_in_python();
    let servers = ["--modes", "process,thread,event-loop", "--server", &python, "-c", "8"];
    let Some(report) = experiment("shutdown", &servers) else { return };
    let (each, kept) = ("shutdown: a connection for each request", "shutdown: connections that are kept");
    for mode in MODES {
        let lost = figure(&report, mode, each, "requests_lost").unwrap();
        assert!(lost == 0.0, "{mode}: {lost}: {}", sentences(&report));
        // those that never fall silent are cut, but none loses more than what is under way
        let lost = figure(&report, mode, kept, "requests_lost").unwrap();
        assert!(lost <= 8.0, "{mode}: {lost}: {}", sentences(&report));
        // told to drain for 500 ms, it is gone after that and not at once (after 400 ms if the clients fall silent)
        let left = figure(&report, mode, kept, "left_after_ms").unwrap();
        assert!((350.0..4000.0).contains(&left), "{mode}: {left}: {}", sentences(&report));
    }
    // nobody taught this one to drain: SIGTERM ends it, with all that is under way
    let left = figure(&report, "py", kept, "left_after_ms").unwrap();
    assert!(left < 1000.0, "{left}: {}", sentences(&report));
    assert!(figure(&report, "py", kept, "requests_lost") <= Some(8.0), "{}", sentences(&report));
}

#[test]
fn half_of_what_a_server_can_do_is_done_and_half_as_much_again_is_not() {
    let _turn = alone();
    let python = echo_in_python();
    let servers = ["--modes", "thread", "--server", &python, "-c", "16"];
    let Some(report) = experiment("overload", &servers) else { return };
    for subject in ["thread", "py"] {
        assert!(number(&row(&report, subject, "overload: knee")["requests_per_second"]["median"]) > 0.0);
        let done = |load: &str| {
            let rate = number(&row(&report, subject, load)["requests_per_second"]["median"]);
            rate / figure(&report, subject, load, "offered_per_second").unwrap()
        };
        assert!(done("overload: 50 %") >= 0.95, "{subject}: {}", sentences(&report));
        let unsent = figure(&report, subject, "overload: 150 %", "unsent_percent").unwrap();
        assert!(unsent > 0.0, "{subject}: {}", sentences(&report));
        let told = format!("{subject}, knee ");
        assert!(sentences(&report).contains(&told) && sentences(&report).contains("asked for 50 % it did"));
    }
}

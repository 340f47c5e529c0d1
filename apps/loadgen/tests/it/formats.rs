//! The forms of a report, compared with files. `BLESS=1 cargo test -p loadgen` writes these files anew: look at the
//! difference before you commit it.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use loadgen::drive::Ending;
use loadgen::gates::Gates;
use loadgen::measure::Class;
use loadgen::measure::Quantiles;
use loadgen::measure::verdict::{Level, Limit, Verdict};
use loadgen::ping::Protocol;
use loadgen::plan::{Arrivals, Bystanders, Load, Stop};
use loadgen::report::data::{
    Accounting, Books, Client, Connections, Cost, ErrorCount, Fairness, NamedLoad, Report, SCHEMA, Subject,
    Verb,
};
use loadgen::report::text::{View, render};
use loadgen::report::{Trial, csv, json, markdown};
use loadgen::subject::machine::{Between, Platform};
use loadgen::subject::placement::Placement;

#[test]
fn each_form_of_a_comparison() {
    let report = comparison();
    golden("compare.120.txt", &render(&report, View { width: 120, colour: false }));
    golden("compare.80.txt", &render(&report, View { width: 80, colour: false }));
    golden("compare.json", &json::render(&report));
    golden("compare.csv", &csv::render(&report));
    golden("compare.md", &markdown::render(&report));
}

#[test]
fn each_form_of_a_run() {
    let report = single();
    golden("run.txt", &render(&report, View { width: 120, colour: false }));
    golden("run.60.txt", &render(&report, View { width: 60, colour: false }));
    golden("run.md", &markdown::render(&report));
}

/// A run whose server was found, and one whose server was not.
#[test]
fn a_run_says_what_the_server_cost_or_why_that_is_not_known() {
    let mut report = single();
    report.subjects[0].accounting = Some(Accounting::Counted {
        pids: vec![1234],
        name: "redis-server".into(),
        how: "found by its listening socket".into(),
    });
    report.trials[0].server = Some(cost(3.21, Some(1024.0)));
    report.trials[0].limited_by = Some(Limit::Server);
    let plain = View { width: 120, colour: false };
    golden("run.server.txt", &render(&report, plain));
    report.subjects[0].accounting = Some(Accounting::NotCounted("it hides".into()));
    report.trials[0].server = None;
    let text = render(&report, plain);
    assert!(text.contains("server           its cost is not known: it hides"), "{text}");
}

#[test]
fn no_line_is_wider_than_the_terminal_and_colours_are_only_added() {
    let report = comparison();
    for width in [60, 80, 120, 200] {
        let plain = render(&report, View { width, colour: false });
        let widest = plain.lines().map(|line| line.chars().count()).max().unwrap();
        assert!(widest <= width, "{widest} > {width}");
        let coloured = render(&report, View { width, colour: true });
        assert!(coloured.contains("\x1b[1;31mFAILED\x1b[0m"));
        let stripped = coloured.replace("\x1b[1;31m", "").replace("\x1b[1;33m", "").replace("\x1b[0m", "");
        assert_eq!(stripped, plain);
    }
}

pub(crate) fn golden(name: &str, text: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name);
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(&path, text).unwrap();
    }
    let expected = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(text == expected, "{name} differs; expected:\n{expected}\ngot:\n{text}");
}

pub(crate) fn load(reconnect: Option<u64>) -> Load {
    Load {
        connections: 50,
        stop: Stop::After(Duration::from_secs(2)),
        threads: 1,
        size: 64,
        protocol: Protocol::Pattern,
        depth: 1,
        warmup: Duration::from_millis(500),
        reconnect,
        timeout: Duration::from_secs(5),
        arrivals: Arrivals::AfterReply,
        bystanders: Bystanders::default(),
        ramp: None,
        sources: None,
        interval: Duration::from_secs(1),
    }
}

pub(crate) fn blank(command: Verb) -> Report {
    Report {
        schema: SCHEMA,
        command,
        command_line: vec!["loadgen".into(), command.word().into()],
        started: "2026-11-20T14:03:59+01:00".into(),
        interrupted: false,
        seed: None,
        trials_planned: 2,
        placement: Placement { server: vec![0], client: vec![1] },
        platform: Platform {
            kernel: "Linux 6.18.0".into(),
            cpu: "Example CPU 3000".into(),
            cpus_online: 2,
            cpus_allowed: vec![0, 1],
            governor: Some("performance".into()),
            somaxconn: Some("4096".into()),
            local_ports: Some("32768-60999".into()),
            descriptors: 65_536,
            loadgen: "0.1.0".into(),
        },
        scenarios: vec![],
        workloads: vec![],
        subjects: vec![],
        summary: vec![],
        comparison: None,
        promises: vec![],
        baseline: None,
        trials: vec![],
        checks: vec![],
        found: None,
    }
}

pub(crate) fn comparison() -> Report {
    let mut report = blank(Verb::Compare);
    report.seed = Some(42);
    report.workloads = vec![
        NamedLoad { name: "persistent".into(), scenario: None, load: load(None) },
        NamedLoad { name: "churn".into(), scenario: None, load: load(Some(1)) },
    ];
    report.subjects = [("thread", None), ("process", None), ("pool (2 workers)", Some(2))]
        .map(|(name, workers)| Subject {
            name: name.into(),
            command_line: Some(vec!["tcp-echo".into(), "--mode".into(), name.into()]),
            workers,
            accounting: None,
        })
        .to_vec();
    for number in 1..=2 {
        let drift = f64::from(number - 1) * 4_000.0;
        report.add(trial(
            number,
            "persistent",
            "thread",
            client(110_000.0 + drift, 50),
            Some(cost(8.2, Some(14_745.6))),
        ));
        report.add(trial(
            number,
            "persistent",
            "pool (2 workers)",
            client(76_000.0 + drift, 2),
            Some(cost(7.6, Some(614.0))),
        ));
        report.add(trial(number, "churn", "thread", client(24_000.0 + drift, 50), Some(cost(36.9, None))));
    }
    let mut failed = trial(1, "persistent", "process", client(90_000.0, 50), None);
    failed.verdict.add(Level::Failed, "died in the run: it was killed by SIGKILL");
    failed
        .verdict
        .add(Level::Failed, "7 connections reset by the server (connection reset by peer), 9 requests lost");
    if let Some(client) = &mut failed.client {
        client.errors = vec![reset()];
        client.requests.lost = vec![reset()];
    }
    report.add(failed);
    let mut absent = trial(2, "persistent", "process", client(1.0, 1), None);
    (absent.client, absent.limited_by, absent.machine) = (None, None, None);
    absent.verdict.add(Level::Failed, "could not be started: it said \"no\", twice");
    report.add(absent);
    Gates::default().conclude(&mut report, None);
    report
}

pub(crate) fn single() -> Report {
    let mut report = blank(Verb::Run);
    report.trials_planned = 1;
    report.placement.server.clear();
    report.workloads = vec![NamedLoad { name: "persistent".into(), scenario: None, load: load(None) }];
    report.subjects =
        vec![Subject { name: "127.0.0.1:12000".into(), command_line: None, workers: None, accounting: None }];
    let mut client = client(212_345.6, 48);
    client.connections.established = 49;
    client.errors = vec![reset()];
    client.requests.in_flight_at_end = 1;
    client.connect = Some(client.reply.clone());
    client.first_wrong = Some("byte 3 of a reply was 0x00 where 0x41 was sent".into());
    let mut only = trial(1, "persistent", "127.0.0.1:12000", client, None);
    only.verdict.add(Level::Suspect, "only 49 of 50 connections were established");
    report.add(only);
    report
}

fn reset() -> ErrorCount {
    ErrorCount {
        class: Class::Reset,
        errno: Some(104),
        meaning: Some("connection reset by peer".into()),
        connections: 7,
        requests: 9,
        first_after_ms: Some(1_234),
        first_connection: Some(17),
    }
}

pub(crate) fn trial(
    number: u32,
    workload: &str,
    subject: &str,
    client: Client,
    server: Option<Cost>,
) -> Trial {
    Trial {
        trial: number,
        workload: workload.into(),
        subject: subject.into(),
        verdict: Verdict::ok(),
        limited_by: Some(if client.busy > Some(0.9) { Limit::Client } else { Limit::Server }),
        client_headroom: client.busy.map(|busy| 1.0 - busy),
        why_not_double: Some("the server's CPU: its busiest thread 90 % busy".into()),
        client: Some(client),
        server,
        machine: Some(Between { busy: 0.75, ..Between::default() }),
        figures: BTreeMap::new(),
    }
}

pub(crate) fn client(rate: f64, served: usize) -> Client {
    let ok = (rate * 2.0) as u64;
    Client {
        ending: Ending::Completed,
        seconds: 2.0,
        drain_seconds: 0.0,
        requests_per_second: rate,
        requests: Books {
            in_flight_at_start: 50 - served as u64,
            scheduled: ok,
            ok,
            lost: vec![],
            in_flight_at_end: 50 - served as u64,
            balanced: true,
            warmup_ok: ok / 4,
        },
        connections: Connections {
            requested: 50,
            established: 50,
            served,
            unanswered: 0,
            opened: 0,
            connecting_at_end: 0,
            stuck_at_end: 0,
        },
        reply: Quantiles {
            count: ok,
            p50: 430_000,
            p90: 600_000,
            p99: 745_000,
            p999: 1_910_000,
            p9999: 3_500_000,
            max: 4_000_000,
            mean: 450_000.0,
            too_long: 0,
            histogram: String::new(),
        },
        first_byte: None,
        open: None,
        connect: None,
        errors: vec![],
        first_wrong: None,
        cpu_seconds: Some(1.9),
        busy: Some(if served == 2 { 0.95 } else { 0.7 }),
        conductor_cpu_seconds: 0.004,
        under_way: 50.0,
        bystanders: None,
        fairness: Some(Fairness { jain: 0.99, slowest: 900, fastest: 1_100, never_served: 50 - served }),
        intervals: vec![],
    }
}

pub(crate) fn cost(cpu: f64, memory: Option<f64>) -> Cost {
    Cost {
        cpu_seconds: 1.8,
        cpu_us_per_request: cpu,
        busy: 0.9,
        busiest_thread: 0.4,
        context_switches_per_request: Some(1.05),
        page_faults_per_request: Some(0.01),
        memory_per_connection: memory,
        processes: 1,
        threads: 51,
        left_cleanly: Some(true),
        memory_bytes: memory.map(|_| 12 << 20),
        kernel_memory_per_connection: memory.map(|_| 4096.0),
    }
}

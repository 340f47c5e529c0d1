//! What the rows of a table are made of, and what is claimed of them.

use loadgen::drive::Ending;
use loadgen::measure::verdict::{Level, Limit};
use loadgen::report::data::{NamedLoad, Report, Subject, Verb};
use loadgen::report::text::{View, render};
use loadgen::report::{Trial, markdown};
use loadgen::subject::machine::Watched;
use loadgen::subject::placement::Placement;
use loadgen::trial::{Label, Seen};

use crate::formats::{blank, client, cost, load, trial};

pub(crate) fn report(subjects: &[&str], trials: Vec<Trial>) -> Report {
    let mut report = blank(Verb::Compare);
    report.workloads = vec![NamedLoad { name: "persistent".into(), scenario: None, load: load(None) }];
    report.subjects = subjects
        .iter()
        .map(|name| Subject { name: (*name).into(), command_line: None, workers: None, accounting: None })
        .collect();
    trials.into_iter().for_each(|trial| report.add(trial));
    report
}

pub(crate) fn measured(number: u32, subject: &str, rate: f64, cpu: f64) -> Trial {
    trial(number, "persistent", subject, client(rate, 50), Some(cost(cpu, None)))
}

pub(crate) fn shown(report: &Report) -> String {
    render(report, View { width: 500, colour: false })
}

#[test]
fn trials_that_failed_or_were_broken_off_are_in_no_figure() {
    let mut failed = measured(2, "thread", 1.0, 900.0);
    failed.verdict.add(Level::Invalid, "only 9 of 50 connections were established");
    let mut broken_off = measured(3, "thread", 9e9, 0.001);
    broken_off.client.as_mut().unwrap().ending = Ending::Interrupted;
    let report = report(&["thread"], vec![measured(1, "thread", 100_000.0, 8.0), failed, broken_off]);
    let row = &report.summary[0];
    assert_eq!((row.trials, row.left_out), (1, 2));
    let rate = row.requests_per_second.unwrap();
    assert_eq!((rate.low, rate.median, rate.high), (100_000.0, 100_000.0, 100_000.0));
    assert_eq!(row.cpu_us_per_request.unwrap().high, 8.0);
    assert_eq!(row.verdict.level, Level::Invalid);
    assert!(shown(&report).contains("thread: its figures are those of 1 of 3 trials"), "{}", shown(&report));
    assert!(!shown(&report).contains('±'), "one figure has no range: {}", shown(&report));
}

#[test]
fn the_longest_is_that_of_all_trials_and_a_percentile_is_one_that_was_measured() {
    let trials = [1_000_000, 2_000_000, 3_000_000, 9_000_000].into_iter().zip(1..).map(|(nanos, number)| {
        let mut trial = measured(number, "thread", 100_000.0, 8.0);
        let reply = &mut trial.client.as_mut().unwrap().reply;
        (reply.p50, reply.max) = (nanos, nanos);
        trial
    });
    let report = report(&["thread"], trials.collect());
    assert_eq!(report.summary[0].p50.unwrap().median, 2_000_000.0);
    for text in [shown(&report), markdown::render(&report)] {
        assert!(text.contains("9.00 ms") && !text.contains("2.50 ms"), "{text}");
    }
}

/// The narrow list and the document say as much as the table.
#[test]
fn a_range_is_shown_in_every_form() {
    let report = report(
        &["thread"],
        vec![measured(1, "thread", 90_000.0, 8.0), measured(2, "thread", 110_000.0, 8.0)],
    );
    let narrow = render(&report, View { width: 60, colour: false });
    for text in [narrow, markdown::render(&report)] {
        assert!(text.contains("100,000 ±10 %"), "{text}");
    }
}

/// The worst reason of the worst row, wherever they stand.
#[test]
fn the_one_line_names_the_worst() {
    let mut invalid = measured(1, "thread", 1e5, 8.0);
    invalid.verdict.add(Level::Invalid, "half of the connections are missing");
    let mut failed = measured(1, "process", 1e5, 8.0);
    failed.verdict.add(Level::Suspect, "others used 30 % of the machine meanwhile");
    failed.verdict.add(Level::Failed, "3 connections corrupt");
    let report = report(&["thread", "process"], vec![invalid, failed]);
    let complaint = loadgen::run::complaint(&report).unwrap();
    assert_eq!(complaint, "process (persistent): 3 connections corrupt; 2 of 2 rows failed: see the report");
}

/// Both on one CPU: neither is busy all the time, and yet there is no more to be had.
#[test]
fn two_sides_on_one_cpu_limit_each_other() {
    let judged = |server: Vec<usize>, client_cpus: Vec<usize>, busy: Option<f64>| {
        let mut report = blank(Verb::Compare);
        report.placement = Placement { server, client: client_cpus };
        let (mut client, mut server) = (client(1e5, 50), cost(5.0, None));
        (client.busy, client.cpu_seconds) = (busy, busy.map(|share| share * client.seconds));
        (server.cpu_seconds, server.busy, server.busiest_thread) = (1.0, 0.5, 0.5);
        if busy.is_none() {
            client.ending = Ending::Interrupted;
        }
        let seen = Seen {
            client,
            server: Some(server),
            machine: Watched::begin(),
            troubles: vec![],
            provoked: false,
        };
        let label = Label { trial: 1, workload: "persistent".into(), subject: "thread".into() };
        label.judged(&load(None), &report, seen)
    };
    assert_eq!(judged(vec![0], vec![0], Some(0.45)).limited_by, Some(Limit::Both));
    assert_eq!(judged(vec![0], vec![1], Some(0.45)).limited_by, Some(Limit::Waiting));
    // nobody knows what a client has spent that was broken off
    let broken_off = judged(vec![0], vec![1], None);
    assert_eq!(broken_off.limited_by, None);
    assert!(!broken_off.verdict.words().contains("others used"), "{:?}", broken_off.verdict);
}

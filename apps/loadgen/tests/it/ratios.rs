//! What is claimed of servers side by side: by the report, and held against it by gates.

use loadgen::gates::{BROKEN, Gates, Kept, NOT_VALID};
use loadgen::measure::verdict::Level;
use loadgen::report::data::Report;
use loadgen::report::text::{View, render};
use loadgen::report::{json, markdown};
use loadgen::stats::Metric;
use loadgen::stats::ratios::Shown;
use loadgen::stats::slo::{Promise, Promised, Side};

use crate::formats::golden;
use crate::rows::{measured, report, shown};

/// Figures that are a little off in each trial, up and down in turn.
fn off(number: u32, share: f64) -> f64 {
    1.0 + if number.is_multiple_of(2) { share } else { -share } + f64::from(number) * share / 10.0
}

/// `thread` needs 8 us, the other `cpu`; both are off by 1 % here and there, in ways of their own.
fn two(trials: u32, cpu: f64) -> Report {
    let each = |n: u32| {
        let other = measured(n, "process", 1e5 * off(n + 1, 0.004), cpu * off(n / 2, 0.01));
        [measured(n, "thread", 1e5 * off(n, 0.004), 8.0 * off(n, 0.01)), other]
    };
    let mut report = report(&["thread", "process"], (1..=trials).flat_map(each).collect());
    (report.trials_planned, report.seed) = (trials, Some(42));
    report
}

fn concluded(mut report: Report, gates: &Gates, earlier: Option<&Report>) -> Report {
    gates.conclude(&mut report, earlier);
    report
}

fn cpu(report: &Report) -> Shown {
    let comparison = report.comparison.as_ref().unwrap();
    comparison.ratios.iter().find(|ratio| ratio.metric == Metric::CpuPerRequest).unwrap().shown
}

#[test]
fn a_difference_is_told_where_the_trials_show_it() {
    let with = |trials, cpu| concluded(two(trials, cpu), &Gates::default(), None);
    for trials in [1, 2] {
        assert_eq!(cpu(&with(trials, 40.0)), Shown::TooFew, "{trials}");
    }
    for trials in [3, 4] {
        assert_eq!(cpu(&with(trials, 9.0)), Shown::TooFew, "{trials}");
        assert_eq!(cpu(&with(trials, 40.0)), Shown::More, "{trials}");
    }
    assert_eq!(cpu(&with(5, 8.0)), Shown::NoDifference);
    assert_eq!(cpu(&with(5, 8.1)), Shown::NoDifference);
    assert_eq!(cpu(&with(5, 9.6)), Shown::More);
    assert_eq!(cpu(&with(5, 6.0)), Shown::Less);
    let text = shown(&with(5, 9.6));
    assert!(text.contains("process needs 1.20 × thread's server CPU for a request ("), "{text}");
    assert!(shown(&with(5, 8.0)).contains("process against thread: no difference shown (0.9"), "{text}");
    assert!(shown(&with(2, 16.0)).contains("too few trials to tell (2.0"), "{text}");
    // the threshold is the user's
    let strict = Gates { noise: 0.5, ..Gates::default() };
    assert_eq!(cpu(&concluded(two(5, 9.6), &strict, None)), Shown::NoDifference);
}

#[test]
fn each_form_of_ratios() {
    let report = concluded(two(5, 9.6), &Gates::default(), None);
    golden("ratios.120.txt", &render(&report, View { width: 120, colour: false }));
    golden("ratios.60.txt", &render(&report, View { width: 60, colour: false }));
    golden("ratios.md", &markdown::render(&report));
}

/// The same report says the same whenever it is made, and the reference may be another one.
#[test]
fn the_intervals_follow_from_the_seed_and_the_reference_can_be_chosen() {
    let one = concluded(two(5, 9.6), &Gates::default(), None);
    assert_eq!(one.comparison, concluded(two(5, 9.6), &Gates::default(), None).comparison);
    let other = Gates { reference: Some("process".into()), ..Gates::default() };
    let other = concluded(two(5, 9.6), &other, None);
    assert_eq!(other.comparison.as_ref().unwrap().reference, "process");
    assert_eq!(cpu(&other), Shown::Less);
    // and what was written can be read
    let read: Report = serde_json::from_str(&json::render(&one)).unwrap();
    assert_eq!(read.comparison, one.comparison);
}

#[test]
fn doubted_trials_are_used_only_where_others_are_missing_and_that_is_told() {
    let with = |trials: u32| {
        let mut report = two(trials, 9.6);
        for trial in report.trials.iter_mut().filter(|t| t.subject == "process" && t.trial > 5) {
            trial.verdict.add(Level::Suspect, "others used 30 % of the machine meanwhile");
        }
        report.trials[0].verdict.add(if trials == 6 { Level::Suspect } else { Level::Ok }, "a word");
        let report = concluded(report, &Gates::default(), None);
        let ratio = &report.comparison.as_ref().unwrap().ratios[0];
        (ratio.pairs, ratio.doubted, shown(&report).contains("doubted: some of the trials are SUSPECT"))
    };
    assert_eq!(with(7), (5, false, false));
    assert_eq!(with(6), (6, true, true));
    // failed ones are used nowhere
    let mut report = two(5, 9.6);
    report.trials[0].verdict.add(Level::Failed, "3 connections corrupt");
    assert_eq!(concluded(report, &Gates::default(), None).comparison.unwrap().ratios[0].pairs, 4);
}

#[test]
fn a_row_without_pairs_is_named() {
    let mut report = two(5, 9.6);
    for trial in report.trials.iter_mut().filter(|t| t.subject == "process") {
        trial.client.as_mut().unwrap().connections.served = 2;
    }
    let text = shown(&concluded(report, &Gates::default(), None));
    assert!(text.contains("Not compared with thread: process."), "{text}");
}

fn promise(figure: Promised, bound: f64) -> Gates {
    let text = "p99<1ms".to_owned();
    Gates { promises: vec![Promise { figure, side: Side::Below, bound, text }], ..Gates::default() }
}

#[test]
fn a_broken_promise_ends_with_three_and_is_looked_at_in_each_row() {
    let kept = promise(Promised::P99, 1e6);
    let report = concluded(two(3, 8.0), &kept, None);
    assert_eq!(kept.failure(&report), None);
    assert!(shown(&report).contains("PASS process (persistent): p99<1ms: 745 us"), "{}", shown(&report));
    let broken = promise(Promised::P99, 1e5);
    let report = concluded(two(3, 8.0), &broken, None);
    let failure = broken.failure(&report).unwrap();
    assert_eq!(failure.code, BROKEN);
    assert!(failure.message.contains("745 us was measured; and 1 more case"), "{}", failure.message);
    assert!(shown(&report).contains("FAIL thread (persistent)"), "{}", shown(&report));
    // what was not measured keeps no promise
    let mut without = two(3, 8.0);
    without.trials.iter_mut().for_each(|trial| trial.server = None);
    let cpu = promise(Promised::Cpu, 1e9);
    assert_eq!(cpu.failure(&concluded(without, &cpu, None)).unwrap().code, BROKEN);
    // an interrupted run is held to nothing
    let mut cut = two(3, 8.0);
    cut.interrupted = true;
    assert_eq!(concluded(cut, &broken, None).promises, []);
}

#[test]
fn strict_refuses_what_is_invalid_and_if_told_so_what_is_suspect() {
    let with = |level: Level| {
        let mut report = two(0, 8.0);
        let mut trial = measured(1, "thread", 1e5, 8.0);
        trial.verdict.add(level, "half of the connections are missing");
        report.add(trial);
        report
    };
    let code = |strict, level| Gates { strict, ..Gates::default() }.failure(&with(level)).map(|f| f.code);
    assert_eq!(code(None, Level::Suspect), None);
    assert_eq!(code(None, Level::Invalid), Some(1));
    assert_eq!(code(Some(Level::Invalid), Level::Suspect), None);
    assert_eq!(code(Some(Level::Invalid), Level::Invalid), Some(NOT_VALID));
    assert_eq!(code(Some(Level::Suspect), Level::Suspect), Some(NOT_VALID));
    // the server did wrong: that is no matter of how strict one is
    assert_eq!(code(Some(Level::Suspect), Level::Failed), Some(1));
}

fn against(name: &str) -> Gates {
    let baseline = Some(Kept { name: name.into(), path: "unread".into() });
    Gates { baseline, allowed: Some(0.05), ..Gates::default() }
}

#[test]
fn a_regression_ends_with_three_and_chance_does_not() {
    let gates = against("main");
    let code =
        |now: Report, then: &Report| gates.failure(&concluded(now, &gates, Some(then))).map(|f| f.code);
    assert_eq!(code(two(5, 8.0), &two(5, 8.0)), None);
    assert_eq!(code(two(5, 8.3), &two(5, 8.0)), None);
    assert_eq!(code(two(5, 9.6), &two(5, 8.0)), Some(BROKEN));
    // better is no regression
    assert_eq!(code(two(5, 6.0), &two(5, 8.0)), None);
    // and one trial shows nothing, which is no success
    assert_eq!(code(two(5, 9.6), &two(1, 8.0)), Some(1));
    let text = shown(&concluded(two(5, 9.6), &gates, Some(&two(5, 8.0))));
    assert!(text.contains("Against the baseline main of 2026-11-20"), "{text}");
    assert!(text.contains("process (persistent): server CPU for a request 1.20 × ("), "{text}");
    assert!(text.contains("WORSE") && !text.contains("NOT ALIKE"), "{text}");
}

#[test]
fn what_is_not_alike_is_told() {
    let mut then = two(5, 8.0);
    then.platform.kernel = "Linux 5.10".into();
    then.workloads[0].load.size = 1;
    then.subjects.truncate(1);
    then.trials.retain(|trial| trial.subject == "thread");
    then.summary.retain(|row| row.subject == "thread");
    let text = shown(&concluded(two(5, 8.0), &against("old"), Some(&then)));
    for told in [
        "NOT ALIKE: The kernel was Linux 5.10 then and is Linux 6.18.0 now.",
        "NOT ALIKE: The load persistent was another one then.",
        "NOT ALIKE: process (persistent) is not in the baseline.",
    ] {
        assert!(text.contains(told), "{told} not in {text}");
    }
}

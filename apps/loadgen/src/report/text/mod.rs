//! The report on the terminal: a block for `run`, tables for `compare`, and the sentences that explain them.

mod block;
pub mod cells;
mod checks;
pub mod ratios;
pub(super) mod server;
mod table;

use common::units::{plural, show_count, show_duration};

use self::table::By;
use super::{Report, beside, notes};
use crate::plan::{Arrivals, Load, Rate, Spacing, Stop};
use crate::report::data::{Found, NamedLoad, Verb};

/// The terminal as far as a report cares.
#[derive(Debug, Clone, Copy)]
pub struct View {
    /// Columns.
    pub width: usize,
    /// Whether colours may be used.
    pub colour: bool,
}

/// The whole report.
#[must_use]
pub fn render(report: &Report, view: View) -> String {
    let mut out = String::new();
    for line in head(report) {
        out.push_str(&wrap(&line, view.width, ""));
    }
    if report.command == Verb::Selftest {
        out.push('\n');
        out.push_str(&checks::render(&report.checks, view.width));
        return if view.colour { colour(&out) } else { out };
    }
    if report.command != Verb::Compare && report.workloads.len() > 1 {
        out.push_str(&loads(report, view.width));
    }
    for (index, workload) in report.workloads.iter().enumerate() {
        let rows: Vec<_> = report.summary.iter().filter(|row| row.workload == workload.name).collect();
        if rows.is_empty() {
            continue;
        }
        if report.command == Verb::Compare || report.workloads.len() == 1 {
            out.push('\n');
        }
        let others = |other: &NamedLoad| other.scenario != workload.scenario;
        let scenario = report.scenarios.iter().find(|s| Some(&s.name) == workload.scenario.as_ref());
        if let Some(scenario) = scenario.filter(|_| index == 0 || others(&report.workloads[index - 1])) {
            for (what, text) in [("shows", &scenario.shows), ("theory", &scenario.expects)] {
                out.push_str(&set_in(&scenario.name, what, text, view.width));
            }
            out.push('\n');
        }
        if report.command == Verb::Compare {
            out.push_str(&wrap(&format!("{}: {}", workload.name, describe(&workload.load)), view.width, ""));
            out.push_str(&table::render(&rows, By::Server, view.width));
            if let Some(comparison) = &report.comparison {
                out.push_str(&ratios::render(comparison, &workload.name, view.width));
            }
        } else if report.workloads.len() == 1 {
            out.push_str(&block::render(report, &rows, view.width));
        }
        for note in notes::for_workload(report, &workload.name) {
            out.push_str(&wrap(&note, view.width, "  "));
        }
        if let Some(scenario) = scenario.filter(|_| report.workloads.get(index + 1).is_none_or(others)) {
            for sentence in &scenario.measured {
                out.push_str(&set_in(&scenario.name, "measured", sentence, view.width));
            }
        }
    }
    out.push('\n');
    for note in notes::for_report(report) {
        out.push_str(&wrap(&note, view.width, ""));
    }
    if view.colour { colour(&out) } else { out }
}

/// One server under several loads.
fn loads(report: &Report, width: usize) -> String {
    let mut out = String::from("\n");
    if let Some(first) = report.workloads.first() {
        out.push_str(&wrap(&format!("each: {}", describe(&first.load)), width, ""));
    }
    let rows: Vec<_> = report.summary.iter().collect();
    out.push_str(&table::render(&rows, By::Load, width));
    if let Some(found) = &report.found {
        out.push_str(&wrap(&in_words(found), width, ""));
    }
    out
}

/// What a search found, in a sentence.
#[must_use]
pub fn in_words(found: &Found) -> String {
    let promises = found.promises.join(", ");
    match found.rate {
        Some(rate) => format!(
            "The highest rate that keeps {promises}: {} requests/s (to {:.0} %; kept for {} at the end).",
            show_rate(rate),
            found.precision * 100.0,
            show_duration(std::time::Duration::from_secs_f64(found.confirmed_seconds))
        ),
        None => format!("No rate keeps {promises}."),
    }
}

/// A sentence of an experiment: `crash theory: A panic ends …`.
fn set_in(scenario: &str, what: &str, text: &str, width: usize) -> String {
    wrap(&format!("{scenario} {what}: {text}"), width, "")
}

/// What was measured, where and when.
#[must_use]
pub fn head(report: &Report) -> Vec<String> {
    let platform = &report.platform;
    let subject = match (report.command, report.subjects.as_slice(), report.workloads.as_slice()) {
        (Verb::Run, [subject], [workload]) => {
            format!("loadgen run {}: {}", subject.name, describe(&workload.load))
        }
        (Verb::FindMax, [subject], _) => format!("loadgen find-max {}", subject.name),
        (Verb::Run, [subject], loads) => format!("loadgen run {}: {} loads", subject.name, loads.len()),
        (Verb::Selftest, _, _) => {
            "loadgen selftest: this program against an echo in its own process".to_owned()
        }
        _ => {
            let seed =
                report.seed.map(|seed| format!(", order shuffled with seed {seed}")).unwrap_or_default();
            format!(
                "loadgen compare: {}, {} each{seed}",
                plural(report.subjects.len() as u64, "server"),
                plural(u64::from(report.trials_planned), "trial")
            )
        }
    };
    let governor = platform.governor.as_ref().map(|g| format!(", governor {g}")).unwrap_or_default();
    vec![
        subject,
        format!(
            "{}, {}, {}{governor}; {}; {}",
            platform.cpu,
            plural(platform.cpus_online as u64, "CPU"),
            platform.kernel,
            report.placement.words(),
            report.started
        ),
    ]
}

/// A load in one line.
#[must_use]
pub fn describe(load: &Load) -> String {
    let mut text =
        format!("{}, {}", plural(load.connections as u64, "connection"), load.protocol.words(load.size));
    if load.under_way() > 1 {
        text.push_str(&format!(", {} under way on each", load.under_way()));
    }
    match load.arrivals {
        Arrivals::AfterReply => {}
        Arrivals::AtRate(rate) => text.push_str(&format!(", {}", rate_in_words(&rate))),
        Arrivals::OfKnee { share, .. } => {
            text.push_str(&format!(
                ", at random, {:.0} % of what each server did in a closed loop",
                share * 100.0
            ));
        }
    }
    match load.reconnect {
        None => text.push_str(", kept"),
        Some(1) => text.push_str(", a new connection for every request"),
        Some(limit) => text.push_str(&format!(", replaced after {limit} replies each")),
    }
    if let Some(bystanders) = beside::in_words(&load.bystanders) {
        text.push_str(&format!(", beside {bystanders}"));
    }
    match load.stop {
        Stop::After(span) => text.push_str(&format!(", {}", show_duration(span))),
        Stop::Requests(total) => text.push_str(&format!(", {}", plural(total, "request"))),
    }
    if load.warmup.is_zero() {
        text.push_str(" without warm-up");
    } else {
        text.push_str(&format!(" after {} of warm-up", show_duration(load.warmup)));
    }
    if load.threads > 1 {
        text.push_str(&format!(", {} client threads", load.threads));
    }
    text
}

/// `1,000 requests/s at random (poisson, seed 7)`.
fn rate_in_words(rate: &Rate) -> String {
    let spacing = match rate.spacing {
        Spacing::Uniform => "evenly spaced".to_owned(),
        Spacing::Poisson => format!("at random (poisson, seed {})", rate.seed),
        Spacing::Burst(size) => format!("in bursts of {size}"),
    };
    if rate.from.to_bits() == rate.to.to_bits() {
        format!("{} requests/s {spacing}", show_rate(rate.from))
    } else {
        format!("from {} to {} requests/s {spacing}", show_rate(rate.from), show_rate(rate.to))
    }
}

/// `1,000` or `0.5`.
#[must_use]
pub fn show_rate(rate: f64) -> String {
    if rate >= 10.0 { show_count(rate.round() as u64) } else { format!("{rate:.2}") }
}

/// Breaks a sentence at spaces; lines after the first are set in like the first one.
#[must_use]
pub fn wrap(text: &str, width: usize, indent: &str) -> String {
    let width = width.max(20);
    let mut out = String::new();
    let mut line = indent.to_owned();
    for word in text.split(' ') {
        let filled = line.chars().count();
        if filled > indent.len() && filled + 1 + word.chars().count() > width {
            out.push_str(line.trim_end());
            out.push('\n');
            indent.clone_into(&mut line);
        } else if filled > indent.len() {
            line.push(' ');
        }
        line.push_str(word);
    }
    out.push_str(line.trim_end());
    out.push('\n');
    out
}

/// Colours the words of verdicts. Done last, so that no width is ever counted with colours in it.
fn colour(text: &str) -> String {
    let mut out = text.to_owned();
    for (word, code) in [
        ("SUSPECT", 33),
        ("INVALID", 31),
        ("FAILED", 31),
        ("WRONG", 31),
        ("INTERRUPTED", 33),
        ("FAIL ", 31),
        ("WORSE", 31),
    ] {
        out = out.replace(word, &format!("\x1b[1;{code}m{word}\x1b[0m"));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sentence_is_broken_at_spaces() {
        assert_eq!(wrap("one two three four five", 20, "  "), "  one two three four\n  five\n");
        assert_eq!(wrap("", 20, ""), "\n");
    }
}

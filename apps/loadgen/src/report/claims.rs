//! What the figures show, in words: ratios to the reference, promises, the change since a baseline, and why it was not
//! twice as fast.
//!
//! How: [`crate::stats`] and [`crate::measure::room`] have decided; here it is only said, the same in every form.

use common::units::plural;

use super::Report;
use super::summary::Row;
use crate::stats::Metric;
use crate::stats::baseline::{Change, Trend};
use crate::stats::ratios::{Comparison, Ratio, Shown};

/// The ratios of one load, a line for each server that could be compared: its name, and a cell for each metric.
#[must_use]
pub fn ratios<'a>(comparison: &'a Comparison, workload: &str) -> Vec<(&'a str, Vec<Option<&'a Ratio>>)> {
    let of_load = || comparison.ratios.iter().filter(move |ratio| ratio.workload == workload);
    let mut names: Vec<&str> = of_load().map(|ratio| ratio.subject.as_str()).collect();
    names.dedup();
    let cells = |name: &str| {
        let find = |metric| of_load().find(|ratio| ratio.subject == name && ratio.metric == metric);
        Metric::ALL.map(find).to_vec()
    };
    names.into_iter().map(|name| (name, cells(name))).collect()
}

/// What stands above a table of ratios.
#[must_use]
pub fn ratios_title(comparison: &Comparison) -> String {
    format!(
        "Ratios to {}, trial by trial; the ranges hold all together in {:.0} of 20 reports, and differences under {} are \
         not told:",
        comparison.reference,
        comparison.confidence * 20.0,
        percent(comparison.noise_threshold)
    )
}

/// A ratio in two short lines.
#[must_use]
pub fn ratio_lines(ratio: &Ratio) -> [String; 2] {
    let range = range(ratio.low, ratio.high);
    match ratio.shown {
        Shown::More | Shown::Less if ratio.doubted => [format!("{} ×, doubted", times(ratio.ratio)), range],
        Shown::More | Shown::Less => [format!("{} ×", times(ratio.ratio)), range],
        Shown::NoDifference => ["no difference shown".to_owned(), range],
        Shown::TooFew => [format!("{} ×?", times(ratio.ratio)), "too few trials".to_owned()],
    }
}

/// A ratio in words.
#[must_use]
pub fn ratio_words(ratio: &Ratio) -> String {
    let range = range(ratio.low, ratio.high);
    match ratio.shown {
        Shown::More | Shown::Less => format!("{} × ({range}){}", times(ratio.ratio), doubt(ratio)),
        Shown::NoDifference => format!("no difference shown ({range})"),
        Shown::TooFew => {
            format!("too few trials to tell ({} × in {})", times(ratio.ratio), pairs(ratio.pairs))
        }
    }
}

/// The headline of one load, and who is missing in it.
#[must_use]
pub fn of_workload(report: &Report, rows: &[&Row]) -> Vec<String> {
    let mut said = Vec::new();
    if let Some(comparison) = &report.comparison
        && let Some(workload) = rows.first().map(|row| row.workload.as_str())
    {
        let lines = ratios(comparison, workload);
        said.extend(headline(comparison, &lines));
        let is_there = |row: &&&Row| {
            row.subject == comparison.reference || lines.iter().any(|(name, _)| *name == row.subject)
        };
        let missing: Vec<&str> =
            rows.iter().filter(|row| !is_there(row)).map(|row| row.subject.as_str()).collect();
        if !missing.is_empty() {
            said.push(format!(
                "Not compared with {}: {}. Only trials that did not fail and served all connections are.",
                comparison.reference,
                missing.join(", ")
            ));
        }
    }
    said.extend(rows.iter().filter_map(|row| why_not_double(row)));
    said
}

/// What was shown of the servers' CPU for a request under one load; `None`: there is nothing to compare.
#[must_use]
pub fn of_cpu(report: &Report, workload: &str) -> Option<String> {
    let comparison = report.comparison.as_ref()?;
    headline(comparison, &ratios(comparison, workload))
}

/// The server that needs the least CPU for a request under one load, if that was shown: against the reference, or of the
/// reference against all others.
#[must_use]
pub fn least_cpu<'a>(report: &'a Report, workload: &str) -> Option<&'a str> {
    let comparison = report.comparison.as_ref()?;
    let cpu: Vec<&Ratio> =
        ratios(comparison, workload).iter().filter_map(|(_, cells)| *cells.first()?).collect();
    let least = cpu.iter().min_by(|a, b| a.ratio.total_cmp(&b.ratio))?;
    match least.shown {
        Shown::Less => Some(least.subject.as_str()),
        Shown::More if cpu.iter().all(|ratio| ratio.shown == Shown::More) => Some(&comparison.reference),
        _ => None,
    }
}

fn headline(comparison: &Comparison, lines: &[(&str, Vec<Option<&Ratio>>)]) -> Option<String> {
    let reference = &comparison.reference;
    let ratios: Vec<&Ratio> = lines.iter().filter_map(|(_, cells)| *cells.first()?).collect();
    let part = |ratio: &&Ratio| match ratio.shown {
        Shown::More | Shown::Less => format!(
            "{} needs {} × {reference}'s server CPU for a request ({}){}",
            ratio.subject,
            times(ratio.ratio),
            range(ratio.low, ratio.high),
            doubt(ratio)
        ),
        _ => format!("{} against {reference}: {}", ratio.subject, ratio_words(ratio)),
    };
    let parts: Vec<String> = ratios.iter().map(part).collect();
    (!parts.is_empty()).then(|| format!("{}.", parts.join("; ")))
}

fn doubt(ratio: &Ratio) -> &'static str {
    if ratio.doubted { ", doubted: some of the trials are SUSPECT" } else { "" }
}

fn why_not_double(row: &Row) -> Option<String> {
    let headroom = row.client_headroom.map(|left| format!(" Client headroom {}.", percent(left.median)));
    Some(format!(
        "{}: why not double? {}.{}",
        row.subject,
        capital(row.why_not_double.as_ref()?),
        headroom.unwrap_or_default()
    ))
}

/// What became of the promises, a line each.
#[must_use]
pub fn promises(report: &Report) -> Vec<String> {
    let line = |outcome: &crate::stats::slo::Outcome| {
        format!(
            "{} {} ({}): {}: {}",
            if outcome.kept { "PASS" } else { "FAIL" },
            outcome.subject,
            outcome.workload,
            outcome.promise,
            outcome.shown
        )
    };
    report.promises.iter().map(line).collect()
}

/// The change since the baseline: first why it may be no fair comparison, then a line for each row.
#[must_use]
pub fn baseline(report: &Report) -> Vec<String> {
    let Some(comparison) = &report.baseline else { return Vec::new() };
    let mut said = vec![format!("Against the baseline {} of {}:", comparison.baseline, comparison.started)];
    said.extend(comparison.unlike.iter().map(|why| format!("NOT ALIKE: {why}")));
    for row in &report.summary {
        let of_row = |change: &&Change| change.workload == row.workload && change.subject == row.subject;
        let parts: Vec<String> = comparison.changes.iter().filter(of_row).map(change_words).collect();
        if !parts.is_empty() {
            said.push(format!("{} ({}): {}.", row.subject, row.workload, parts.join("; ")));
        }
    }
    if comparison.changes.is_empty() {
        said.push(
            "Nothing could be compared: there must be VALID trials of the same rows in both.".to_owned(),
        );
    }
    said
}

/// A change in words.
#[must_use]
pub fn change_words(change: &Change) -> String {
    let (what, ratio) = (change.metric.words(), times(change.ratio));
    let range = range(change.low, change.high);
    match change.trend {
        Trend::Better => format!("{what} {ratio} × ({range}): better"),
        Trend::Worse if change.regression => format!("{what} {ratio} × ({range}): WORSE"),
        Trend::Worse => format!("{what} {ratio} × ({range}): worse"),
        Trend::NoDifference => format!("{what}: no difference shown ({range})"),
        Trend::TooFew => format!("{what}: too few trials to tell ({ratio} ×)"),
    }
}

/// `38 %`
#[must_use]
pub fn percent(share: f64) -> String {
    let percent = (share * 1000.0).round() / 10.0;
    if percent == percent.round() || percent >= 10.0 {
        format!("{percent:.0} %")
    } else {
        format!("{percent:.1} %")
    }
}

/// With its first letter in upper case.
pub(super) fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or(String::new(), |first| first.to_uppercase().collect::<String>() + letters.as_str())
}

fn pairs(count: usize) -> String {
    plural(count as u64, "pair")
}

fn range(low: Option<f64>, high: Option<f64>) -> String {
    low.zip(high).map_or(String::new(), |(low, high)| format!("{} to {}", times(low), times(high)))
}

/// Three digits; and an end that is not 1 does not look like 1.
fn times(ratio: f64) -> String {
    match ratio {
        r if r < 0.1 || (r != 1.0 && (r - 1.0).abs() < 0.005) => format!("{r:.3}"),
        r if r < 9.995 => format!("{r:.2}"),
        r if r < 99.95 => format!("{r:.1}"),
        r if r < 1e6 => format!("{r:.0}"),
        _ => "over a million".to_owned(),
    }
}

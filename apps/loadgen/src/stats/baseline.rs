//! A report against an earlier one: what is better, what is worse, and whether the two may be compared at all.
//!
//! How: rows of the same name are compared, with [`super::bootstrap`]'s interval for figures that are no pairs, all
//! intervals of the report together. Trials that are not VALID are left out. Cost: one bootstrap for each figure of
//! each row. Where it breaks: two reports of different days differ by more than their trials do (another layout of
//! memory, another temperature, another neighbour), and no interval that is made of one report's trials can know that.
//! So a regression has to be larger than a threshold with its whole interval, and what differs between the two
//! machines is told.

use serde::{Deserialize, Serialize};

use super::Metric;
use super::bootstrap::{CONFIDENCE, FEWEST, unpaired};
use super::ratios::{Shown, shown};
use crate::measure::verdict::Level;
use crate::plan::Arrivals;
use crate::report::summary;
use crate::report::{Report, Trial};

/// How a report compares with an earlier one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Comparison {
    /// Where the earlier one was found.
    pub baseline: String,
    /// When it was made.
    pub started: String,
    /// Changes that are smaller are not told: 0.02 means 2 %.
    pub noise_threshold: f64,
    /// In this share of all reports every interval holds the truth.
    pub confidence: f64,
    /// Why this is no fair comparison, and what could not be compared; a sentence each.
    pub unlike: Vec<String>,
    /// The changes, in the order of the rows.
    pub changes: Vec<Change>,
}

/// One figure of one row by the same figure in the baseline.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Change {
    /// Name of the load.
    pub workload: String,
    /// Name of the server.
    pub subject: String,
    /// Which figure.
    pub metric: Metric,
    /// Trials now.
    pub trials: usize,
    /// Trials of the baseline.
    pub trials_then: usize,
    /// Now by then, of the geometric means.
    pub ratio: f64,
    /// The lower end of the interval; `None`: too few trials for one.
    pub low: Option<f64>,
    /// The upper end.
    pub high: Option<f64>,
    /// What that shows.
    pub trend: Trend,
    /// Worse by more than was allowed, with the whole interval.
    pub regression: bool,
}

/// Which way a figure went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Trend {
    /// Less of what is spent, or more of what is wanted.
    Better,
    /// The other way round.
    Worse,
    /// It may well be the same.
    NoDifference,
    /// More trials would tell.
    TooFew,
}

/// Compares with an earlier report, which was found under this name. What is worse by a share of more than `allowed` is
/// a regression.
#[must_use]
pub fn compare(report: &Report, then: &Report, name: &str, noise: f64, allowed: Option<f64>) -> Comparison {
    let mut unlike = machines(report, then);
    unlike.extend(loads(report, then));
    let mut figures = Vec::new();
    for row in &report.summary {
        let Some(earlier) = subject_then(report, then, &row.workload, &row.subject) else {
            unlike.push(format!("{} ({}) is not in the baseline.", row.subject, row.workload));
            continue;
        };
        if earlier != row.subject {
            unlike.push(format!("The server was {earlier} then and is {} now.", row.subject));
        }
        for metric in Metric::ALL {
            let now = valid(report, &row.workload, &row.subject, metric);
            let before = valid(then, &row.workload, earlier, metric);
            if !now.is_empty() && !before.is_empty() {
                figures.push((row, metric, now, before));
            }
        }
    }
    let told = figures.iter().filter(|(.., now, then)| now.len().min(then.len()) >= FEWEST);
    let told: Vec<Metric> = told.map(|(_, metric, ..)| *metric).collect();
    let seed = report.seed.unwrap_or(0);
    let changes = figures.into_iter().zip(0..).filter_map(|((row, metric, now, before), at)| {
        let estimate = unpaired(&now, &before, metric.together(&told), seed.wrapping_add(at))?;
        let trend = match (shown(&estimate, now.len().min(before.len()), noise), metric.more_is_better()) {
            (Shown::NoDifference, _) => Trend::NoDifference,
            (Shown::TooFew, _) => Trend::TooFew,
            (Shown::More, true) | (Shown::Less, false) => Trend::Better,
            (Shown::More, false) | (Shown::Less, true) => Trend::Worse,
        };
        // how many times worse it is at least
        let least =
            estimate.interval.map(|(low, high)| if metric.more_is_better() { 1.0 / high } else { low });
        let over = least.zip(allowed).is_some_and(|(least, allowed)| least > 1.0 + allowed);
        Some(Change {
            workload: row.workload.clone(),
            subject: row.subject.clone(),
            metric,
            trials: now.len(),
            trials_then: before.len(),
            ratio: estimate.ratio,
            low: estimate.interval.map(|(low, _)| low),
            high: estimate.interval.map(|(_, high)| high),
            trend,
            regression: over && trend == Trend::Worse,
        })
    });
    Comparison {
        baseline: name.to_owned(),
        started: then.started.clone(),
        noise_threshold: noise,
        confidence: CONFIDENCE,
        changes: changes.collect(),
        unlike,
    }
}

/// The row's server in the baseline: the one of the same name, or the only one where each report has only one (`run`
/// names its server by an address, whose port may be new each time).
fn subject_then<'a>(report: &Report, then: &'a Report, workload: &str, subject: &str) -> Option<&'a str> {
    let mut rows = then.summary.iter().filter(|row| row.workload == workload);
    let same = rows.clone().find(|row| row.subject == subject);
    let only = || match (report.subjects.as_slice(), then.subjects.as_slice()) {
        ([_], [_]) => rows.next(),
        _ => None,
    };
    same.or_else(only).map(|row| row.subject.as_str())
}

fn valid(report: &Report, workload: &str, subject: &str, metric: Metric) -> Vec<f64> {
    let trials = summary::trials_of(report, workload, subject);
    let is_valid = |trial: &&&Trial| trial.verdict.level == Level::Ok;
    trials.iter().filter(is_valid).filter_map(|trial| metric.of(trial)).collect()
}

/// What differs between the machines and programs of two reports.
fn machines(report: &Report, then: &Report) -> Vec<String> {
    let (now, was) = (&report.platform, &then.platform);
    let text = |value: &Option<String>| value.clone().unwrap_or_else(|| "unknown".to_owned());
    let cpus = |count: usize, allowed: &[usize]| format!("{count}, of which {allowed:?} may be used");
    let differing = [
        ("kernel", was.kernel.clone(), now.kernel.clone()),
        ("CPU", was.cpu.clone(), now.cpu.clone()),
        (
            "number of CPUs",
            cpus(was.cpus_online, &was.cpus_allowed),
            cpus(now.cpus_online, &now.cpus_allowed),
        ),
        ("governor", text(&was.governor), text(&now.governor)),
        ("version of loadgen", was.loadgen.clone(), now.loadgen.clone()),
        ("placement", then.placement.words(), report.placement.words()),
    ];
    let sentence = |(what, was, now): (&str, String, String)| {
        (was != now).then(|| format!("The {what} was {was} then and is {now} now."))
    };
    differing.into_iter().filter_map(sentence).collect()
}

fn loads(report: &Report, then: &Report) -> Vec<String> {
    let differs = |name: &str| {
        let of = |report: &Report| {
            let mut load = report.workloads.iter().find(|w| w.name == name)?.load.clone();
            // another seed is another schedule of the same kind
            if let Arrivals::AtRate(rate) = &mut load.arrivals {
                rate.seed = 0;
            }
            Some(load)
        };
        of(report).zip(of(then)).is_some_and(|(now, was)| now != was)
    };
    let names = report.workloads.iter().map(|workload| workload.name.as_str());
    names.filter(|name| differs(name)).map(|name| format!("The load {name} was another one then.")).collect()
}

//! All servers against one of them: which differences the trials show.
//!
//! How: trial k of a server and trial k of the reference are a pair if neither failed and all connections were served;
//! [`super::bootstrap`] makes a ratio and an interval of them. Where there are enough pairs of VALID trials, only these
//! are taken; else SUSPECT ones are, too (a noisy neighbour is in both figures of a pair, and makes the interval wide),
//! and what they show is called doubted. A difference is shown where the interval does not hold
//! 1 and the ratio is farther from 1 than the noise threshold. With three or four pairs it must also be [`CLEAR`]; with
//! fewer nothing is said. Cost: one bootstrap for each figure of each row. Where it breaks: a machine that changes for
//! one server only, and always the same; the shuffled order of the turns is against that.

use serde::{Deserialize, Serialize};

use super::Metric;
use super::bootstrap::{CONFIDENCE, ENOUGH, Estimate, FEWEST, paired};
use crate::measure::verdict::Level;
use crate::report::{Report, Trial};

/// Differences that are smaller are not told, however sure they are.
pub const NOISE: f64 = 0.02;
/// With fewer than [`ENOUGH`] trials, one figure must be so many times the other.
pub const CLEAR: f64 = 1.5;

/// What the trials show of two servers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Shown {
    /// The ratio is over 1.
    More,
    /// The ratio is under 1.
    Less,
    /// They may well be the same.
    NoDifference,
    /// More trials would tell.
    TooFew,
}

/// Servers side by side, as ratios to one of them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Comparison {
    /// The server that the others are compared with.
    pub reference: String,
    /// Ratios that are closer to 1 are no difference: 0.02 means 2 %.
    pub noise_threshold: f64,
    /// In this share of all reports every interval holds the truth.
    pub confidence: f64,
    /// The ratios, in the order of the rows.
    pub ratios: Vec<Ratio>,
}

/// One figure of one server by that of the reference.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Ratio {
    /// Name of the load.
    pub workload: String,
    /// Name of the server.
    pub subject: String,
    /// Which figure.
    pub metric: Metric,
    /// Pairs of trials that it was made of.
    pub pairs: usize,
    /// The geometric mean of the pairs' ratios.
    pub ratio: f64,
    /// The lower end of the interval; `None`: too few pairs for one.
    pub low: Option<f64>,
    /// The upper end.
    pub high: Option<f64>,
    /// What that shows.
    pub shown: Shown,
    /// Some of the trials are SUSPECT.
    pub doubted: bool,
}

/// The figures of trials that belong together.
#[derive(Debug, Default)]
struct Pairs {
    above: Vec<f64>,
    below: Vec<f64>,
    doubted: bool,
}

/// Compares all servers of a report with the reference; without one, with the first that has a comparable trial.
/// `None`: there are no two servers.
#[must_use]
pub fn compare(report: &Report, reference: Option<&str>, noise: f64) -> Option<Comparison> {
    let names: Vec<&str> = report.subjects.iter().map(|subject| subject.name.as_str()).collect();
    let has_trial = |name: &&str| report.trials.iter().any(|t| t.subject == **name && comparable(t));
    let first = names.iter().copied().find(has_trial).or_else(|| names.first().copied())?;
    let reference = reference.unwrap_or(first);
    if names.len() < 2 {
        return None;
    }
    let mut pairs = Vec::new();
    for workload in &report.workloads {
        for subject in names.iter().filter(|name| **name != reference) {
            for metric in Metric::ALL {
                let found = pairs_of(report, &workload.name, [subject, reference], metric);
                if !found.above.is_empty() {
                    pairs.push((workload.name.as_str(), *subject, metric, found));
                }
            }
        }
    }
    let told = pairs.iter().filter(|(.., pairs)| pairs.above.len() >= FEWEST);
    let told: Vec<Metric> = told.map(|(_, _, metric, _)| *metric).collect();
    let seed = report.seed.unwrap_or(0);
    let ratios = pairs.into_iter().zip(0..).filter_map(|((workload, subject, metric, pairs), at)| {
        let estimate = paired(&pairs.above, &pairs.below, metric.together(&told), seed.wrapping_add(at))?;
        Some(Ratio {
            workload: workload.to_owned(),
            subject: subject.to_owned(),
            metric,
            pairs: pairs.above.len(),
            ratio: estimate.ratio,
            low: estimate.interval.map(|(low, _)| low),
            high: estimate.interval.map(|(_, high)| high),
            shown: shown(&estimate, pairs.above.len(), noise),
            doubted: pairs.doubted,
        })
    });
    Some(Comparison {
        reference: reference.to_owned(),
        noise_threshold: noise,
        confidence: CONFIDENCE,
        ratios: ratios.collect(),
    })
}

/// What an estimate from so many figures shows.
#[must_use]
pub fn shown(estimate: &Estimate, count: usize, noise: f64) -> Shown {
    let Some((low, high)) = estimate.interval else { return Shown::TooFew };
    let apart = estimate.ratio.max(1.0 / estimate.ratio);
    let few = count < ENOUGH;
    let far = apart > if few { CLEAR.max(1.0 + noise) } else { 1.0 + noise };
    match (low > 1.0 || high < 1.0) && far {
        true if estimate.ratio > 1.0 => Shown::More,
        true => Shown::Less,
        false if few => Shown::TooFew,
        false => Shown::NoDifference,
    }
}

/// A trial that may be one of a pair: it did not fail, and it is about all connections.
#[must_use]
pub fn comparable(trial: &Trial) -> bool {
    let all_served = |trial: &Trial| {
        trial.client.as_ref().is_some_and(|c| c.connections.served == c.connections.established)
    };
    !trial.verdict.level.is_failure() && all_served(trial)
}

/// The pairs of VALID trials if there are enough of them, else all.
fn pairs_of(report: &Report, workload: &str, names: [&str; 2], metric: Metric) -> Pairs {
    let trial = |name: &str, number: u32| {
        let of = |t: &&Trial| t.workload == workload && t.subject == name && t.trial == number;
        report.trials.iter().find(of).filter(|trial| comparable(trial))
    };
    let pair = |number: u32| {
        let [above, below] = names.map(|name| trial(name, number));
        let (above, below) = above.zip(below)?;
        let valid = above.verdict.level == Level::Ok && below.verdict.level == Level::Ok;
        Some((metric.of(above)?, metric.of(below)?, valid))
    };
    let all: Vec<(f64, f64, bool)> = (1..=report.trials_planned).filter_map(pair).collect();
    let valid = all.iter().filter(|(.., valid)| *valid).count();
    let only_valid = valid >= ENOUGH;
    let taken = all.iter().filter(|(.., valid)| *valid || !only_valid);
    let (above, below) = taken.map(|(above, below, _)| (*above, *below)).unzip();
    Pairs { above, below, doubted: !only_valid && valid < all.len() }
}

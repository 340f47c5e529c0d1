//! From trials to rows: the median of each figure and its range.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::data::{Client, Cost, ErrorCount, Figure, Report, Trial};
use crate::drive::Ending;
use crate::measure::room;
use crate::measure::verdict::{Limit, Reason, Verdict};

/// The middle and the ends of some trials' figures.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Spread {
    /// Half of the trials were below; of an even number of times, the lower one of the two in the middle.
    pub median: f64,
    /// The lowest.
    pub low: f64,
    /// The highest.
    pub high: f64,
    /// How many figures there were.
    pub count: usize,
}

/// One server under one load, over all trials.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Row {
    /// Name of the load.
    pub workload: String,
    /// Name of the server.
    pub subject: String,
    /// Trials that the figures are made of.
    pub trials: usize,
    /// Trials that failed, were invalid or were broken off: their figures are in none of the following.
    pub left_out: usize,
    /// Right replies per second.
    pub requests_per_second: Option<Spread>,
    /// Server CPU for each request, in microseconds.
    pub cpu_us_per_request: Option<Spread>,
    /// Context switches for each request.
    pub context_switches_per_request: Option<Spread>,
    /// Median reply time, in nanoseconds, as the following.
    pub p50: Option<Spread>,
    /// 99 % were no longer.
    pub p99: Option<Spread>,
    /// 99.9 % were no longer.
    pub p999: Option<Spread>,
    /// The longest: of all trials it is the highest that counts.
    pub max: Option<Spread>,
    /// Median connect time.
    pub connect_p50: Option<Spread>,
    /// Server memory for each connection, in bytes.
    pub memory_per_connection: Option<Spread>,
    /// What only some experiments measure.
    pub figures: BTreeMap<Figure, Spread>,
    /// Asked for.
    pub requested: usize,
    /// The fewest of any trial.
    pub established: usize,
    /// The fewest of any trial.
    pub served: usize,
    /// All failures of all trials.
    pub errors: Vec<ErrorCount>,
    /// The worst of all trials, with all reasons.
    pub verdict: Verdict,
    /// What limited most trials.
    pub limited_by: Option<Limit>,
    /// The share of its busiest thread's time that the client had left.
    pub client_headroom: Option<Spread>,
    /// Why it was not twice as fast, in a sentence.
    pub why_not_double: Option<String>,
}

impl Spread {
    /// Of these figures; `None` if there are none.
    #[must_use]
    pub fn of(mut figures: Vec<f64>) -> Option<Self> {
        figures.sort_by(f64::total_cmp);
        let (low, high) = (*figures.first()?, *figures.last()?);
        let middle = figures.len() / 2;
        let median = if figures.len() % 2 == 1 {
            figures[middle]
        } else {
            f64::midpoint(figures[middle - 1], figures[middle])
        };
        Some(Self { median, low, high, count: figures.len() })
    }

    /// As [`Spread::of`], for percentiles: these are never averaged, so the middle is one of them.
    #[must_use]
    pub fn of_times(mut figures: Vec<f64>) -> Option<Self> {
        figures.sort_by(f64::total_cmp);
        let median = *figures.get(figures.len().checked_sub(1)? / 2)?;
        Some(Self { median, ..Self::of(figures)? })
    }

    /// Half the range in per cent of the median.
    #[must_use]
    pub fn percent(&self) -> f64 {
        if self.median == 0.0 { 0.0 } else { (self.high - self.low) / 2.0 / self.median * 100.0 }
    }
}

/// The rows of a report, load by load, in the order of its servers; rows without any trial are left out.
#[must_use]
pub fn rows(report: &Report) -> Vec<Row> {
    let mut rows = Vec::new();
    for workload in &report.workloads {
        for subject in &report.subjects {
            let trials = trials_of(report, &workload.name, &subject.name);
            if !trials.is_empty() {
                rows.push(row(&trials, workload.load.connections));
            }
        }
    }
    rows
}

/// The trials of a row, in the order in which they were made.
pub(crate) fn trials_of<'a>(report: &'a Report, workload: &str, subject: &str) -> Vec<&'a Trial> {
    report.trials.iter().filter(|trial| trial.workload == workload && trial.subject == subject).collect()
}

fn row(trials: &[&Trial], requested: usize) -> Row {
    let clients: Vec<&Client> = trials.iter().filter_map(|trial| trial.client.as_ref()).collect();
    let counted = counted(trials);
    let measured: Vec<&Client> = counted.iter().filter_map(|trial| trial.client.as_ref()).collect();
    let seen = if measured.is_empty() { &clients } else { &measured };
    let costs: Vec<&Cost> = counted.iter().filter_map(|trial| trial.server.as_ref()).collect();
    let time = |of: fn(&Client) -> u64| Spread::of_times(measured.iter().map(|c| of(c) as f64).collect());
    let cost = |of: fn(&Cost) -> Option<f64>| Spread::of(costs.iter().filter_map(|c| of(c)).collect());
    Row {
        workload: trials[0].workload.clone(),
        subject: trials[0].subject.clone(),
        trials: counted.len(),
        left_out: trials.len() - counted.len(),
        requests_per_second: Spread::of(measured.iter().map(|c| c.requests_per_second).collect()),
        cpu_us_per_request: cost(|c| Some(c.cpu_us_per_request)),
        context_switches_per_request: cost(|c| c.context_switches_per_request),
        p50: time(|c| c.reply.p50),
        p99: time(|c| c.reply.p99),
        p999: time(|c| c.reply.p999),
        max: time(|c| c.reply.max),
        connect_p50: Spread::of_times(
            measured.iter().filter_map(|c| Some(c.connect.as_ref()?.p50 as f64)).collect(),
        ),
        memory_per_connection: cost(|c| c.memory_per_connection),
        figures: figures(&counted),
        requested,
        established: seen.iter().map(|c| c.connections.established).min().unwrap_or(0),
        served: seen.iter().map(|c| c.connections.served).min().unwrap_or(0),
        errors: add_up(&clients),
        verdict: worst(trials),
        limited_by: most_common(&counted),
        client_headroom: Spread::of(counted.iter().filter_map(|trial| trial.client_headroom).collect()),
        why_not_double: why(&counted),
    }
}

/// What limited most trials, with the median shares of those that it limited.
fn why(trials: &[&Trial]) -> Option<String> {
    let limit = most_common(trials)?;
    let limited: Vec<&&Trial> = trials.iter().filter(|trial| trial.limited_by == Some(limit)).collect();
    let median = |of: fn(&Trial) -> Option<f64>| {
        Spread::of(limited.iter().filter_map(|trial| of(trial)).collect()).map(|spread| spread.median)
    };
    Some(room::why_not_double(
        limit,
        room::Shares {
            client: median(|trial| Some(1.0 - trial.client_headroom?)),
            server: median(|trial| trial.server.as_ref().map(|cost| cost.busiest_thread)),
            server_all: median(|trial| trial.server.as_ref().map(|cost| cost.busy)),
            machine: median(|trial| trial.machine.map(|machine| machine.busy)),
            open_loop: limited.iter().any(|trial| trial.client.as_ref().is_some_and(|c| c.open.is_some())),
        },
    ))
}

/// The trials whose figures may stand in a table: those that completed and did not fail. Where all have failed, the
/// completed ones stand there all the same: the verdict beside them says what they are worth.
pub(crate) fn counted<'a>(trials: &[&'a Trial]) -> Vec<&'a Trial> {
    let completed = |trial: &&&Trial| {
        trial.client.as_ref().is_some_and(|c| c.ending == Ending::Completed && c.requests.ok > 0)
    };
    let completed: Vec<&Trial> = trials.iter().filter(completed).copied().collect();
    let sound: Vec<&Trial> =
        completed.iter().filter(|trial| !trial.verdict.level.is_failure()).copied().collect();
    if sound.is_empty() { completed } else { sound }
}

/// A figure that some trials lack (a server that never came back has no time for it) is the median of the others.
fn figures(trials: &[&Trial]) -> BTreeMap<Figure, Spread> {
    let mut all: BTreeMap<Figure, Vec<f64>> = BTreeMap::new();
    for (figure, value) in trials.iter().flat_map(|trial| &trial.figures) {
        all.entry(*figure).or_default().push(*value);
    }
    all.into_iter().filter_map(|(figure, values)| Some((figure, Spread::of(values)?))).collect()
}

fn add_up(clients: &[&Client]) -> Vec<ErrorCount> {
    let mut sums: Vec<ErrorCount> = Vec::new();
    for error in clients.iter().flat_map(|client| &client.errors) {
        match sums.iter_mut().find(|sum| (sum.class, sum.errno) == (error.class, error.errno)) {
            Some(sum) => {
                sum.connections += error.connections;
                sum.requests += error.requests;
            }
            None => sums.push(error.clone()),
        }
    }
    sums
}

/// The worst level, and each kind of reason once: the first of its kind, and how many trials had it.
fn worst(trials: &[&Trial]) -> Verdict {
    let kind = |reason: &str| reason.replace(|c: char| c.is_ascii_digit() || c == '.' || c == ',', "");
    let mut kinds: Vec<(&Reason, usize)> = Vec::new();
    for reason in trials.iter().flat_map(|trial| &trial.verdict.reasons) {
        match kinds.iter_mut().find(|(first, _)| kind(&first.text) == kind(&reason.text)) {
            Some((_, count)) => *count += 1,
            None => kinds.push((reason, 1)),
        }
    }
    let mut verdict = Verdict::ok();
    for (Reason { level, text }, count) in kinds {
        let text = match trials.len() {
            1 => text.clone(),
            all => format!("{text} (in {count} of {all} trials)"),
        };
        verdict.add(*level, text);
    }
    verdict
}

fn most_common(trials: &[&Trial]) -> Option<Limit> {
    let limits: Vec<Limit> = trials.iter().filter_map(|trial| trial.limited_by).collect();
    let votes = |limit: Limit| limits.iter().filter(|other| **other == limit).count();
    limits.iter().copied().max_by_key(|limit| votes(*limit))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spread_has_a_middle_and_ends() {
        assert_eq!(Spread::of(vec![]), None);
        let three = Spread { median: 2.0, low: 1.0, high: 3.0, count: 3 };
        assert_eq!(Spread::of(vec![3.0, 1.0, 2.0]), Some(three));
        assert_eq!(Spread::of_times(vec![3.0, 1.0, 2.0]), Some(three));
        let even = Spread::of(vec![4.0, 2.0]).unwrap();
        assert_eq!((even.median, even.percent().round()), (3.0, 33.0));
        // a percentile is one that was measured
        assert_eq!(Spread::of_times(vec![4.0, 2.0, 3.0, 9.0]).unwrap().median, 3.0);
        assert_eq!(Spread::of_times(vec![]), None);
    }
}

//! Promises that a server is held to, such as `p99<5ms`, and whether it kept them.
//!
//! How: each promise is looked at in each row, with the figure that stands in the row: the median over its trials, for
//! `max` the longest of all trials, for `errors` all trials together. Cost: nothing. Where it breaks: a figure that was
//! not measured keeps no promise.

use serde::{Deserialize, Serialize};

use crate::drive::Ending;
use crate::report::data::{Client, Cost};
use crate::report::summary::{self, Row, Spread};
use crate::report::{Report, Trial};

/// What is promised.
#[derive(Debug, Clone, PartialEq)]
pub struct Promise {
    /// About which figure.
    pub figure: Promised,
    /// On which side of the bound it has to be.
    pub side: Side,
    /// The bound: nanoseconds, requests per second, or a share of all requests.
    pub bound: f64,
    /// As the user wrote it.
    pub text: String,
}

/// A figure that can be promised. In an open loop all times count from when a request was due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Promised {
    /// Half of the replies took no longer.
    P50,
    /// Nine of ten.
    P90,
    /// 99 %.
    P99,
    /// 99.9 %.
    P999,
    /// 99.99 %.
    P9999,
    /// The longest reply.
    Max,
    /// The mean of the replies.
    Mean,
    /// The share of requests that did not end well.
    Errors,
    /// Right replies per second.
    Rate,
    /// Server CPU for a request.
    Cpu,
}

/// Where a figure has to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// `<`
    Below,
    /// `<=`
    AtMost,
    /// `>`
    Above,
    /// `>=`
    AtLeast,
}

/// What became of a promise in one row.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Outcome {
    /// Name of the load.
    pub workload: String,
    /// Name of the server.
    pub subject: String,
    /// As the user wrote it.
    pub promise: String,
    /// The figure: nanoseconds, requests per second, or a share of all requests; `None`: it was not measured.
    pub measured: Option<f64>,
    /// The figure with its unit.
    pub shown: String,
    /// Whether it was kept.
    pub kept: bool,
}

impl Side {
    /// Whether a figure is on this side of the bound.
    #[must_use]
    pub fn holds(self, figure: f64, bound: f64) -> bool {
        match self {
            Self::Below => figure < bound,
            Self::AtMost => figure <= bound,
            Self::Above => figure > bound,
            Self::AtLeast => figure >= bound,
        }
    }
}

/// Every promise in every row.
#[must_use]
pub fn outcomes(report: &Report, promises: &[Promise]) -> Vec<Outcome> {
    let outcome = |row: &Row, promise: &Promise| {
        let measured = measured(report, row, promise.figure);
        Outcome {
            workload: row.workload.clone(),
            subject: row.subject.clone(),
            promise: promise.text.clone(),
            measured,
            shown: measured.map_or("not measured".to_owned(), |figure| show(promise.figure, figure)),
            kept: measured.is_some_and(|figure| promise.side.holds(figure, promise.bound)),
        }
    };
    report.summary.iter().flat_map(|row| promises.iter().map(move |promise| outcome(row, promise))).collect()
}

fn measured(report: &Report, row: &Row, figure: Promised) -> Option<f64> {
    let trials = summary::trials_of(report, &row.workload, &row.subject);
    if figure == Promised::Errors {
        return errors(&trials);
    }
    let counted = summary::counted(&trials);
    let time = |of: fn(&Client) -> f64| {
        Spread::of_times(counted.iter().filter_map(|trial| trial.client.as_ref()).map(of).collect())
    };
    let cost = |of: fn(&Cost) -> f64| {
        Spread::of(counted.iter().filter_map(|trial| trial.server.as_ref()).map(of).collect())
    };
    let spread = match figure {
        Promised::P50 => time(|c| c.reply.p50 as f64),
        Promised::P90 => time(|c| c.reply.p90 as f64),
        Promised::P99 => time(|c| c.reply.p99 as f64),
        Promised::P999 => time(|c| c.reply.p999 as f64),
        Promised::P9999 => time(|c| c.reply.p9999 as f64),
        Promised::Max => return time(|c| c.reply.max as f64).map(|spread| spread.high),
        Promised::Mean => time(|c| c.reply.mean),
        Promised::Cpu => cost(|c| c.cpu_us_per_request * 1e3),
        Promised::Rate | Promised::Errors => row.requests_per_second,
    };
    spread.map(|spread| spread.median)
}

/// Requests that were lost, refused or never sent, by all requests of all trials. A failed connection without a request
/// under way counts as one. A server that answered nothing at all has failed in everything.
fn errors(trials: &[&Trial]) -> Option<f64> {
    let clients = trials.iter().filter_map(|trial| trial.client.as_ref());
    let (mut failed, mut ok) = (0, 0);
    for client in clients.filter(|client| client.ending != Ending::Interrupted) {
        failed += client.errors.iter().map(|error| error.requests.max(error.connections)).sum::<u64>();
        failed += client.open.as_ref().map_or(0, |open| open.unsent);
        ok += client.requests.ok + client.requests.warmup_ok;
    }
    match (failed, ok) {
        (0, 0) => trials.iter().any(|trial| trial.client.is_some()).then_some(1.0),
        _ => Some(failed as f64 / (failed + ok) as f64),
    }
}

fn show(figure: Promised, value: f64) -> String {
    match figure {
        Promised::Errors => format!("{} %", three_digits(value * 100.0)),
        Promised::Rate => format!("{} requests/s", common::units::show_count(value.round() as u64)),
        _ => common::units::show_duration(std::time::Duration::from_nanos(value.round() as u64)),
    }
}

/// A share that is very small is still not 0.
fn three_digits(value: f64) -> String {
    match value {
        0.0 => "0".to_owned(),
        v if v < 0.001 => format!("{v:.1e}"),
        v if v < 1.0 => format!("{v:.3}"),
        v => format!("{v:.1}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_figure_on_the_bound_is_kept_only_where_the_bound_is_included() {
        let holds = |figure| {
            [Side::Below, Side::AtMost, Side::Above, Side::AtLeast].map(|side| side.holds(figure, 5.0))
        };
        assert_eq!(holds(4.0), [true, true, false, false]);
        assert_eq!(holds(5.0), [false, true, false, true]);
        assert_eq!(holds(6.0), [false, false, true, true]);
    }

    #[test]
    fn a_small_share_is_not_shown_as_nothing() {
        assert_eq!(show(Promised::Errors, 0.000_001), "1.0e-4 %");
        assert_eq!(show(Promised::Errors, 0.0), "0 %");
        assert_eq!(show(Promised::Errors, 0.012_34), "1.2 %");
        assert_eq!(show(Promised::P99, 5e6), "5.00 ms");
    }
}

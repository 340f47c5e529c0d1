//! Slow clients: whose workers they hold.

use super::{Experiment, words};
use crate::plan::{Bystanders, Load, Scenario, Workload};
use crate::report::summary::Row;

/// Slow connections beside the measured ones.
const SLOW: usize = 64;
const WITHOUT: &str = "nobody slow";
const WITH: &str = "64 slow clients";

pub(super) const EXPERIMENT: Experiment = Experiment {
    shows: "What clients cost that dribble a byte now and then, or send and never read: the polite ones beside them are \
            measured.",
    expects: "A worker that serves a connection to its end is lost to a slow client until a time limit ends it: a pool of \
              64 stops serving. A thread or process for each connection, a loop and tasks are hardly touched, as long \
              as replies that nobody takes are bounded.",
    workloads: |base| {
        let load =
            |slow| Load { bystanders: Bystanders { slow, ..Bystanders::default() }, ..base.load.clone() };
        vec![Workload::of(Scenario::Slow, WITHOUT, load(0)), Workload::of(Scenario::Slow, WITH, load(SLOW))]
    },
    conclude: |rows| beside(rows, WITHOUT, WITH),
};

/// How the measured connections did without and with somebody else.
pub(super) fn beside(rows: &[Row], without: &str, with: &str) -> Vec<String> {
    words::subjects(rows)
        .iter()
        .map(|subject| {
            let (before, after) = (words::row(rows, subject, without), words::row(rows, subject, with));
            let served = after.map_or(0, |row| row.served);
            let rate = |row: Option<&Row>| Some(row?.requests_per_second?.median);
            let tail = |row: Option<&Row>| Some(row?.p99?.median);
            match (served, words::times(rate(after), rate(before)), words::times(tail(after), tail(before))) {
                (0, ..) => format!("{subject}: with {with}, none of the measured connections was served."),
                (_, Some(rate), Some(tail)) => {
                    format!("{subject}: with {with}, {rate} the requests/s and {tail} the p99.")
                }
                _ => format!("{subject}: there is nothing to compare."),
            }
        })
        .collect()
}

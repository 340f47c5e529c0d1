//! Requests that block: what pools and threads are for, and what stalls a loop.

use super::{Experiment, words};
use crate::plan::{Load, Scenario, Workload};
use crate::report::summary::Row;

/// How long a request waits, in milliseconds.
const WAIT: u64 = 10;
/// The two ways to wait.
const WAYS: [(&str, &str); 2] = [("may be waited for", "wait:10ms"), ("blocks the handler", "block:10ms")];

pub(super) const EXPERIMENT: Experiment = Experiment {
    shows: "Requests that wait 10 ms for something else: once in a way that the model may wait for in its own manner (a \
            timer), once in a call that blocks whoever serves it.",
    expects: "Little's law: c connections and S of waiting give at most c/S requests a second. A thread or process for \
              each connection reaches that both times. A pool of k reaches k/S. A loop and async tasks reach it while \
              they may wait by timer; a blocking call stops everybody on the loop: 1/S for each loop. hybrid moves \
              such requests to its threads.",
    workloads: |base| {
        WAYS.map(|(what, work)| {
            Workload::of(Scenario::Block, what, Load { depth: 1, ..base.load.clone() })
                .only_with(&["--work", work])
        })
        .into()
    },
    conclude,
};

fn conclude(rows: &mut [Row]) -> Vec<String> {
    WAYS.iter()
        .filter_map(|(what, _)| {
            let list: Vec<String> = words::subjects(rows)
                .iter()
                .filter_map(|subject| {
                    let row = words::row(rows, subject, what)?;
                    let most = row.requested as f64 * 1000.0 / WAIT as f64;
                    let done = row.requests_per_second?.median;
                    Some(format!("{subject} {} ({:.0} %)", words::rate(done), done / most * 100.0))
                })
                .collect();
            let most = rows.first().map_or(0.0, |row| row.requested as f64 * 1000.0 / WAIT as f64);
            (!list.is_empty())
                .then(|| format!("{what}: of {} at most: {}.", words::rate(most), list.join(", ")))
        })
        .collect()
}

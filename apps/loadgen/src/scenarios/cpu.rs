//! Requests that compute: who can use more than one CPU, and who holds up whom.

use super::{Experiment, words};
use crate::plan::{Load, Scenario, Workload};
use crate::report::summary::Row;

/// What a request computes, in microseconds.
const COSTS: [u64; 2] = [100, 1_000];

pub(super) const EXPERIMENT: Experiment = Experiment {
    shows: "Requests that each need the CPU for a fixed time (--work cpu:…).",
    expects: "A CPU that does nothing but requests of S microseconds does 1/S of them: all models come close to that, \
              however different they are without work. On one CPU more workers add nothing to requests/s; they share \
              the CPU in slices, so a short request does not wait for all long ones before it, as it does in a loop.",
    workloads: |base| {
        let load = |_| Load { depth: 1, ..base.load.clone() };
        COSTS
            .map(|cost| {
                Workload::of(Scenario::Cpu, &format!("{cost} us"), load(cost))
                    .only_with(&["--work", &format!("cpu:{cost}us")])
            })
            .into()
    },
    conclude,
};

fn conclude(rows: &mut [Row]) -> Vec<String> {
    COSTS
        .iter()
        .filter_map(|cost| {
            let load = format!("{cost} us");
            let list: Vec<String> = words::subjects(rows)
                .iter()
                .filter_map(|subject| {
                    let done = words::row(rows, subject, &load)?.requests_per_second?.median;
                    Some(format!("{subject} {:.0} %", done * *cost as f64 / 1e4))
                })
                .collect();
            (!list.is_empty()).then(|| {
                format!("{load} each: share of one CPU that went into requests: {}.", list.join(", "))
            })
        })
        .collect()
}

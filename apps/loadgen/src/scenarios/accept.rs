//! Who accepts: how connections spread over workers.

use super::{Base, Experiment, words};
use crate::plan::{Load, Scenario, Workload};
use crate::report::data::Figure;
use crate::report::summary::Row;

/// Workers of each server.
const WORKERS: &str = "4";

pub(super) const EXPERIMENT: Experiment = Experiment {
    shows: "How evenly new connections spread over four workers, by every way of accepting that a model has.",
    expects: "Workers that block in accept on one socket are woken in turn: even. A lock around accept: even, and dearer. \
              Loops that share a socket race for it; with EPOLLEXCLUSIVE the kernel wakes the first that sleeps, so one \
              does nearly all while the load is light. SO_REUSEPORT chooses by a hash: even on average, as uneven as \
              chance makes it for few connections. A main thread that hands out in turn: exact.",
    workloads,
    conclude,
};

fn workloads(base: &Base) -> Vec<Workload> {
    let load = Load { reconnect: Some(1), depth: 1, ..base.load.clone() };
    let workload = Workload { accepts: true, ..Workload::of(Scenario::Accept, "", load) };
    vec![workload.only_with(&["--workers", WORKERS])]
}

fn conclude(rows: &mut [Row]) -> Vec<String> {
    rows.iter()
        .filter_map(|row| {
            let jain = words::figure(row, Figure::WorkersJain)?;
            let most = words::figure(row, Figure::BusiestWorkerShare)?;
            Some(format!(
                "{}: Jain index {jain:.3}, the busiest worker had {:.0} %.",
                row.subject,
                most * 100.0
            ))
        })
        .collect()
}

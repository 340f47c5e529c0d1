//! A handler crashes: who goes down with it, and for how long.

use std::time::Duration;

use super::{Base, Experiment, words};
use crate::plan::{Act, Crash, Load, Scenario, Workload};
use crate::report::data::Figure;
use crate::report::summary::Row;

const KILL: &str = "kill -9 of a process";
/// The crashes: a bug that is noticed, one that ends the process, and a process that is killed from outside.
const CRASHES: [(&str, Crash); 3] =
    [("a panic", Crash::Panic), ("an abort", Crash::Abort), (KILL, Crash::Kill)];
/// Enough for a crash in the middle and a recovery after it.
const SPAN: Duration = Duration::from_secs(2);
const SPAN_QUICK: Duration = Duration::from_millis(800);

pub(super) const EXPERIMENT: Experiment = Experiment {
    shows: "The blast radius of a crash in one connection's handler: how many of the others lose their connection or a \
            request, and after what time a new connection is served again.",
    expects: "A panic ends one connection in every model. An abort or a memory fault ends its process: with a process for \
              each connection (or prefork) that is one connection, with threads, loops and tasks it is all of them, and \
              the server is gone until somebody starts it again. A killed worker process is replaced.",
    workloads,
    conclude,
};

fn workloads(base: &Base) -> Vec<Workload> {
    let span = if base.quick { SPAN_QUICK } else { SPAN };
    CRASHES
        .into_iter()
        .map(|(what, crash)| {
            let load = Load { stop: super::at_least(&base.load, span), depth: 1, ..base.load.clone() };
            let workload = Workload { act: Act::Crash(crash), ..Workload::of(Scenario::Crash, what, load) };
            match crash {
                Crash::Panic | Crash::Abort => workload.only_with(&["--faults"]),
                Crash::Kill => workload,
            }
        })
        .collect()
}

fn conclude(rows: &mut [Row]) -> Vec<String> {
    let sentence = |row: &Row| {
        let Some(lost) = words::figure(row, Figure::ConnectionsLost) else {
            return format!("{}: no worker was free to obey the order", row.subject);
        };
        let of = row.established;
        let back = words::figure(row, Figure::RecoveredMs).map_or_else(
            || "not served again while it lasted".to_owned(),
            |ms| format!("served again after {}", words::nanos(ms * 1e6)),
        );
        // a panic and an abort were ordered by a connection beside them; a kill hits one of theirs
        let whom = if words::is(row, KILL) { "connections" } else { "others" };
        // one that was opened again before the server was gone, and was reset as well, is counted again
        let again = if lost > of as f64 { ", and some that replaced them" } else { "" };
        format!("{}: {:.0} of {of} {whom} lost{again}, {back}", row.subject, lost.min(of as f64))
    };
    CRASHES
        .iter()
        .filter_map(|(what, _)| {
            let list: Vec<String> = rows.iter().filter(|row| words::is(row, what)).map(sentence).collect();
            (!list.is_empty()).then(|| format!("{what}: {}.", list.join("; ")))
        })
        .collect()
}

//! SIGTERM under load: what is lost when a server leaves.

use std::time::Duration;

use super::{Base, Experiment, words};
use crate::plan::{Act, Load, Scenario, Workload};
use crate::report::data::Figure;
use crate::report::summary::Row;

/// How long a server may take to drain, as tcp-echo is told.
const DRAIN: &str = "500ms";
/// How long it waits for a client that is silent. Long: on a busy machine a client that has just connected may take a tenth
/// of a second to send, and what is closed on it then would count as lost.
const DRAIN_IDLE: &str = "400ms";
/// Twice that at the least, as it is told in the middle of the load.
const SPAN: Duration = Duration::from_secs(3);
const SPAN_QUICK: Duration = Duration::from_millis(1_500);

pub(super) const EXPERIMENT: Experiment = Experiment {
    shows: "SIGTERM in the middle of the load: requests that were sent and never answered, and the time until the server \
            is gone.",
    expects: "A server that drains answers what it has accepted: with a new connection for each request nothing is lost, \
              and the next connects are refused, which a client can see and try elsewhere. Connections that are kept \
              and never fall silent have to be cut when the time for draining is over; each loses the request that is \
              under way then, if any is. A server that just closes its listener resets who connects in that \
              very moment: a request or two. (tcp-echo turns new clients away first.)",
    workloads,
    conclude,
};

fn workloads(base: &Base) -> Vec<Workload> {
    let span = if base.quick { SPAN_QUICK } else { SPAN };
    let with = |what, reconnect| {
        let load = Load { stop: super::at_least(&base.load, span), depth: 1, reconnect, ..base.load.clone() };
        let workload = Workload { act: Act::Stop, ..Workload::of(Scenario::Shutdown, what, load) };
        workload.with_server(&["--drain-timeout", DRAIN, "--drain-idle", DRAIN_IDLE])
    };
    vec![with("a connection for each request", Some(1)), with("connections that are kept", None)]
}

fn conclude(rows: &mut [Row]) -> Vec<String> {
    rows.iter()
        .filter_map(|row| {
            let lost = words::figure(row, Figure::RequestsLost)?;
            let left = words::figure(row, Figure::LeftAfterMs)
                .map_or_else(|| "had to be killed".to_owned(), |ms| format!("was gone after {ms:.0} ms"));
            let what = words::what(row);
            Some(format!("{}, {what}: {lost:.0} requests lost; it {left}.", row.subject))
        })
        .collect()
}

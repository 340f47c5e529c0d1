//! A connection for every request: what accepting and handing over costs.

use super::Experiment;
use crate::plan::{Load, Scenario, Workload};

pub(super) const EXPERIMENT: Experiment = Experiment {
    shows: "What a connection costs: accept, hand over to whoever serves it, one request, close.",
    expects: "A process for each connection pays for a fork (page tables, copies on write), some ten times a thread's \
              creation; pools and loops create nothing. The handshakes on loopback cost all of them the same and hide \
              the difference in requests/s, so look at CPU for a request.",
    workloads: |base| {
        vec![Workload::of(Scenario::Churn, "", Load { reconnect: Some(1), depth: 1, ..base.load.clone() })]
    },
    conclude: |_| Vec::new(),
};

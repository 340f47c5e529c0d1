//! Connections that stay: what a request costs when nobody comes or goes.

use super::Experiment;
use crate::plan::{Scenario, Workload};

pub(super) const EXPERIMENT: Experiment = Experiment {
    shows: "What one request costs on connections that stay open: the path from the socket to the handler and back.",
    expects: "A read and a write a request in every model, so the kernel's work is the same. A thread or process for each \
              connection adds a context switch a request; a loop shares its wake-ups among all that are ready. The \
              differences are some ten per cent, and they vanish as soon as a request does any work.",
    workloads: |base| vec![Workload::of(Scenario::Persistent, "", base.load.clone())],
    conclude: |_| Vec::new(),
};

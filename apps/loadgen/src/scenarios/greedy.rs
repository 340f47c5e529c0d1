//! One greedy client: who shares the server fairly.

use super::{Experiment, slow};
use crate::plan::{Bystanders, Load, Scenario, Workload};

const WITHOUT: &str = "polite clients only";
const WITH: &str = "one greedy client";

pub(super) const EXPERIMENT: Experiment = Experiment {
    shows: "What one client costs the others that sends large messages, many at a time, as fast as they are taken.",
    expects: "Threads and processes share the CPU by the kernel's scheduler: the greedy one gets its slices and no more. \
              A loop serves what is ready in turn; without a bound on what one connection gets in its turn, the greedy \
              one would starve the others. Fair is a Jain index near 1 over the polite ones, and a p99 that grows by \
              no more than the work that was added.",
    workloads: |base| {
        let load =
            |greedy| Load { bystanders: Bystanders { greedy, ..Bystanders::default() }, ..base.load.clone() };
        vec![Workload::of(Scenario::Greedy, WITHOUT, load(0)), Workload::of(Scenario::Greedy, WITH, load(1))]
    },
    conclude: |rows| slow::beside(rows, WITHOUT, WITH),
};

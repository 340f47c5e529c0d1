//! `loadgen find-max`.

use std::time::Duration;

use clap::Args;
use common::exit::Failure;

use super::run::RunOptions;
use super::{gates, slo};
use crate::plan::FindMaxPlan;

/// What is promised where nothing else is said.
const PROMISES: [&str; 2] = ["p99<10ms", "errors<0.1%"];
/// How long each rate is tried where nothing else is said.
const DURATION: Duration = Duration::from_secs(2);

/// Find the highest rate at which a server keeps its promises (--slo)
#[derive(Debug, Args)]
pub(super) struct FindMaxOptions {
    /// How near the highest rate that is kept and the lowest that is not shall be
    #[arg(long, value_name = "PERCENT", default_value = "5%", value_parser = gates::percent)]
    precision: f64,
    #[command(flatten)]
    run: RunOptions,
}

impl FindMaxOptions {
    pub(super) fn plan(self) -> Result<FindMaxPlan, Failure> {
        if !(0.005..=1.0).contains(&self.precision) {
            return Err(Failure::usage(
                "--precision lies between 0.5% and 100%; write for example --precision 5%",
            ));
        }
        let mut plan = self.run.at_some_rate(DURATION)?;
        if plan.loads.len() != 1 {
            return Err(Failure::usage("-c: find-max takes one number of connections"));
        }
        if plan.manner.gates.promises.is_empty() {
            plan.manner.gates.promises = PROMISES
                .iter()
                .map(|text| slo::promise(text))
                .collect::<Result<_, _>>()
                .map_err(Failure::usage)?;
        }
        Ok(FindMaxPlan { run: plan, precision: self.precision })
    }
}

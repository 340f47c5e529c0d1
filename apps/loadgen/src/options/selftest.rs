//! `loadgen selftest`.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use common::exit::Failure;
use common::units;

use super::{output, pin};
use crate::gates::Gates;
use crate::plan::{Manner, Pin, SelftestPlan};

/// The longest time for each part.
const DURATION_MAX: Duration = Duration::from_secs(3600);

/// Measure this program itself: its ceiling, its lateness, and whether its clock is right
#[derive(Debug, Args)]
pub(super) struct SelftestOptions {
    /// How long to measure each part
    #[arg(short = 'd', long, value_name = "TIME", default_value = "1s", value_parser = units::duration)]
    duration: Duration,
    /// Seed of everything random
    #[arg(long, value_name = "N", default_value = "1")]
    seed: u64,
    /// Who runs where, see `loadgen run --help`
    #[arg(long, value_name = "HOW", default_value = "auto", value_parser = pin::parse)]
    pin: Pin,
    /// Also write the report to a file
    #[arg(short = 'o', long = "output", value_name = "FILE")]
    outputs: Vec<PathBuf>,
    #[command(flatten)]
    print: output::PrintOptions,
    /// Show nothing while it lasts
    #[arg(long)]
    quiet: bool,
}

impl SelftestOptions {
    pub(super) fn plan(self) -> Result<SelftestPlan, Failure> {
        if !(Duration::from_millis(100)..=DURATION_MAX).contains(&self.duration) {
            return Err(Failure::usage("-d: each part takes from 100ms to 1h; write for example -d 1s"));
        }
        pin::check(&self.pin)?;
        let outputs = self.outputs.iter().map(|path| output::understand(path)).collect::<Result<_, _>>()?;
        let gates = Gates::default();
        let manner = Manner {
            trials: 1,
            pin: self.pin,
            outputs,
            printed: self.print.understand(),
            quiet: self.quiet,
            gates,
        };
        Ok(SelftestPlan { duration: self.duration, seed: self.seed, manner })
    }
}

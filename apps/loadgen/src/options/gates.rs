//! What a run is held to: promises, a baseline, and how strict to be.

use clap::{Args, ValueEnum};
use common::exit::Failure;

use super::slo;
use crate::gates::{Gates, Kept};
use crate::measure::verdict::Level;
use crate::report::kept;
use crate::stats::bootstrap::FEWEST;
use crate::stats::slo::Promise;

/// By how much a figure may be worse if nothing else is said: two runs of different days differ by more than their own
/// trials do.
const ALLOWED: &str = "5%";

/// What a run is held to
#[derive(Debug, Args)]
#[command(next_help_heading = "Gates")]
pub(super) struct GateOptions {
    /// Promises, each FIGURE<BOUND: p50 p90 p99 p99.9 p99.99 max mean cpu (times), rate (requests/s), errors (% of the
    /// requests); < <= > >=. One that is broken ends with exit code 3. For example 'p99<5ms,errors<0.1%'
    #[arg(long, value_name = "LIST", value_delimiter = ',', value_parser = slo::promise)]
    slo: Vec<Promise>,
    /// Compare with the report that was saved under this name, or in this file (with a / or .json)
    #[arg(long, value_name = "NAME|FILE")]
    baseline: Option<String>,
    /// Save the report to be compared with later: by a name ($XDG_DATA_HOME/loadgen/baselines), or in a file (with a /
    /// or .json). A report that failed is not saved
    #[arg(long, value_name = "NAME|FILE")]
    save_baseline: Option<String>,
    /// End with exit code 3 if anything is worse than in the baseline by more than this, with its whole interval
    /// [default: 5%]
    #[arg(long, value_name = "PERCENT", num_args = 0..=1, require_equals = true, default_missing_value = ALLOWED)]
    #[arg(requires = "baseline", value_parser = percent)]
    fail_on_regression: Option<f64>,
    /// Differences that are smaller are none, however sure they are
    #[arg(long, value_name = "PERCENT", default_value = "2%", value_parser = percent)]
    noise_threshold: f64,
    /// End with exit code 4 if a measurement is INVALID, or already if it is SUSPECT [default: invalid]
    #[arg(long, value_name = "LEVEL", num_args = 0..=1, require_equals = true, default_missing_value = "invalid")]
    strict: Option<Strict>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Strict {
    /// What is no measurement of the server is refused
    Invalid,
    /// What may be off is refused as well
    Suspect,
}

impl GateOptions {
    pub(super) fn gates(self, trials: u64, reference: Option<String>) -> Result<Gates, Failure> {
        slo::few_enough(&self.slo).map_err(Failure::usage)?;
        if self.fail_on_regression.is_some() && trials < FEWEST as u64 {
            return Err(Failure::usage(format!(
                "--fail-on-regression: {trials} trials show nothing: write -x 5, or at least -x {FEWEST}"
            )));
        }
        let keep = |name: Option<String>| {
            name.map(|name| kept::place(&name).map(|path| Kept { name, path })).transpose()
        };
        Ok(Gates {
            reference,
            noise: self.noise_threshold,
            promises: self.slo,
            baseline: keep(self.baseline)?,
            save_baseline: keep(self.save_baseline)?,
            allowed: self.fail_on_regression,
            strict: self.strict.map(|strict| match strict {
                Strict::Invalid => Level::Invalid,
                Strict::Suspect => Level::Suspect,
            }),
        })
    }
}

/// `2%` or `2`, as a share.
pub(super) fn percent(text: &str) -> Result<f64, String> {
    let number = text.strip_suffix('%').unwrap_or(text).trim();
    match number.parse::<f64>() {
        Ok(percent) if (0.0..=1000.0).contains(&percent) => Ok(percent / 100.0),
        _ => Err(format!("\"{text}\" is no percentage: write for example 2%")),
    }
}

//! What a run is held to, and the exit code that says what came of it.
//!
//! How: when the last trial is over, the ratios, the promises and the change since the baseline are put into the
//! report; then the worst news decides. Of an interrupted report only the ratios are told: the rest would be judged by
//! a part of what was asked for. Cost: the bootstraps of [`crate::stats`], after the measuring. Where it breaks: a gate
//! that could not be looked at is not passed.

use std::path::PathBuf;

use common::exit::{FAILED, Failure};
use common::units::plural;

use crate::measure::verdict::Level;
use crate::report::data::Verb;
use crate::report::{Report, claims, kept};
use crate::stats::slo::{self, Promise};
use crate::stats::{baseline, ratios};
use crate::{find_max, run};

/// A promise was broken, or something is worse than in the baseline.
pub const BROKEN: u8 = 3;
/// A measurement that `--strict` does not accept.
pub const NOT_VALID: u8 = 4;

/// What a run is held to.
#[derive(Debug, Clone, PartialEq)]
pub struct Gates {
    /// The server that the others are compared with; the first one, if none is named.
    pub reference: Option<String>,
    /// Differences that are smaller are none.
    pub noise: f64,
    /// What every row has to keep.
    pub promises: Vec<Promise>,
    /// The report that this one is compared with.
    pub baseline: Option<Kept>,
    /// Where to keep this one.
    pub save_baseline: Option<Kept>,
    /// By which share a figure may be worse than in the baseline.
    pub allowed: Option<f64>,
    /// From which level on a measurement is not accepted.
    pub strict: Option<Level>,
}

/// A baseline, as the user named it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    /// The name.
    pub name: String,
    /// Its file.
    pub path: PathBuf,
}

impl Default for Gates {
    /// Held to nothing.
    fn default() -> Self {
        Self {
            reference: None,
            noise: ratios::NOISE,
            promises: Vec::new(),
            baseline: None,
            save_baseline: None,
            allowed: None,
            strict: None,
        }
    }
}

impl Gates {
    /// Reads the baseline; to be done before the measuring.
    ///
    /// # Errors
    /// It is not there or no report.
    pub fn earlier(&self) -> Result<Option<Report>, Failure> {
        self.baseline.as_ref().map(|baseline| kept::read(&baseline.path)).transpose()
    }

    /// Puts into the report what can be said only at the end.
    pub fn conclude(&self, report: &mut Report, earlier: Option<&Report>) {
        if report.command == Verb::Compare {
            report.comparison = ratios::compare(report, self.reference.as_deref(), self.noise);
        }
        // a search breaks the promises on purpose
        if report.interrupted || report.command == Verb::FindMax {
            return;
        }
        report.promises = slo::outcomes(report, &self.promises);
        report.baseline = earlier.zip(self.baseline.as_ref()).map(|(earlier, baseline)| {
            baseline::compare(report, earlier, &baseline.name, self.noise, self.allowed)
        });
    }

    /// Keeps the report as a baseline, if that was asked for and it is worth it: not one that was interrupted, that
    /// failed, or that broke what it was held to (else a regression would be the measure of the next run).
    ///
    /// # Errors
    /// It cannot be written.
    pub fn keep(&self, report: &Report) -> Result<(), Failure> {
        match &self.save_baseline {
            Some(kept) if !report.interrupted && self.failure(report).is_none() => {
                kept::keep(report, &kept.path)
            }
            _ => Ok(()),
        }
    }

    /// Why the report is not what was asked for, the worst first; `None`: it is.
    #[must_use]
    pub fn failure(&self, report: &Report) -> Option<Failure> {
        if report.command == Verb::FindMax {
            return find_max::failure(report);
        }
        let with = |code: u8| move |message: String| Failure { message, code };
        nothing_measured(report)
            .map(with(FAILED))
            .or_else(|| self.not_valid(report).map(with(NOT_VALID)))
            .or_else(|| broken(report).map(with(BROKEN)))
            .or_else(|| run::complaint(report).map(with(FAILED)))
            .or_else(|| self.not_compared(report).map(with(FAILED)))
    }

    fn not_valid(&self, report: &Report) -> Option<String> {
        let least = self.strict?;
        let refused = |level: Level| level >= least && level < Level::Failed;
        let rows: Vec<_> = report.summary.iter().filter(|row| refused(row.verdict.level)).collect();
        let worst = rows.iter().rev().max_by_key(|row| row.verdict.level)?;
        Some(format!(
            "--strict: {} ({}) is {}: {}{}",
            worst.subject,
            worst.workload,
            worst.verdict.level.word(),
            worst.verdict.reasons.first().map_or("", |reason| reason.text.as_str()),
            more(rows.len() - 1)
        ))
    }

    /// Regressions were to be found, and there was nothing to find them in.
    fn not_compared(&self, report: &Report) -> Option<String> {
        let baseline = report.baseline.as_ref().filter(|_| self.allowed.is_some())?;
        let told = baseline.changes.iter().any(|change| change.low.is_some());
        (!told).then(|| {
            format!(
                "--fail-on-regression: nothing could be compared with the baseline {}: both need at least {} VALID \
                 trials of the same rows (-x)",
                baseline.baseline,
                crate::stats::bootstrap::FEWEST
            )
        })
    }
}

/// A row without any figure: there is nothing that a gate could look at.
fn nothing_measured(report: &Report) -> Option<String> {
    let without = report.summary.iter().any(|row| row.requests_per_second.is_none());
    without.then(|| run::complaint(report)).flatten()
}

fn broken(report: &Report) -> Option<String> {
    let promises: Vec<_> = report.promises.iter().filter(|outcome| !outcome.kept).collect();
    if let Some(first) = promises.first() {
        return Some(format!(
            "--slo: {} ({}): {} was promised and {} was measured{}",
            first.subject,
            first.workload,
            first.promise,
            first.shown,
            more(promises.len() - 1)
        ));
    }
    let baseline = report.baseline.as_ref()?;
    let worse: Vec<_> = baseline.changes.iter().filter(|change| change.regression).collect();
    let first = worse.first()?;
    Some(format!(
        "regression against the baseline {}: {} ({}): {}{}",
        baseline.baseline,
        first.subject,
        first.workload,
        claims::change_words(first),
        more(worse.len() - 1)
    ))
}

fn more(count: usize) -> String {
    if count == 0 {
        String::new()
    } else {
        format!("; and {}: see the report", plural(count as u64, "more case"))
    }
}

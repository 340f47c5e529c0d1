//! A report as plain data: what was asked, on what machine, and what each trial gave.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub use super::client::{Books, Client, Connections, ErrorCount, Fairness, Interval, Open};
pub use super::cost::{Accounting, Cost};
use super::summary::{self, Row};
use crate::measure::{verdict::Limit, verdict::Verdict};
use crate::plan::Load;
use crate::stats::{baseline, ratios, slo};
use crate::subject::machine::{Between, Platform};
use crate::subject::placement::Placement;

/// Changes whenever a program that reads the JSON would have to change.
pub const SCHEMA: u32 = 2;

/// Everything that a report says.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Report {
    /// The version of this structure.
    pub schema: u32,
    /// What was asked for.
    pub command: Verb,
    /// The command line, to repeat it.
    pub command_line: Vec<String>,
    /// When it began.
    pub started: String,
    /// Whether it was cut short by a signal: then it is partial.
    pub interrupted: bool,
    /// Seed of the shuffling, where there was any.
    pub seed: Option<u64>,
    /// Trials that were planned for each row.
    pub trials_planned: u32,
    /// Who ran where.
    pub placement: Placement,
    /// The machine.
    pub platform: Platform,
    /// What the experiments of a comparison are about; none of them is about the others' tables.
    pub scenarios: Vec<Scenario>,
    /// The loads, in the order of the tables.
    pub workloads: Vec<NamedLoad>,
    /// The servers, in the order of the rows.
    pub subjects: Vec<Subject>,
    /// Medians and ranges over the trials.
    pub summary: Vec<Row>,
    /// All servers against one of them; there is none until the last trial is over, and of one server.
    pub comparison: Option<ratios::Comparison>,
    /// What became of each promise; none of a report that was interrupted.
    pub promises: Vec<slo::Outcome>,
    /// The change since an earlier report, where one was named.
    pub baseline: Option<baseline::Comparison>,
    /// Each trial, in the order in which they were made.
    pub trials: Vec<Trial>,
    /// What a self-test found.
    pub checks: Vec<Check>,
    /// What a search for the highest rate found.
    pub found: Option<Found>,
}

/// The highest rate that keeps all promises.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Found {
    /// Requests per second; `None`: there is no such rate.
    pub rate: Option<f64>,
    /// What was promised.
    pub promises: Vec<String>,
    /// How near the search came: 0.05 = 5 %.
    pub precision: f64,
    /// How long the rate was tried at the end.
    pub confirmed_seconds: f64,
}

/// One question of a self-test.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Check {
    /// What is asked.
    pub name: String,
    /// What must come out.
    pub expected: String,
    /// What came out.
    pub measured: String,
    /// Whether it is right; `None`: a figure that is neither right nor wrong.
    pub passed: Option<bool>,
}

impl Check {
    /// For a table.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self.passed {
            Some(true) => "ok",
            Some(false) => "WRONG",
            None => "-",
        }
    }
}

/// What was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Verb {
    /// One server that was there already.
    Run,
    /// Servers side by side.
    Compare,
    /// The highest rate that keeps a promise.
    FindMax,
    /// This program itself.
    Selftest,
}

impl Verb {
    /// As on the command line.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Run => "run",
            Self::Compare => "compare",
            Self::FindMax => "find-max",
            Self::Selftest => "selftest",
        }
    }
}

/// An experiment: what it shows, what theory expects, and what came out.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Scenario {
    /// `c10k`, `crash`, ...
    pub name: String,
    /// What it shows.
    pub shows: String,
    /// What theory expects, and why.
    pub expects: String,
    /// What was measured, in sentences.
    pub measured: Vec<String>,
}

/// A load and its name.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct NamedLoad {
    /// `persistent`, `churn`, ...
    pub name: String,
    /// The experiment that it belongs to.
    pub scenario: Option<String>,
    /// The load.
    pub load: Load,
}

/// A server and how it was started.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Subject {
    /// The name of its row.
    pub name: String,
    /// Its command line, if it was started for this.
    pub command_line: Option<Vec<String>>,
    /// Connections that it can serve at a time, where that is limited by design.
    pub workers: Option<usize>,
    /// Whose cost was counted, if it was not started for this.
    pub accounting: Option<Accounting>,
}

/// One measurement of one server under one load.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Trial {
    /// Counts from 1.
    pub trial: u32,
    /// Name of the load.
    pub workload: String,
    /// Name of the server.
    pub subject: String,
    /// May it be believed?
    pub verdict: Verdict,
    /// What limited it.
    pub limited_by: Option<Limit>,
    /// The share of its time that the client had left.
    pub client_headroom: Option<f64>,
    /// Why it was not twice as fast, in a sentence.
    pub why_not_double: Option<String>,
    /// The client's figures; none if there was nothing to measure.
    pub client: Option<Client>,
    /// The server's figures; none if it is not ours.
    pub server: Option<Cost>,
    /// The whole machine during the measuring.
    pub machine: Option<Between>,
    /// What only some experiments measure.
    pub figures: BTreeMap<Figure, f64>,
}

/// What only some experiments measure; the unit is part of the name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Figure {
    /// Idle connections that were held.
    IdleHeld,
    /// What the server's own memory grew by, from before the first connection until all were open, in bytes.
    ServerBytes,
    /// What the kernel's buffers grew by, in bytes.
    KernelBytes,
    /// The slope of the first over idle connections, in bytes for each.
    BytesPerIdle,
    /// The slope of the second.
    KernelBytesPerIdle,
    /// CPU for a request above that of the iterative server, in microseconds.
    CpuUsAboveIterative,
    /// Requests per second that were due.
    OfferedPerSecond,
    /// Requests that were due and never sent, in per cent.
    UnsentPercent,
    /// Crashes that were provoked: none where no worker was free to obey the order.
    Crashes,
    /// Connections that failed, of those that had done nothing.
    ConnectionsLost,
    /// Requests that were sent and never answered.
    RequestsLost,
    /// Until a new connection was served again, in milliseconds.
    RecoveredMs,
    /// Until the server was gone, in milliseconds.
    LeftAfterMs,
    /// How evenly connections spread over workers: Jain's index.
    WorkersJain,
    /// The share of all connections that the busiest worker had.
    BusiestWorkerShare,
}

impl Report {
    /// Adds a trial and brings the summary up to date.
    pub fn add(&mut self, trial: Trial) {
        self.trials.push(trial);
        self.summary = summary::rows(self);
    }
}

//! What happens while it happens, for programs: one JSON object a line.
//!
//! The first line has the type `begin`, the last one `end`; where that is missing, the program was killed. In between
//! are an `interval` for each interval of the measured time and a `trial` when one is over. Histograms of intervals can be
//! merged, so any longer interval can be made of them.

use serde::Serialize;

use super::Trial;
use super::data::{NamedLoad, Report, Subject, Verb};
use crate::drive::Past;
use crate::measure::Quantiles;
use crate::subject::machine::Platform;
use crate::subject::placement::Placement;
use crate::trial::Label;

/// One line.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Line<'a> {
    /// The first line: what is going to be measured, and where.
    Begin(Begin<'a>),
    /// An interval of the measured time is over.
    Interval(Box<Stretch<'a>>),
    /// A trial is over.
    Trial(&'a Trial),
    /// The last line.
    End(End<'a>),
}

/// What is going to be measured, and where.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Begin<'a> {
    /// The version of these lines and of the report.
    pub schema: u32,
    /// What was asked for.
    pub command: Verb,
    /// The command line, to repeat it.
    pub command_line: &'a [String],
    /// When it began.
    pub started: &'a str,
    /// Seed of the shuffling, where there is any.
    pub seed: Option<u64>,
    /// Trials that are planned for each row.
    pub trials_planned: u32,
    /// Who runs where.
    pub placement: &'a Placement,
    /// The machine.
    pub platform: &'a Platform,
    /// The loads. A self-test makes them as it goes.
    pub workloads: &'a [NamedLoad],
    /// The servers.
    pub subjects: &'a [Subject],
}

/// An interval of the measured time, all client threads together.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Stretch<'a> {
    /// The trial that it belongs to.
    pub trial: u32,
    /// Name of the load.
    pub workload: &'a str,
    /// Name of the server.
    pub subject: &'a str,
    /// Counts from 0 in each trial.
    pub index: u64,
    /// Its beginning, in seconds of the measured time.
    pub from: f64,
    /// Its end.
    pub to: f64,
    /// Right replies.
    pub ok: u64,
    /// Connections that failed.
    pub errors: u64,
    /// Their times in nanoseconds, as those of the trial.
    pub reply: Quantiles,
}

/// How it ended.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct End<'a> {
    /// Whether it was cut short by a signal.
    pub interrupted: bool,
    /// Why nothing could be measured, if that is so.
    pub failed: Option<&'a str>,
}

impl<'a> Begin<'a> {
    /// As far as a report knows it at the beginning.
    #[must_use]
    pub fn of(report: &'a Report) -> Self {
        Self {
            schema: report.schema,
            command: report.command,
            command_line: &report.command_line,
            started: &report.started,
            seed: report.seed,
            trials_planned: report.trials_planned,
            placement: &report.placement,
            platform: &report.platform,
            workloads: &report.workloads,
            subjects: &report.subjects,
        }
    }
}

impl<'a> Stretch<'a> {
    /// Of this trial.
    #[must_use]
    pub fn of(label: &'a Label, past: &Past<'_>) -> Self {
        Self {
            trial: label.trial,
            workload: &label.workload,
            subject: &label.subject,
            index: past.window.index,
            from: past.from.as_secs_f64(),
            to: past.to.as_secs_f64(),
            ok: past.window.ok,
            errors: past.window.errors,
            reply: past.window.reply.quantiles(),
        }
    }
}

/// The line with its end.
#[must_use]
pub fn render(line: &Line<'_>) -> String {
    match serde_json::to_string(line) {
        Ok(text) => text + "\n",
        Err(_) => unreachable!("every key of a line is a string"),
    }
}

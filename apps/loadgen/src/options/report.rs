//! `loadgen report`: which saved reports, and in which form they are shown.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use common::exit::Failure;

use super::output;
use crate::plan::{Format, ReportPlan};

/// More reports than these are no page that anybody reads.
const FILES_MAX: usize = 64;

/// Show saved reports again, in any form
#[derive(Debug, Args)]
pub(super) struct ReportOptions {
    /// Reports that were saved as JSON (-o FILE.json); several are shown side by side
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
    /// Write to a file instead; .html, .md, .csv or .json decides what is in it; may be repeated
    #[arg(short = 'o', long = "output", value_name = "FILE")]
    outputs: Vec<PathBuf>,
    /// What to print [default: text, or nothing with -o]
    #[arg(long, value_name = "FORM")]
    format: Option<Form>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Form {
    Text,
    Html,
    #[value(alias = "markdown")]
    Md,
    Csv,
    Json,
}

impl ReportOptions {
    pub(super) fn plan(self) -> Result<ReportPlan, Failure> {
        if self.files.len() > FILES_MAX {
            let files = self.files.len();
            return Err(Failure::usage(format!(
                "{files} reports are more than can be shown side by side: name at most {FILES_MAX}"
            )));
        }
        let outputs: Vec<_> =
            self.outputs.iter().map(|path| output::understand(path)).collect::<Result<_, _>>()?;
        let form = self.format.or(outputs.is_empty().then_some(Form::Text));
        let print = form.map(|form| match form {
            Form::Text => None,
            Form::Html => Some(Format::Html),
            Form::Md => Some(Format::Markdown),
            Form::Csv => Some(Format::Csv),
            Form::Json => Some(Format::Json),
        });
        let json = print == Some(Some(Format::Json)) || outputs.iter().any(|o| o.format == Format::Json);
        if json && self.files.len() > 1 {
            return Err(Failure::usage(
                "several reports do not make one JSON report: name one FILE, or use html, md or csv",
            ));
        }
        Ok(ReportPlan { files: self.files, outputs, print })
    }
}

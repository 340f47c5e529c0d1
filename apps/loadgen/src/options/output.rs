//! Where a report goes, and in which form: `-o FILE`, whose extension says it, and what is printed.

use std::path::Path;

use clap::{Args, ValueEnum};
use common::exit::Failure;

use crate::plan::{Format, Output, Printed};

/// What is printed.
#[derive(Debug, Args)]
pub(super) struct PrintOptions {
    /// Print the report as JSON: the same as --format json
    #[arg(short = 'J', long, conflicts_with = "format")]
    json: bool,
    /// What to print: the report as text, html, json, csv or md, or each interval and trial as a line of JSON while it lasts
    #[arg(long, value_name = "FORM", default_value = "text")]
    format: Form,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "lower")]
enum Form {
    Text,
    Html,
    Json,
    Ndjson,
    Csv,
    #[value(alias = "markdown")]
    Md,
}

impl PrintOptions {
    pub(super) fn understand(&self) -> Printed {
        match self.format {
            _ if self.json => Printed::As(Format::Json),
            Form::Text => Printed::Text,
            Form::Json => Printed::As(Format::Json),
            Form::Ndjson => Printed::As(Format::Ndjson),
            Form::Html => Printed::As(Format::Html),
            Form::Csv => Printed::As(Format::Csv),
            Form::Md => Printed::As(Format::Markdown),
        }
    }
}

pub(super) fn understand(path: &Path) -> Result<Output, Failure> {
    if path == Path::new("-") {
        return Err(Failure::usage("-o -: what goes to stdout is said by --format: write --format json"));
    }
    let format = match path.extension().and_then(|e| e.to_str()).map(str::to_ascii_lowercase).as_deref() {
        Some("json") => Format::Json,
        Some("ndjson" | "jsonl") => Format::Ndjson,
        Some("csv") => Format::Csv,
        Some("md") => Format::Markdown,
        Some("html" | "htm") => Format::Html,
        _ => {
            return Err(Failure::usage(format!(
                "-o {}: the extension decides the format: use .html, .json, .ndjson, .csv or .md",
                path.display()
            )));
        }
    };
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty() && !folder.is_dir()) {
        return Err(Failure::usage(format!(
            "-o {}: there is no folder {}",
            path.display(),
            folder.display()
        )));
    }
    Ok(Output { path: path.to_owned(), format })
}

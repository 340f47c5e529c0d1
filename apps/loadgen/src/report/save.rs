//! Writes a report to the files that the user named: whole or not at all.

use std::fs;
use std::path::Path;

use common::exit::Failure;

use super::{Report, csv, html, json, markdown};
use crate::plan::{Format, Output};

/// Writes every file anew, also when one of them cannot be written. A reader sees the old one or the new one, never half of one. A report without any trial is
/// not worth the one that it would replace.
///
/// # Errors
/// The first file that could not be written.
pub fn save(report: &Report, outputs: &[Output]) -> Result<(), Failure> {
    if report.trials.is_empty() {
        return Ok(());
    }
    let mut failure = None;
    for output in outputs {
        let Some(text) = render(report, output.format) else { continue };
        if let Err(e) = write(&output.path, &text) {
            failure.get_or_insert(e);
        }
    }
    failure.map_or(Ok(()), Err)
}

/// The report in this form; `None`: it is written while things happen, and nothing is left to be written at the end.
#[must_use]
pub fn render(report: &Report, format: Format) -> Option<String> {
    Some(match format {
        Format::Json => json::render(report),
        Format::Csv => csv::render(report),
        Format::Markdown => markdown::render(report),
        Format::Html => html::render(report),
        Format::Ndjson => return None,
    })
}

/// Writes a text to a file, whole or not at all.
///
/// # Errors
/// One line that names the file.
pub fn write(path: &Path, text: &str) -> Result<(), Failure> {
    replace(path, text).map_err(|e| {
        Failure::failed(format!("cannot write {}: {e}: choose another file with -o", path.display()))
    })
}

/// Writes a file whole or not at all.
pub(super) fn replace(path: &Path, text: &str) -> std::io::Result<()> {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{}.tmp", std::process::id()));
    let beside = path.with_file_name(name);
    let written = fs::write(&beside, text).and_then(|()| fs::rename(&beside, path));
    if written.is_err() {
        let _ = fs::remove_file(&beside);
    }
    written
}

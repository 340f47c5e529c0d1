//! Everything, for programs: the report itself.

use super::Report;

/// The report as indented JSON with a line break at its end.
#[must_use]
pub fn render(report: &Report) -> String {
    match serde_json::to_string_pretty(report) {
        Ok(text) => text + "\n",
        Err(_) => unreachable!("every key of a report is a string"),
    }
}

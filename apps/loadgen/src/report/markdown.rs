//! The tables for a document.

use super::summary::Row;
use super::text::{self, cells, ratios};
use super::{Report, beside, notes};

/// Heads, tables, notes.
#[must_use]
pub fn render(report: &Report) -> String {
    let mut out = format!("# loadgen {}\n\n", report.command.word());
    for line in text::head(report) {
        out.push_str(&format!("{line}\n\n"));
    }
    out.push_str(&format!("    {}\n", report.command_line.join(" ")));
    for workload in &report.workloads {
        let rows: Vec<&Row> = report.summary.iter().filter(|row| row.workload == workload.name).collect();
        if rows.is_empty() {
            continue;
        }
        out.push_str(&format!("\n## {}\n\n{}\n\n", workload.name, text::describe(&workload.load)));
        out.push_str(&table(&rows));
        for line in beside::of_a_run(report) {
            out.push_str(&format!("\n{line}\n"));
        }
        if let Some(comparison) = &report.comparison {
            out.push_str(&ratios::markdown(comparison, &workload.name));
        }
        for note in notes::for_workload(report, &workload.name) {
            out.push_str(&format!("\n{note}\n"));
        }
    }
    for note in notes::for_report(report) {
        out.push_str(&format!("\n{note}\n"));
    }
    out
}

fn table(rows: &[&Row]) -> String {
    let columns = cells::columns(rows);
    let titles: Vec<String> = columns.iter().map(|column| cells::one_line(column.title)).collect();
    let mut out = format!("| server | {} |\n|---|{}\n", titles.join(" | "), "--:|".repeat(titles.len()));
    for row in rows {
        let figures: Vec<String> = columns.iter().map(|column| column.with_range(row)).collect();
        out.push_str(&format!("| {} | {} |\n", row.subject.replace('|', "\\|"), figures.join(" | ")));
    }
    out
}

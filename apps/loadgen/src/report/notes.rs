//! The sentences under a table: what a reader might otherwise misread. Each is said only where the figures show it.

use common::units::plural;

use super::data::Verb;
use super::summary::Row;
use super::{Report, beside, claims};
use crate::measure::verdict::Level;
use crate::trial::show_error;

/// The notes for one load's table.
#[must_use]
pub fn for_workload(report: &Report, workload: &str) -> Vec<String> {
    let rows: Vec<&Row> = report.summary.iter().filter(|row| row.workload == workload).collect();
    let mut notes = Vec::new();
    notes.extend(rows.iter().filter_map(|row| partly_served(report, row)));
    notes.extend(rows.iter().filter_map(|row| left_out(row)));
    notes.extend(beside::for_workload(report, workload));
    if report.command == Verb::Compare {
        notes.extend(claims::of_workload(report, &rows));
    }
    for row in &rows {
        let one = report.subjects.len() == 1 && report.workloads.len() > 1;
        let name = if one { &row.workload } else { &row.subject };
        match (row.verdict.level, row.verdict.words()) {
            (Level::Ok, hints) if hints.is_empty() => {}
            (Level::Ok, hints) => notes.push(format!("{name}: a hint: {hints}.")),
            (level, reasons) => notes.push(format!("{name}: {}: {reasons}.", level.word())),
        }
        if row.trials + row.left_out > 1 && !row.errors.is_empty() {
            let errors: Vec<String> = row.errors.iter().map(show_error).collect();
            notes.push(format!("{name}: in all trials together: {}.", errors.join("; ")));
        }
    }
    notes
}

/// What holds for all tables.
#[must_use]
pub fn for_report(report: &Report) -> Vec<String> {
    let mut notes = Vec::new();
    if report.interrupted {
        notes.push("INTERRUPTED: this report is partial.".to_owned());
    }
    notes.extend(claims::promises(report));
    notes.extend(claims::baseline(report));
    let several = report.summary.iter().any(|row| row.trials > 1);
    if report.command == Verb::Compare {
        notes.push(format!(
            "{}CPU is the server's, all its processes and dead children included, between two moments with nothing in \
             flight; context switches are those of its whole life, for each request of its whole life; memory is what \
             its proportional set size grew by, for each connection that was served.",
            if several { "Medians over the trials, max is the longest of all; ± is half the range. " } else { "" }
        ));
    }
    if report.workloads.iter().any(|workload| workload.load.open_loop()) {
        notes.push(
            "Open loop: requests are due at fixed times. Latency counts from the time when a request was due, so a stall \
             of the server is in the time of every request that it held up; \"uncorrected\" counts from the sending only."
                .to_owned(),
        );
    }
    if report.workloads.iter().all(|workload| workload.load.open_loop()) {
        return notes;
    }
    notes.push(
        "Closed loop: each connection waits for its replies. Requests/s is throughput, the times are service times; \
         neither tells the latency under a load that does not wait."
            .to_owned(),
    );
    notes
}

/// A pool with fewer workers than connections: the truth about pools, and no error.
fn partly_served(report: &Report, row: &Row) -> Option<String> {
    if row.served == 0 || row.served >= row.established {
        return None;
    }
    let workers = report.subjects.iter().find(|subject| subject.name == row.subject)?.workers;
    let because = match workers {
        Some(1) if row.served == 1 => {
            ": it serves one to its end, and the others wait in the queue".to_owned()
        }
        Some(workers) if workers == row.served => format!(
            ": each of its {} serves one connection to its end, and the others wait in the queue",
            plural(workers as u64, "worker")
        ),
        _ => ": the others were accepted and never answered".to_owned(),
    };
    Some(format!(
        "{} served {} of {} connections{because}. Its other figures are those of {} only.",
        row.subject,
        row.served,
        row.established,
        plural(row.served as u64, "connection")
    ))
}

/// Trials whose figures are in none of the row's.
fn left_out(row: &Row) -> Option<String> {
    (row.left_out > 0 && row.trials > 0).then(|| {
        format!(
            "{}: its figures are those of {} of {} trials; the others failed, were invalid or were broken off.",
            row.subject,
            row.trials,
            row.trials + row.left_out
        )
    })
}

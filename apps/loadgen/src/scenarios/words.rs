//! Words that several experiments share.

use std::time::Duration;

use common::units::{show_count, show_duration};

use crate::report::data::Figure;
use crate::report::summary::Row;

/// The names of all servers, each once, in the order of the rows.
pub(super) fn subjects(rows: &[Row]) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for row in rows {
        if !names.contains(&row.subject) {
            names.push(row.subject.clone());
        }
    }
    names
}

/// The row of a server under the load of this name; of several numbers of connections, that of the most.
pub(super) fn row<'a>(rows: &'a [Row], subject: &str, load: &str) -> Option<&'a Row> {
    rows.iter().rfind(|row| row.subject == subject && is(row, load))
}

/// Whether a row is of the load of this name within its experiment.
pub(super) fn is(row: &Row, load: &str) -> bool {
    what(row) == load
}

/// The name of a row's load within its experiment, without its number of connections.
pub(super) fn what(row: &Row) -> &str {
    let name = row.workload.split_once(": ").map_or("", |(_, what)| what);
    name.rsplit_once(", ").filter(|(_, number)| number.contains("connection")).map_or(name, |(what, _)| what)
}

/// The median of a figure that only some experiments measure.
pub(super) fn figure(row: &Row, figure: Figure) -> Option<f64> {
    row.figures.get(&figure).map(|spread| spread.median)
}

/// `1,234/s`
pub(super) fn rate(rate: f64) -> String {
    format!("{}/s", show_count(rate.round() as u64))
}

/// Nanoseconds as a time.
pub(super) fn nanos(nanos: f64) -> String {
    show_duration(Duration::from_nanos(nanos.max(0.0).round() as u64))
}

/// `1.4 ×`, of two figures; `None`: one of them is missing.
pub(super) fn times(one: Option<f64>, other: Option<f64>) -> Option<String> {
    let (one, other) = (one?, other.filter(|other| *other > 0.0)?);
    Some(format!("{:.2} ×", one / other))
}

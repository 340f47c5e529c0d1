//! Figures as they stand in a table, in text and in Markdown.

use std::time::Duration;

use common::units::{show_count, show_duration, show_size};

use crate::report::summary::{Row, Spread};

/// Stands where there is no figure.
const NONE: &str = "-";

/// The columns after the server's name: a head of up to two lines, and the figure of a row.
#[must_use]
pub fn columns(memory: bool) -> Vec<(&'static str, fn(&Row) -> String)> {
    let mut columns: Vec<(&'static str, fn(&Row) -> String)> = vec![
        ("requests\n/s", |row| count(row.requests_per_second)),
        ("CPU\n/request", |row| micros(row.cpu_us_per_request)),
        ("switches\n/request", |row| ratio(row.context_switches_per_request)),
        ("p50", |row| time(row.p50)),
        ("p99", |row| time(row.p99)),
        ("p99.9", |row| time(row.p999)),
        ("max", |row| time(row.max)),
    ];
    if memory {
        columns.push(("memory\n/conn.", |row| size(row.memory_per_connection)));
    } else {
        columns.push(("connect\np50", |row| time(row.connect_p50)));
    }
    columns.extend::<[(&'static str, fn(&Row) -> String); 4]>([
        ("served/\nest./req.", |row| format!("{}/{}/{}", row.served, row.established, row.requested)),
        ("errors", errors),
        ("limited\nby", |row| row.limited_by.map_or(NONE, |limit| limit.word()).to_owned()),
        ("verdict", |row| row.verdict.level.word().to_owned()),
    ]);
    columns
}

/// A column's head in one line.
#[must_use]
pub fn one_line(title: &str) -> String {
    title.replace("\n/", "/").replace("/\n", "/").replace('\n', " ")
}

/// Failed connections over all trials.
#[must_use]
pub fn errors(row: &Row) -> String {
    match row.errors.iter().map(|error| error.connections).sum() {
        0 => "0".to_owned(),
        failed => show_count(failed),
    }
}

/// `12,345`
#[must_use]
pub fn count(spread: Option<Spread>) -> String {
    spread.map_or(NONE.to_owned(), |s| show_count(s.median.round() as u64))
}

/// `4.21 us`
#[must_use]
pub fn micros(spread: Option<Spread>) -> String {
    spread.map_or(NONE.to_owned(), |s| show_duration(Duration::from_nanos((s.median * 1e3).round() as u64)))
}

/// `0.52`
#[must_use]
pub fn ratio(spread: Option<Spread>) -> String {
    spread.map_or(NONE.to_owned(), |s| format!("{:.2}", s.median))
}

/// Nanoseconds as a time.
#[must_use]
pub fn time(spread: Option<Spread>) -> String {
    spread.map_or(NONE.to_owned(), |s| show_duration(Duration::from_nanos(s.median.round() as u64)))
}

/// Bytes as a size.
#[must_use]
pub fn size(spread: Option<Spread>) -> String {
    spread.map_or(NONE.to_owned(), |s| show_size(s.median.round() as u64))
}

/// `±3 %`, or nothing where there was only one trial.
#[must_use]
pub fn plus_minus(spread: Option<Spread>, trials: usize) -> String {
    match spread {
        Some(s) if trials > 1 => format!("±{:.0} %", s.percent()),
        _ => String::new(),
    }
}

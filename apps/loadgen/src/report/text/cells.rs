//! Figures as they stand in a table, in text and in Markdown.

use std::time::Duration;

use common::units::{show_count, show_duration, show_size};

use crate::report::data::Figure;
use crate::report::summary::{Row, Spread};

/// The last column.
const VERDICT: &str = "verdict";
/// The usual columns that stand beside an experiment's own.
const BESIDE: [&str; 7] = ["requests\n/s", "CPU\n/request", "p50", "p99", "max", "errors", VERDICT];
/// Stands where there is no figure.
const NONE: &str = "-";

/// A column after the server's name.
#[derive(Clone, Copy)]
pub struct Column {
    /// The figure that only some experiments measure, if it is one of these.
    pub special: Option<Figure>,
    /// Its head, of one or two lines.
    pub title: &'static str,
    /// The figure of a row.
    pub figure: fn(&Row) -> String,
    /// The range that is shown under the figure, where there is one.
    pub range: Option<fn(&Row) -> Option<Spread>>,
}

/// The columns of a table: the usual ones, or, where an experiment has figures of its own, these and a few of them.
#[must_use]
pub fn columns(rows: &[&Row]) -> Vec<Column> {
    let usual = usual(rows.iter().any(|row| row.memory_per_connection.is_some()));
    let mut special: Vec<Figure> = rows.iter().flat_map(|row| row.figures.keys().copied()).collect();
    special.sort_unstable();
    special.dedup();
    if special.is_empty() {
        return usual;
    }
    let (before, after): (Vec<Column>, Vec<Column>) =
        usual.into_iter().filter(|column| BESIDE.contains(&column.title)).partition(|c| c.title != VERDICT);
    let own = special.into_iter().map(|figure| Column {
        title: title(figure),
        figure: |_| String::new(),
        range: None,
        special: Some(figure),
    });
    before.into_iter().chain(own).chain(after).collect()
}

/// What costs memory where connections are kept costs connects where they are not.
fn usual(memory: bool) -> Vec<Column> {
    let plain = |title, figure| Column { title, figure, range: None, special: None };
    let ranged = |title, figure, range| Column { title, figure, range: Some(range), special: None };
    vec![
        ranged("requests\n/s", |row| count(row.requests_per_second), |row| row.requests_per_second),
        ranged("CPU\n/request", |row| micros(row.cpu_us_per_request), |row| row.cpu_us_per_request),
        plain("switches\n/request", |row| ratio(row.context_switches_per_request)),
        plain("p50", |row| time(row.p50)),
        ranged("p99", |row| time(row.p99), |row| row.p99),
        plain("p99.9", |row| time(row.p999)),
        plain("max", |row| longest(row.max)),
        if memory {
            plain("memory\n/conn.", |row| size(row.memory_per_connection))
        } else {
            plain("connect\np50", |row| time(row.connect_p50))
        },
        plain("served/\nest./req.", |row| format!("{}/{}/{}", row.served, row.established, row.requested)),
        plain("errors", errors),
        plain("limited\nby", |row| row.limited_by.map_or(NONE, |limit| limit.word()).to_owned()),
        plain(VERDICT, |row| row.verdict.level.word().to_owned()),
    ]
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

/// The longest of all trials, in nanoseconds.
#[must_use]
pub fn longest(spread: Option<Spread>) -> String {
    time(spread.map(|s| Spread { median: s.high, ..s }))
}

/// Bytes as a size.
#[must_use]
pub fn size(spread: Option<Spread>) -> String {
    spread.map_or(NONE.to_owned(), |s| show_size(s.median.round() as u64))
}

/// `±3 %`, or nothing where there is only one figure.
#[must_use]
pub fn plus_minus(spread: Option<Spread>) -> String {
    match spread {
        Some(s) if s.count > 1 => format!("±{:.0} %", s.percent()),
        _ => String::new(),
    }
}

/// The head of a figure that only some experiments measure.
#[must_use]
pub fn title(figure: Figure) -> &'static str {
    match figure {
        Figure::IdleHeld => "idle\nheld",
        Figure::ServerBytes => "server\ngrew by",
        Figure::KernelBytes => "kernel\ngrew by",
        Figure::BytesPerIdle => "memory\n/idle",
        Figure::KernelBytesPerIdle => "kernel\n/idle",
        Figure::CpuUsAboveIterative => "CPU above\niterative",
        Figure::OfferedPerSecond => "offered\n/s",
        Figure::UnsentPercent => "never\nsent",
        Figure::Crashes => "crashes",
        Figure::ConnectionsLost => "conns\nlost",
        Figure::RequestsLost => "requests\nlost",
        Figure::RecoveredMs => "served\nagain",
        Figure::LeftAfterMs => "gone\nafter",
        Figure::WorkersJain => "Jain over\nworkers",
        Figure::BusiestWorkerShare => "busiest\nworker",
    }
}

/// A figure that only some experiments measure, with its unit.
#[must_use]
pub fn special(figure: Figure, value: f64) -> String {
    let millis = || show_duration(Duration::from_secs_f64(value.max(0.0) / 1e3));
    match figure {
        Figure::IdleHeld
        | Figure::Crashes
        | Figure::ConnectionsLost
        | Figure::RequestsLost
        | Figure::OfferedPerSecond => show_count(value.round() as u64),
        Figure::ServerBytes | Figure::KernelBytes | Figure::BytesPerIdle | Figure::KernelBytesPerIdle => {
            show_size(value.max(0.0).round() as u64)
        }
        Figure::CpuUsAboveIterative => format!("{value:+.2} us"),
        Figure::RecoveredMs | Figure::LeftAfterMs => millis(),
        Figure::UnsentPercent => format!("{value:.1} %"),
        Figure::BusiestWorkerShare => format!("{:.0} %", value * 100.0),
        Figure::WorkersJain => format!("{value:.3}"),
    }
}

impl Column {
    /// The figure of a row.
    #[must_use]
    pub fn cell(&self, row: &Row) -> String {
        match self.special {
            None => (self.figure)(row),
            Some(figure) => {
                row.figures.get(&figure).map_or(NONE.to_owned(), |spread| special(figure, spread.median))
            }
        }
    }

    /// The range of a row's figure; empty where there is none.
    #[must_use]
    pub fn range_of(&self, row: &Row) -> String {
        plus_minus(self.range.and_then(|range| range(row)))
    }

    /// The figure and its range in one line.
    #[must_use]
    pub fn with_range(&self, row: &Row) -> String {
        format!("{} {}", self.cell(row), self.range_of(row)).trim_end().to_owned()
    }
}

//! The table of a load: a row for each server. The script beside it makes it sortable; without, it is as readable.

use maud::{Markup, html};

use super::Place;
use super::words::{Unit, micro};
use crate::measure::verdict::Level;
use crate::report::summary::{Row, Spread};
use crate::report::text::cells;

/// A column after the server's name.
struct Column {
    title: &'static str,
    /// What it sorts by.
    key: fn(&Row) -> Option<f64>,
    cell: fn(&Row) -> String,
    range: fn(&Row) -> Option<Spread>,
}

/// The figures of these rows.
pub(super) fn results(rows: &[&Row], place: &Place) -> Markup {
    let columns: Vec<Column> =
        columns().into_iter().filter(|column| rows.iter().any(|row| (column.key)(row).is_some())).collect();
    let caption = format!("{}-table", place.id);
    html! {
        div class="scroll" role="group" tabindex="0" aria-labelledby=(caption) {
            table class="results" data-sortable {
                caption id=(caption) { span { "All figures; medians over the trials, ± is half the range" } }
                thead {
                    tr {
                        th scope="col" { "server" }
                        th scope="col" { "verdict" }
                        @for column in &columns { th scope="col" class="number" { (column.title) } }
                        th scope="col" { "limited by" }
                    }
                }
                tbody { @for row in rows { (line(row, &columns)) } }
            }
        }
    }
}

fn line(row: &Row, columns: &[Column]) -> Markup {
    html! {
        tr {
            th scope="row" { span class="name" { (row.subject) } }
            td data-key=(row.verdict.level as u8) { (badge(row.verdict.level)) }
            @for column in columns {
                td class="number" data-key=[(column.key)(row)] {
                    (micro(&(column.cell)(row)))
                    @let range = cells::plus_minus((column.range)(row));
                    @if !range.is_empty() { " " small { (range) } }
                }
            }
            td { (row.limited_by.map_or("-", |limit| limit.word())) }
        }
    }
}

/// A verdict in one word.
pub(super) fn badge(level: Level) -> Markup {
    let class = match level {
        Level::Ok => "badge",
        Level::Suspect => "badge suspect",
        Level::Invalid | Level::Failed => "badge failed",
    };
    html! { span class=(class) { (level.word()) } }
}

fn columns() -> Vec<Column> {
    let column = |title, key, cell, range| Column { title, key, cell, range };
    let none: fn(&Row) -> Option<Spread> = |_| None;
    vec![
        column(
            "server CPU per request",
            |row| middle(row.cpu_us_per_request),
            |row| cells::micros(row.cpu_us_per_request),
            |row| row.cpu_us_per_request,
        ),
        column(
            "requests/s",
            |row| middle(row.requests_per_second),
            |row| cells::count(row.requests_per_second),
            |row| row.requests_per_second,
        ),
        column("p50", |row| middle(row.p50), |row| cells::time(row.p50), none),
        column("p99", |row| middle(row.p99), |row| cells::time(row.p99), |row| row.p99),
        column("p99.9", |row| middle(row.p999), |row| cells::time(row.p999), none),
        column("longest", |row| row.max.map(|max| max.high), |row| cells::longest(row.max), none),
        column("connect p50", |row| middle(row.connect_p50), |row| cells::time(row.connect_p50), none),
        column(
            "switches per request",
            |row| middle(row.context_switches_per_request),
            |row| cells::ratio(row.context_switches_per_request),
            none,
        ),
        column(
            "memory per connection",
            |row| middle(row.memory_per_connection),
            |row| row.memory_per_connection.map_or("-".to_owned(), |size| Unit::Bytes.show(size.median)),
            none,
        ),
        column(
            "served / established / requested",
            |row| Some(row.served as f64),
            |row| format!("{} / {} / {}", row.served, row.established, row.requested),
            none,
        ),
        // its column is left out where there are none: then the verdict says so
        column(
            "failed connections",
            |row| (!row.errors.is_empty()).then(|| failed(row)),
            cells::errors,
            none,
        ),
    ]
}

fn middle(spread: Option<Spread>) -> Option<f64> {
    spread.map(|spread| spread.median)
}

fn failed(row: &Row) -> f64 {
    row.errors.iter().map(|error| error.connections).sum::<u64>() as f64
}

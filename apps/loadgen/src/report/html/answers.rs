//! The answer at the top of the page: who needs the least server CPU, where that was shown, or what one server did.

use maud::{Markup, html};

use super::Place;
use super::tables::badge;
use super::words::{Unit, micro};
use crate::report::data::{NamedLoad, Verb};
use crate::report::summary::Row;
use crate::report::{Report, claims};

/// More loads than these are told in their own sections only.
const MOST: usize = 4;

/// A card for each of the first loads.
pub(super) fn answers(report: &Report, place: &Place) -> Markup {
    if report.command == Verb::Selftest {
        return html! {};
    }
    let cards: Vec<Markup> = report
        .workloads
        .iter()
        .filter(|load| matches!(load.scenario.as_deref(), None | Some("persistent" | "churn")))
        .take(MOST)
        .filter_map(|load| card(report, load))
        .collect();
    html! {
        @if !cards.is_empty() { div class="answers" id=(format!("{}-answers", place.id)) { @for card in &cards { (card) } } }
    }
}

fn card(report: &Report, load: &NamedLoad) -> Option<Markup> {
    let rows: Vec<&Row> = report.summary.iter().filter(|row| row.workload == load.name).collect();
    if report.command != Verb::Compare || rows.len() < 2 {
        return rows.first().map(|row| single(row));
    }
    let note = claims::of_cpu(report, &load.name);
    let least =
        claims::least_cpu(report, &load.name).and_then(|name| rows.iter().find(|row| row.subject == name));
    let (label, large) = match (least, &note) {
        (Some(row), _) => ("Least server CPU per request", row.subject.clone()),
        (None, Some(_)) => ("Server CPU per request", "No clear winner".to_owned()),
        (None, None) => ("Server CPU per request", "No claim".to_owned()),
    };
    let figure = least.and_then(|row| row.cpu_us_per_request);
    Some(html! {
        div class="answer" {
            p class="eyebrow" { (label) ", " span class="name" { (load.name) } }
            p class="large" {
                span class="name" { (large) }
                @if let Some(figure) = figure { " " span class="figure" { (Unit::Micros.show(figure.median)) } }
            }
            @match &note {
                Some(note) => { p { (micro(note)) } }
                None => { p { "There are no trials of two servers that can be compared." } }
            }
        }
    })
}

fn single(row: &Row) -> Markup {
    let show = |label: &str, value: Option<String>| {
        html! {
            @if let Some(value) = value {
                div class="answer" { p class="eyebrow" { (label) } p class="large" { (value) } }
            }
        }
    };
    let time = |spread: Option<crate::report::summary::Spread>| spread.map(|s| Unit::Nanos.show(s.median));
    html! {
        (show("Requests answered", row.requests_per_second.map(|s| Unit::PerSecond.show(s.median))))
        (show("Half of the replies within", time(row.p50)))
        (show("99 % of the replies within", time(row.p99)))
        div class="answer" { p class="eyebrow" { "Verdict" } p class="large" { (badge(row.verdict.level)) } }
    }
}

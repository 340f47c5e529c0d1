//! Several reports side by side: the rows of the same name, and their histograms added up where the load was the same.

use maud::{Markup, html};

use super::charts::{self, Chart};
use super::section::grid;
use super::tables::badge;
use super::words::micro;
use super::{Named, Place};
use crate::plan::Load;
use crate::report::data::Trial;
use crate::report::summary::{self, Row};
use crate::report::text::{cells, describe};

/// One server under one load, in those reports that have it.
struct Shared<'a> {
    workload: &'a str,
    load: &'a Load,
    subject: &'a str,
    rows: Vec<(&'a str, &'a Row)>,
    trials: Vec<&'a Trial>,
}

/// What the reports share.
pub(super) fn section(reports: &[Named]) -> Markup {
    let place = Place { id: "together".to_owned(), level: 2 };
    let shared = shared(reports);
    let machines = reports.iter().any(|named| named.report.platform != reports[0].report.platform);
    html! {
        section id="together" aria-labelledby="together-heading" {
            (place.heading("What they share"))
            @if shared.is_empty() {
                p { "No server was measured under the same load in two of these reports." }
            } @else {
                @if machines {
                    p class="banner" {
                        strong { "Not the same machine or kernel in all of them." }
                        " Compare ratios within a report, not figures of two reports."
                    }
                }
                (table(&shared))
                @let charts = merged(&shared);
                @if !charts.is_empty() {
                    p {
                        "Below, the histograms of all reports are added up for each server and load, "
                        "as if all trials had been made in one run. Percentiles are read from the sum and never averaged."
                    }
                    (grid(&charts, &place))
                }
            }
        }
    }
}

/// A spectrum for each load, of all its trials in all reports.
fn merged(shared: &[Shared]) -> Vec<Chart> {
    let mut loads: Vec<(&str, &Load)> = Vec::new();
    for one in shared {
        if !loads.contains(&(one.workload, one.load)) {
            loads.push((one.workload, one.load));
        }
    }
    let of = |(workload, load): (&str, &Load)| {
        let own = shared.iter().filter(|one| (one.workload, one.load) == (workload, load));
        let subjects: Vec<_> = own.map(|one| (one.subject, one.trials.clone())).collect();
        charts::spectrum(&subjects, &format!(", {workload}, all reports"))
    };
    loads.into_iter().flat_map(of).collect()
}

fn table(shared: &[Shared]) -> Markup {
    html! {
        div class="scroll" role="group" tabindex="0" aria-labelledby="together-table" {
            table class="results" data-sortable {
                caption id="together-table" { span { "Rows of the same server and load; medians over the trials of each report" } }
                thead {
                    tr {
                        th scope="col" { "server" } th scope="col" { "load" } th scope="col" { "report" }
                        th scope="col" class="number" { "server CPU per request" }
                        th scope="col" class="number" { "requests/s" }
                        th scope="col" class="number" { "p50" }
                        th scope="col" class="number" { "p99" }
                        th scope="col" class="number" { "longest" }
                        th scope="col" { "verdict" }
                    }
                }
                tbody { @for one in shared { @for (report, row) in &one.rows { (line(one, report, row)) } } }
            }
        }
    }
}

fn line(one: &Shared, report: &str, row: &Row) -> Markup {
    let key = |spread: Option<summary::Spread>| spread.map(|spread| spread.median);
    html! {
        tr {
            th scope="row" { span class="name" { (one.subject) } }
            td title=(describe(one.load)) { (one.workload) }
            td { (report) }
            td class="number" data-key=[key(row.cpu_us_per_request)] {
                (micro(&cells::micros(row.cpu_us_per_request))) " " small { (cells::plus_minus(row.cpu_us_per_request)) }
            }
            td class="number" data-key=[key(row.requests_per_second)] {
                (cells::count(row.requests_per_second)) " " small { (cells::plus_minus(row.requests_per_second)) }
            }
            td class="number" data-key=[key(row.p50)] { (micro(&cells::time(row.p50))) }
            td class="number" data-key=[key(row.p99)] { (micro(&cells::time(row.p99))) }
            td class="number" data-key=[row.max.map(|max| max.high)] { (micro(&cells::longest(row.max))) }
            td data-key=(row.verdict.level as u8) { (badge(row.verdict.level)) }
        }
    }
}

/// Servers that two reports or more have measured under the same load.
fn shared(reports: &[Named]) -> Vec<Shared<'_>> {
    let mut found: Vec<Shared<'_>> = Vec::new();
    for named in reports {
        let report = &named.report;
        for row in &report.summary {
            let Some(load) = report.workloads.iter().find(|load| load.name == row.workload) else { continue };
            let own = |trial: &&Trial| trial.workload == row.workload && trial.subject == row.subject;
            let all: Vec<&Trial> = report.trials.iter().filter(own).collect();
            let trials = summary::counted(&all);
            let same = |one: &&mut Shared<'_>| {
                one.workload == row.workload && one.subject == row.subject && *one.load == load.load
            };
            match found.iter_mut().find(same) {
                Some(one) => {
                    one.rows.push((&named.name, row));
                    one.trials.extend(trials);
                }
                None => found.push(Shared {
                    workload: &row.workload,
                    load: &load.load,
                    subject: &row.subject,
                    rows: vec![(&named.name, row)],
                    trials,
                }),
            }
        }
    }
    found.retain(|one| one.rows.len() > 1);
    found
}

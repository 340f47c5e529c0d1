//! The parts of a report: a section for each experiment, and for each load.

use maud::{Markup, html};

use super::charts::{self, Chart, figure};
use super::{Place, checks, tables, verdicts};
use crate::report::Report;
use crate::report::data::{NamedLoad, Scenario, Trial, Verb};
use crate::report::summary::{self, Row};
use crate::report::text::describe;

/// More charts of one kind than these are folded away.
const UNFOLDED: usize = 4;

/// A part of the page that the contents name.
pub(super) struct Section {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) markup: Markup,
}

/// All sections: the loads that belong to no experiment, then the experiments with theirs.
pub(super) fn sections(report: &Report, place: &Place) -> Vec<Section> {
    let mut sections = Vec::new();
    let checked = Place { id: format!("{}-checks", place.id), level: place.level };
    if let Some(markup) = checks::section(report, &checked) {
        sections.push(Section { id: checked.id, name: "Checks".to_owned(), markup });
    }
    let plain: Vec<&NamedLoad> =
        report.workloads.iter().filter(|load| scenario_of(report, load).is_none()).collect();
    for (index, load) in plain.iter().enumerate() {
        let place = Place { id: format!("{}-load{index}", place.id), level: place.level };
        if let Some(markup) = workload(report, load, &place) {
            sections.push(Section { id: place.id, name: load.name.clone(), markup });
        }
    }
    let sweep = charts::curves(report, &plain);
    // the parts of a self-test differ in more than one thing
    if !sweep.is_empty() && report.command != Verb::Selftest {
        let place = Place { id: format!("{}-sweep", place.id), level: place.level };
        let markup = html! {
            section id=(place.id) {
                (place.heading("From load to load"))
                (grid(&sweep, &place.inside("curve")))
            }
        };
        sections.push(Section { id: place.id, name: "From load to load".to_owned(), markup });
    }
    for (index, scenario) in report.scenarios.iter().enumerate() {
        let place = Place { id: format!("{}-experiment{index}", place.id), level: place.level };
        let markup = experiment(report, scenario, &place);
        sections.push(Section { id: place.id, name: scenario.name.clone(), markup });
    }
    sections
}

fn scenario_of<'a>(report: &'a Report, load: &NamedLoad) -> Option<&'a Scenario> {
    let name = load.scenario.as_ref()?;
    report.scenarios.iter().find(|scenario| scenario.name == *name)
}

fn experiment(report: &Report, scenario: &Scenario, place: &Place) -> Markup {
    let loads: Vec<&NamedLoad> =
        report.workloads.iter().filter(|load| load.scenario.as_ref() == Some(&scenario.name)).collect();
    let curves = charts::curves(report, &loads);
    html! {
        section id=(place.id) {
            (place.heading(&format!("Experiment: {}", scenario.name)))
            dl class="experiment" {
                dt { "What this shows" } dd { (scenario.shows) }
                dt { "What theory expects" } dd { (scenario.expects) }
                dt { "What was measured" }
                @for sentence in &scenario.measured { dd { (sentence) } }
                @if scenario.measured.is_empty() { dd { "Nothing yet." } }
            }
            (grid(&curves, &place.inside("curve")))
            @for (index, load) in loads.iter().enumerate() {
                @if let Some(markup) = workload(report, load, &place.inside(&format!("load{index}"))) {
                    // the curves show all of them; each is one of many
                    @if curves.is_empty() { (markup) } @else { details class="fold" { summary { (load.name) } (markup) } }
                }
            }
        }
    }
}

/// A load: what it costs, what was answered, the table, the times, and what is to be said of it.
fn workload(report: &Report, load: &NamedLoad, place: &Place) -> Option<Markup> {
    let rows: Vec<&Row> = report.summary.iter().filter(|row| row.workload == load.name).collect();
    if rows.is_empty() {
        return None;
    }
    let subjects = subjects(report, &load.name, &rows);
    let subjects = subjects.as_slice();
    let first: Vec<Chart> = [charts::cpu(&rows), charts::throughput(&rows)].into_iter().flatten().collect();
    let times: Vec<Chart> =
        charts::spectrum(subjects, "").into_iter().chain(charts::rate(subjects)).collect();
    let more: Vec<Chart> = [
        charts::memory(&rows),
        charts::kernel_memory(&rows, subjects),
        charts::evenness(&rows, subjects),
        charts::extremes(&rows, subjects),
    ]
    .into_iter()
    .flatten()
    .chain(charts::figures(&rows))
    .collect();
    Some(html! {
        section id=(place.id) {
            (place.heading(&load.name))
            p class="lead" { (describe(&load.load)) "." }
            @if rows.len() > 1 { (grid(&first, &place.inside("first"))) }
            (tables::results(&rows, place))
            (verdicts::verdicts(report, &load.name, &rows, subjects, place))
            (grid(&times, &place.inside("times")))
            (folded(&charts::latency(subjects), "Reply time as time went by, a chart for each server", &place.inside("latency")))
            @if rows.len() > 1 || load.scenario.is_some() { (grid(&more, &place.inside("more"))) }
        }
    })
}

/// Each server with those of its trials that stand in its row.
fn subjects<'a>(report: &'a Report, workload: &str, rows: &[&'a Row]) -> Vec<(&'a str, Vec<&'a Trial>)> {
    let trials = |row: &&'a Row| {
        let own = |trial: &&Trial| trial.workload == workload && trial.subject == row.subject;
        let all: Vec<&Trial> = report.trials.iter().filter(own).collect();
        (row.subject.as_str(), summary::counted(&all))
    };
    rows.iter().map(trials).collect()
}

/// Charts side by side where there is room.
pub(super) fn grid(charts: &[Chart], place: &Place) -> Markup {
    html! {
        @if !charts.is_empty() {
            div class="grid" {
                @for (index, chart) in charts.iter().enumerate() { (figure(chart, &Place { id: format!("{}{index}", place.id), level: place.level })) }
            }
        }
    }
}

fn folded(charts: &[Chart], title: &str, place: &Place) -> Markup {
    html! {
        @if charts.len() > UNFOLDED {
            details class="fold" { summary { (title) } (grid(charts, place)) }
        } @else {
            (grid(charts, place))
        }
    }
}

//! A report as one page that needs nothing else: no network, no other file, and no script to be read.
//!
//! How: plain functions from a [`Report`] to markup; the template language escapes every text that comes from outside.
//! The page forbids itself all network and every script and style but its own two, by their hashes. The script makes
//! the tables sortable and nothing else. Cost: about 20 KiB for each server and load, most of it charts. Where it
//! breaks: the charts are drawn once, for one width; they scale, and do not rearrange themselves.

mod answers;
mod charts;
mod checks;
mod methods;
mod section;
mod tables;
mod together;
mod verdicts;
mod words;

use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::Report;
use super::data::Verb;
use common::units::plural;

/// How the page looks.
const STYLE: &str = include_str!("style.css");
/// What makes tables sortable.
const SCRIPT: &str = include_str!("sort.js");
/// What the page may do: show itself. Both hashes are checked by a test, which says the right ones.
const POLICY: &str = "default-src 'none'; style-src 'sha256-ShHEr/NvIeIEH3hhcAM3xbTchj/nEEqTtQZyu4vhAsM='; script-src 'sha256-gtcDTNC4+t1li7VamQgKb0UjO9e19drv+OuJNzULnnU='; base-uri 'none'; form-action 'none'";

/// A report and what it is called where there are several.
#[derive(Debug, Clone)]
pub struct Named {
    /// The name of its file.
    pub name: String,
    /// The report.
    pub report: Report,
}

/// Where a part of the page stands: the beginning of its ids, and the level of its heading.
#[derive(Debug, Clone)]
struct Place {
    id: String,
    level: u8,
}

impl Place {
    fn inside(&self, id: &str) -> Self {
        Self { id: format!("{}-{id}", self.id), level: (self.level + 1).min(6) }
    }

    fn heading(&self, text: &str) -> Markup {
        let id = format!("{}-heading", self.id);
        html! {
            @match self.level {
                2 => { h2 id=(id) { (text) } }
                3 => { h3 id=(id) { (text) } }
                4 => { h4 id=(id) { (text) } }
                _ => { h5 id=(id) { (text) } }
            }
        }
    }
}

/// The page of one report.
#[must_use]
pub fn render(report: &Report) -> String {
    let place = Place { id: "r".to_owned(), level: 2 };
    let sections = section::sections(report, &place);
    let body = html! {
        header {
            p class="eyebrow" { "loadgen " (report.command.word()) " · " (report.started) }
            h1 { (title(report)) }
            @if report.interrupted { p class="banner" { strong { "Interrupted." } " This report is partial." } }
            (checks::answer(report))
            (answers::answers(report, &place))
            (methods::facts(report))
        }
        (contents(&sections))
        main id="main" {
            @for section in &sections { (section.markup) }
            (methods::section(report, &place))
        }
    };
    page(&format!("loadgen {}: {}, {}", report.command.word(), title(report), report.started), &body)
}

/// One page for several reports: what they share first, then each.
#[must_use]
pub fn render_all(reports: &[Named]) -> String {
    if let [only] = reports {
        return render(&only.report);
    }
    let names: Vec<&str> = reports.iter().map(|named| named.name.as_str()).collect();
    let body = html! {
        header {
            p class="eyebrow" { "loadgen report" }
            h1 { (plural(reports.len() as u64, "report")) " side by side" }
            p class="lead" { (names.join(", ")) }
        }
        nav aria-label="Contents" {
            ul {
                li { a href="#together" { "What they share" } }
                @for (index, named) in reports.iter().enumerate() {
                    li { a href=(format!("#r{index}")) { (named.name) } }
                }
            }
        }
        main id="main" {
            (together::section(reports))
            @for (index, named) in reports.iter().enumerate() {
                @let place = Place { id: format!("r{index}"), level: 2 };
                section class="report" id=(place.id) aria-labelledby=(format!("{}-heading", place.id)) {
                    (place.heading(&format!("{}: {}", named.name, title(&named.report))))
                    p class="lead" { "loadgen " (named.report.command.word()) ", " (named.report.started) }
                    @if named.report.interrupted { p class="banner" { strong { "Interrupted." } " This report is partial." } }
                    (checks::answer(&named.report))
                    (answers::answers(&named.report, &place))
                    (methods::facts(&named.report))
                    @let inner = Place { level: 3, ..place.clone() };
                    @for section in section::sections(&named.report, &inner) { (section.markup) }
                    (methods::section(&named.report, &inner))
                }
            }
        }
    };
    page(&format!("loadgen: {}", names.join(", ")), &body)
}

/// The report in a few words.
fn title(report: &Report) -> String {
    match (report.command, report.subjects.as_slice()) {
        (Verb::Compare, subjects) => format!(
            "{} under {}",
            plural(subjects.len() as u64, "server"),
            plural(report.workloads.len() as u64, "load")
        ),
        (Verb::Selftest, _) => "loadgen, measured by itself".to_owned(),
        (_, [subject]) => subject.name.clone(),
        (verb, _) => verb.word().to_owned(),
    }
}

fn contents(sections: &[section::Section]) -> Markup {
    html! {
        @if sections.len() > 1 {
            nav aria-label="Contents" {
                ul {
                    @for section in sections { li { a href=(format!("#{}", section.id)) { (section.name) } } }
                    li { a href="#r-methods" { "How it was measured" } }
                }
            }
        }
    }
}

fn page(title: &str, body: &Markup) -> String {
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta http-equiv="Content-Security-Policy" content=(POLICY);
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                meta name="referrer" content="no-referrer";
                title { (title) }
                style { (PreEscaped(STYLE)) }
            }
            body {
                a class="skip" href="#main" { "Skip to the results" }
                (body)
                footer { p { "Made by loadgen. This file is complete: it loads nothing." } }
                script { (PreEscaped(SCRIPT)) }
            }
        }
    }
    .into_string();
    in_lines(page)
}

/// Every larger part in a line of its own: for those who compare two pages. What comes from outside has no tags.
fn in_lines(mut page: String) -> String {
    for tag in [
        "header",
        "main",
        "section",
        "figure",
        "svg",
        "figcaption",
        "details",
        "tr",
        "polyline",
        "text",
        "dt",
    ] {
        page = page.replace(&format!("<{tag}"), &format!("\n<{tag}"));
    }
    page
}

//! Charts as `<figure>`s: a picture, a legend, a caption in plain words, and the same figures as a table.
//!
//! How: a file for each kind of chart turns a report into a [`Chart`]; two of them, `lines` and `bars`, draw, with the
//! charting library, and `paint` gives the page's colours to what it drew. The legend is no part of the picture: it
//! can break its lines, be read aloud and be selected.

mod axis;
mod bars;
mod experiment;
mod fairness;
mod lines;
mod overview;
mod paint;
mod spectrum;
mod time;

use maud::{Markup, PreEscaped, html};

use crate::report::html::{Place, words::sentence};

pub(super) use experiment::{curves, figures};
pub(super) use fairness::{evenness, extremes};
pub(super) use overview::{cpu, kernel_memory, memory, throughput};
pub(super) use spectrum::{merged, spectrum};
pub(super) use time::{latency, rate};

/// Everything about a chart.
#[derive(Debug)]
pub(super) struct Chart {
    title: String,
    /// What it shows and how to read it.
    caption: String,
    /// For those who do not see it.
    description: String,
    size: (u32, u32),
    /// The inside of the `<svg>`.
    picture: String,
    /// Names, and how each one's line looks.
    legend: Vec<(String, Markup)>,
    data: Data,
}

/// The figures of a chart as a table; the first column names the row.
#[derive(Debug, Clone, Default)]
pub(super) struct Data {
    pub(super) heads: Vec<String>,
    pub(super) rows: Vec<Vec<String>>,
}

/// The chart as a part of the page.
pub(super) fn figure(chart: &Chart, place: &Place) -> Markup {
    let (width, height) = chart.size;
    let id = place.id.as_str();
    html! {
        figure id=(id) class=[(chart.legend.len() > 1).then_some("lines")] {
            (place.heading(&chart.title))
            @if chart.legend.len() > 1 {
                ul class="legend" {
                    @for (name, key) in &chart.legend { li { (key) " " span class="name" { (name) } } }
                }
            }
            svg class="chart" role="img" viewBox=(format!("0 0 {width} {height}"))
                aria-labelledby=(format!("{id}-title {id}-desc")) {
                title id=(format!("{id}-title")) { (chart.title) }
                desc id=(format!("{id}-desc")) { (chart.description) }
                (PreEscaped(&chart.picture))
            }
            figcaption { (sentence(&chart.caption)) }
            @if !chart.data.rows.is_empty() { (data(chart, id)) }
        }
    }
}

fn data(chart: &Chart, id: &str) -> Markup {
    html! {
        details {
            summary { "The figures of this chart" span class="unseen" { ": " (chart.title) } }
            div class="scroll" role="group" tabindex="0" aria-labelledby=(format!("{id}-data")) {
                table {
                    caption id=(format!("{id}-data")) { span { (chart.title) } }
                    thead { tr { @for head in &chart.data.heads { th scope="col" { (head) } } } }
                    tbody {
                        @for row in &chart.data.rows {
                            tr {
                                @for (index, cell) in row.iter().enumerate() {
                                    @if index == 0 { th scope="row" { (cell) } } @else { td { (cell) } }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

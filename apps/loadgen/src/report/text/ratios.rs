//! The ratios of one load as a table on a terminal, or as a list where that is too wide; and as Markdown.

use comfy_table::{Cell, CellAlignment, ContentArrangement, Table, presets};

use super::wrap;
use crate::report::claims;
use crate::stats::Metric;
use crate::stats::ratios::Comparison;

/// The title and the ratios; empty if nothing was compared under this load.
#[must_use]
pub(super) fn render(comparison: &Comparison, workload: &str, width: usize) -> String {
    let lines = claims::ratios(comparison, workload);
    if lines.is_empty() {
        return String::new();
    }
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Disabled);
    let titles = Metric::ALL.map(|metric| Cell::new(metric.title()));
    table.set_header([vec![Cell::new("server")], titles.to_vec()].concat());
    for (name, cells) in &lines {
        let cell = |ratio: &Option<_>| {
            Cell::new(ratio.map_or("-".to_owned(), |ratio| claims::ratio_lines(ratio).join("\n")))
        };
        table.add_row([vec![Cell::new(name)], cells.iter().map(cell).collect()].concat());
    }
    for (index, column) in table.column_iter_mut().enumerate() {
        column.set_padding((0, 2));
        if index > 0 {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    let text: Vec<String> = table.lines().map(|line| line.trim_end().to_owned() + "\n").collect();
    let fits = text.iter().all(|line| line.trim_end().chars().count() <= width);
    let title = wrap(&claims::ratios_title(comparison), width, "");
    title + &if fits { text.concat() } else { list(comparison, workload, width) }
}

fn list(comparison: &Comparison, workload: &str, width: usize) -> String {
    let mut out = String::new();
    for (name, cells) in claims::ratios(comparison, workload) {
        out.push_str(&format!("{name}\n"));
        for (metric, ratio) in Metric::ALL.iter().zip(cells) {
            let words = ratio.map_or("-".to_owned(), claims::ratio_words);
            out.push_str(&wrap(&format!("{}: {words}", metric.title()), width, "  "));
        }
    }
    out
}

/// The same for a document.
#[must_use]
pub fn markdown(comparison: &Comparison, workload: &str) -> String {
    let lines = claims::ratios(comparison, workload);
    if lines.is_empty() {
        return String::new();
    }
    let titles = Metric::ALL.map(Metric::title);
    let mut out = format!("\n{}\n\n", claims::ratios_title(comparison));
    out.push_str(&format!("| server | {} |\n|---|{}\n", titles.join(" | "), "--:|".repeat(titles.len())));
    for (name, cells) in lines {
        let words: Vec<String> =
            cells.iter().map(|ratio| ratio.map_or("-".to_owned(), claims::ratio_words)).collect();
        out.push_str(&format!("| {} | {} |\n", name.replace('|', "\\|"), words.join(" | ")));
    }
    out
}

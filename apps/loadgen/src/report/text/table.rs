//! One load's table on a terminal; where the terminal is too narrow for it, a short list instead.

use comfy_table::{Cell, CellAlignment, ContentArrangement, Table, presets};

use super::cells;
use crate::report::summary::Row;

/// What the rows of a table are told apart by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum By {
    /// Servers under one load.
    Server,
    /// Loads on one server.
    Load,
}

impl By {
    fn title(self) -> &'static str {
        match self {
            Self::Server => "server",
            Self::Load => "load",
        }
    }

    fn name(self, row: &Row) -> &str {
        match self {
            Self::Server => &row.subject,
            Self::Load => &row.workload,
        }
    }
}

/// The rows as a table, if it fits, else as a list.
#[must_use]
pub(super) fn render(rows: &[&Row], by: By, width: usize) -> String {
    let table = table(rows, by);
    let fits = table.lines().all(|line| line.chars().count() <= width);
    if fits { table } else { list(rows, by) }
}

fn table(rows: &[&Row], by: By) -> String {
    let columns = cells::columns(rows);
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Disabled);
    let mut head = vec![Cell::new(by.title())];
    head.extend(columns.iter().map(|column| Cell::new(column.title)));
    table.set_header(head);
    for row in rows {
        let mut line = vec![Cell::new(by.name(row))];
        for column in &columns {
            let range = column.range_of(row);
            let text = column.cell(row);
            line.push(Cell::new(if range.is_empty() { text } else { format!("{text}\n{range}") }));
        }
        table.add_row(line);
    }
    let last = columns.len();
    for (index, column) in table.column_iter_mut().enumerate() {
        column.set_padding((0, 1));
        if index > 0 && index + 1 < last {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    let lines: Vec<String> = table.lines().map(|line| line.trim_end().to_owned() + "\n").collect();
    lines.concat()
}

fn list(rows: &[&Row], by: By) -> String {
    let mut out = String::new();
    for row in rows {
        out.push_str(&format!("{}\n", by.name(row)));
        for column in cells::columns(rows) {
            out.push_str(&format!("  {:<24}{}\n", cells::one_line(column.title), column.with_range(row)));
        }
    }
    out
}

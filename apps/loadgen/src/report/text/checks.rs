//! The report of a self-test: what must have come out, and what did.

use comfy_table::{Cell, ContentArrangement, Table, presets};

use crate::report::data::Check;

/// A table, or where the terminal is too narrow for it, a list.
#[must_use]
pub(super) fn render(checks: &[Check], width: usize) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Disabled);
    table.set_header(["", "check", "must be", "is"].map(Cell::new));
    for check in checks {
        table.add_row([check.word(), &check.name, &check.expected, &check.measured].map(Cell::new));
    }
    let lines: Vec<String> = table.lines().map(|line| line.trim_end().to_owned() + "\n").collect();
    if lines.iter().all(|line| line.chars().count() <= width + 1) {
        return lines.concat();
    }
    let item = |check: &Check| {
        format!("{} {}\n  must be {}\n  is {}\n", check.word(), check.name, check.expected, check.measured)
    };
    checks.iter().map(item).collect()
}

//! What a self-test found: the answers at a glance, and the table.

use maud::{Markup, html};

use super::Place;
use crate::report::Report;
use crate::report::data::Check;

/// How many were right.
pub(super) fn answer(report: &Report) -> Markup {
    let judged = report.checks.iter().filter(|check| check.passed.is_some()).count();
    let right = report.checks.iter().filter(|check| check.passed == Some(true)).count();
    html! {
        @if judged > 0 {
            div class="answers" {
                div class="answer" {
                    p class="eyebrow" { "Checks that came out right" }
                    p class="large" { (right) " of " (judged) }
                }
            }
        }
    }
}

/// Each check; nothing where there are none.
pub(super) fn section(report: &Report, place: &Place) -> Option<Markup> {
    let caption = format!("{}-table", place.id);
    (!report.checks.is_empty()).then(|| {
        html! {
            section id=(place.id) {
                (place.heading("Checks"))
                div class="scroll" role="group" tabindex="0" aria-labelledby=(caption) {
                    table {
                        caption id=(caption) { span { "What must have come out, and what did" } }
                        thead { tr { @for head in ["check", "result", "must be", "is"] { th scope="col" { (head) } } } }
                        tbody {
                            @for check in &report.checks {
                                tr {
                                    th scope="row" { (check.name) }
                                    td { span class=(class(check)) { (check.word()) } }
                                    td { (check.expected) }
                                    td { (check.measured) }
                                }
                            }
                        }
                    }
                }
            }
        }
    })
}

fn class(check: &Check) -> &'static str {
    match check.passed {
        Some(true) => "badge",
        Some(false) => "badge failed",
        None => "",
    }
}

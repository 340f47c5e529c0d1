//! What was run, where and how: so that a figure can be defended, rejected or measured again.

use maud::{Markup, html};

use common::units::plural;

use super::Place;
use crate::report::Report;
use crate::report::data::Verb;

/// The short list at the top.
pub(super) fn facts(report: &Report) -> Markup {
    let platform = &report.platform;
    let governor = platform.governor.as_ref().map(|g| format!(", clock governor {g}")).unwrap_or_default();
    html! {
        dl class="facts" {
            div { dt { "Begun" } dd { (report.started) } }
            div { dt { "Machine" } dd { (platform.cpu) ", " (plural(platform.cpus_online as u64, "CPU")) } }
            div { dt { "Version" } dd { "loadgen " (platform.loadgen) } }
            div { dt { "Kernel" } dd { (platform.kernel) (governor) } }
            div { dt { "Placement" } dd { (report.placement.words()) } }
            div {
                dt { "Trials" }
                dd {
                    (report.trials_planned) " of each"
                    @if let Some(seed) = report.seed { ", order shuffled with seed " (seed) }
                }
            }
        }
    }
}

/// The last section.
pub(super) fn section(report: &Report, place: &Place) -> Markup {
    let place = Place { id: format!("{}-methods", place.id), level: place.level };
    html! {
        section id=(place.id) class="methods" {
            (place.heading("How it was measured"))
            dl { @for (name, text) in methods(report) { dt { (name) } dd { (text) } } }
            (place.inside("command").heading("To measure it again"))
            pre tabindex="0" { code { (shell(&report.command_line)) } }
            @if report.subjects.iter().any(|subject| subject.command_line.is_some()) {
                (place.inside("servers").heading("The servers"))
                @let caption = format!("{}-subjects", place.id);
                div class="scroll" role="group" tabindex="0" aria-labelledby=(caption) {
                    table {
                        caption id=(caption) { span { "How each server was started" } }
                        thead { tr { th scope="col" { "server" } th scope="col" { "command line" } } }
                        tbody {
                            @for subject in &report.subjects {
                                tr {
                                    th scope="row" { span class="name" { (subject.name) } }
                                    td { code { (subject.command_line.as_deref().map_or("-".to_owned(), shell)) } }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn methods(report: &Report) -> Vec<(&'static str, String)> {
    let loads = || report.workloads.iter().map(|named| &named.load);
    let mut methods = Vec::new();
    if loads().any(|load| !load.open_loop()) {
        methods.push((
            "Closed loop",
            "Each connection sends its next request when a reply has come. That measures throughput and the time of service. \
             It says nothing about latency under a load that does not wait: a server that stalls for a second delays each \
             connection by one request, where independent clients would have sent thousands."
                .to_owned(),
        ));
    }
    if loads().any(crate::plan::Load::open_loop) {
        methods.push((
            "Open loop",
            "Requests are due by the clock, whatever the server does, and each reply time counts from the moment when its \
             request was due. The uncorrected time, from when it was really sent, stands beside it."
                .to_owned(),
        ));
    }
    methods.push((
        "Between two quiet moments",
        "All connections are opened, a warm-up runs that is not counted, then nothing is sent until nothing is in flight. \
         There the measuring begins, and it ends in the same way. In between the server has done exactly the work of \
         the counted requests."
            .to_owned(),
    ));
    methods.push((
        "Every byte is checked",
        "A reply that is wrong, short or missing is counted by its kind. What was sent is exactly the sum of what came \
         back right, what was lost with a reason, and what was still under way at the end."
            .to_owned(),
    ));
    if report.command == Verb::Compare {
        methods.push((
            "Server CPU",
            "User and system time of all processes of the server, those that have ended included, divided by the requests. \
             Context switches are those of its whole life, for each request of its whole life."
                .to_owned(),
        ));
        methods.push((
            "Interleaved trials",
            "Each trial starts a fresh server on a fresh port, and the servers take turns in a shuffled order, so that \
             a machine that warms up or slows down does so for all of them. The tables show medians and ranges over the \
             trials. A difference is claimed only where the trials show it."
                .to_owned(),
        ));
    }
    methods.push((
        "Times",
        "One histogram of nanoseconds with three digits for each thread. Histograms are added up, percentiles are never \
         averaged, and the longest time is the longest of all trials."
            .to_owned(),
    ));
    methods.push((
        "What it does not know",
        "On one machine client and server share caches, memory and the kernel, and the network is the loopback device. \
         Compare ratios of one run on one machine, not absolute figures of two."
            .to_owned(),
    ));
    methods
}

/// A command line that a shell understands as it was.
fn shell(words: &[String]) -> String {
    let plain = |word: &str| {
        !word.is_empty() && word.chars().all(|c| c.is_ascii_alphanumeric() || "-_./:=,+@%".contains(c))
    };
    let quoted = |word: &String| {
        if plain(word) { word.clone() } else { format!("'{}'", word.replace('\'', r"'\''")) }
    };
    words.iter().map(quoted).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_line_can_be_pasted_into_a_shell() {
        let words = ["loadgen", "--server", "mine=it's {port}", ""].map(str::to_owned);
        assert_eq!(shell(&words), r"loadgen --server 'mine=it'\''s {port}' ''");
    }
}

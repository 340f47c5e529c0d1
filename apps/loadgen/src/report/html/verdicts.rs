//! What the figures of a load are worth, in sentences.

use common::units::{plural, show_count};
use maud::{Markup, html};

use super::Place;
use super::charts::merged;
use super::tables::badge;
use super::words::{Unit, micro, sentence};
use crate::measure::verdict::Level;
use crate::report::data::{Fairness, Trial};
use crate::report::summary::Row;
use crate::report::text::server;
use crate::report::{Report, notes};

/// First what nothing speaks against, then each row that is doubted, then the notes.
pub(super) fn verdicts(
    report: &Report,
    workload: &str,
    rows: &[&Row],
    subjects: &[(&str, Vec<&Trial>)],
    place: &Place,
) -> Markup {
    let sound: Vec<&str> =
        rows.iter().filter(|row| row.verdict.level == Level::Ok).map(|row| row.subject.as_str()).collect();
    let failed = rows.iter().any(|row| row.verdict.level == Level::Ok && !row.errors.is_empty());
    let doubted: Vec<&&Row> = rows.iter().filter(|row| row.verdict.level != Level::Ok).collect();
    // a doubted row is told with its reasons, one by one
    let told = |note: &String| {
        doubted
            .iter()
            .any(|row| note.starts_with(&format!("{}: {}: ", row.subject, row.verdict.level.word())))
    };
    let mut notes: Vec<String> =
        notes::for_workload(report, workload).into_iter().filter(|note| !told(note)).collect();
    notes.extend(subjects.iter().filter_map(|(name, trials)| schedule(name, trials)));
    notes.extend(subjects.iter().flat_map(|(name, trials)| costs(report, name, trials)));
    // charts show it of several
    if let [(name, trials)] = subjects {
        notes.extend(evenness(name, trials));
    }
    let inner = place.inside("verdicts");
    html! {
        div class="verdicts" {
            (inner.heading("What these figures are worth"))
            @if !sound.is_empty() {
                p {
                    (badge(Level::Ok)) " " span class="name" { (sound.join(", ")) }
                    ": nothing speaks against the measurement."
                    @if !failed { " No connection failed, and every reply was right." }
                }
            }
            @for row in &doubted {
                p {
                    (badge(row.verdict.level)) " " span class="name" { (row.subject) } ": " (meaning(row.verdict.level))
                    @for reason in &row.verdict.reasons { " " (micro(&sentence(&reason.text))) }
                }
            }
            @if !notes.is_empty() { ul class="notes" { @for note in &notes { li { (micro(note)) } } } }
        }
    }
}

/// How an open loop's schedule was kept.
fn schedule(name: &str, trials: &[&Trial]) -> Option<String> {
    let open: Vec<_> = trials.iter().filter_map(|trial| trial.client.as_ref()?.open.as_ref()).collect();
    let (due, unsent) = (open.iter().map(|open| open.due).sum(), open.iter().map(|open| open.unsent).sum());
    let lag = merged(trials, |client| client.open.as_ref().map(|open| &open.lag));
    let late = lag.map(|lag| {
        format!(
            " This program itself sent 99 % of them at most {} late.",
            Unit::Nanos.show(lag.at(0.99) as f64)
        )
    });
    let never = if unsent == 0 {
        "all were sent".to_owned()
    } else {
        format!("{} were never sent", show_count(unsent))
    };
    (!open.is_empty()).then(|| {
        format!("{name}: of {} that were due, {never}.{}", plural(due, "request"), late.unwrap_or_default())
    })
}

/// Whose cost was counted, where the server was not started for this.
fn costs(report: &Report, name: &str, trials: &[&Trial]) -> Vec<String> {
    let subject = report.subjects.iter().find(|subject| subject.name == name);
    let accounting = subject.and_then(|subject| subject.accounting.as_ref());
    let line = |trial: &&Trial| {
        let seconds = trial.client.as_ref().map_or(0.0, |client| client.seconds);
        let line = server::line(accounting, trial.server.as_ref(), seconds)?;
        let which = if trials.len() > 1 { format!(" in trial {}", trial.trial) } else { String::new() };
        Some(format!("{name}{which}: {line}."))
    };
    trials.iter().filter_map(line).collect()
}

/// How evenly the connections of one server were served.
fn evenness(name: &str, trials: &[&Trial]) -> Vec<String> {
    let fairness = trials.iter().filter_map(|trial| Some((trial, trial.client.as_ref()?.fairness?)));
    let told = |(trial, f): (&&Trial, Fairness)| {
        let which = if trials.len() > 1 { format!(" in trial {}", trial.trial) } else { String::new() };
        format!(
            "{name}{which}: Jain's index of fairness was {:.3} (1 = all connections alike); replies on the slowest \
             connection: {}, on the fastest: {}.",
            f.jain,
            show_count(f.slowest),
            show_count(f.fastest)
        )
    };
    fairness.map(told).collect()
}

fn meaning(level: Level) -> &'static str {
    match level {
        Level::Ok => "nothing speaks against it.",
        Level::Suspect => "its figures may be off.",
        Level::Invalid => "this is no measurement of the server.",
        Level::Failed => "the server did wrong, or was not there.",
    }
}

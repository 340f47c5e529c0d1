//! The sentences about connections that are not measured, and about who had how much.

use common::units::show_count;

use super::bystanders::BystandersReport;
use super::data::{Client, Verb};
use super::{Report, Trial};
use crate::plan::Bystanders;

/// Below this, the replies are spread too unevenly to be passed over.
const UNEVEN: f64 = 0.9;
/// Replies that a connection must have had on average before their spread says anything.
const ENOUGH: u64 = 10;

/// `1,000 idle and 2 slow connections`; `None`: there are none.
#[must_use]
pub fn in_words(bystanders: &Bystanders) -> Option<String> {
    let kinds = [(bystanders.idle, "idle"), (bystanders.slow, "slow"), (bystanders.greedy, "greedy")];
    let named: Vec<String> = kinds
        .iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, kind)| format!("{} {kind}", show_count(*count as u64)))
        .collect();
    let noun = if bystanders.count() == 1 { "connection" } else { "connections" };
    match named.as_slice() {
        [] => None,
        [one] => Some(format!("{one} {noun}")),
        [first @ .., last] => Some(format!("{} and {last} {noun}", first.join(", "))),
    }
}

/// The notes for one load's table: of each server, its last trial that has something to tell.
#[must_use]
pub fn for_workload(report: &Report, workload: &str) -> Vec<String> {
    let mut notes = Vec::new();
    let mut told: Vec<(Vec<&str>, String)> = Vec::new();
    if report.command == Verb::Compare {
        for subject in &report.subjects {
            let is_its = |trial: &&Trial| trial.workload == workload && trial.subject == subject.name;
            let trials: Vec<&Trial> = report.trials.iter().filter(is_its).collect();
            if let Some(text) = beside(&trials) {
                match told.iter_mut().find(|(_, other)| *other == text) {
                    Some((names, _)) => names.push(&subject.name),
                    None => told.push((vec![&subject.name], text)),
                }
            }
            notes.extend(uneven(&subject.name, &trials));
        }
        // where the same happened to several servers, it is said once
        notes.splice(0..0, told.iter().map(|(names, text)| format!("{}: {text}", names.join(", "))));
    }
    let disturbed = |load: &Bystanders| load.slow + load.greedy > 0;
    if report.workloads.iter().any(|w| w.name == workload && disturbed(&w.load.bystanders)) {
        notes.push(
            "The server worked for the slow and greedy connections, too: its CPU for a request is more than a request \
             costs."
                .to_owned(),
        );
    }
    notes
}

/// What a table of one server has no room for: each trial's bystanders.
#[must_use]
pub fn of_a_run(report: &Report) -> Vec<String> {
    if report.command != Verb::Run {
        return Vec::new();
    }
    let clients = report.trials.iter().filter_map(|trial| trial.client.as_ref());
    let lines = clients.filter_map(|client| client.bystanders.as_ref()).flat_map(BystandersReport::lines);
    lines.map(|(name, text)| format!("{name}: {text}")).collect()
}

fn beside(trials: &[&Trial]) -> Option<String> {
    let client = last(trials, |client| client.bystanders.is_some())?;
    let lines = client.bystanders.as_ref()?.connections();
    let told: Vec<String> = lines.iter().map(|(name, text)| format!("{name}: {text}")).collect();
    let which = if trials.len() > 1 { " (in the last trial)" } else { "" };
    Some(format!("beside{which} {}.", told.join(". ")))
}

/// Those that were never served are told elsewhere: this is about how unevenly the others were.
fn uneven(subject: &str, trials: &[&Trial]) -> Option<String> {
    let among_served = |client: &Client| {
        let fairness = client.fairness?;
        let served = client.connections.established.saturating_sub(fairness.never_served).max(1);
        // a few replies each say nothing
        (client.requests.ok >= ENOUGH * served as u64)
            .then_some(fairness.jain * client.connections.established as f64 / served as f64)
    };
    let is_uneven = |client: &Client| among_served(client).is_some_and(|jain| jain < UNEVEN);
    let count = trials.iter().filter_map(|trial| trial.client.as_ref()).filter(|c| is_uneven(c)).count();
    let client = last(trials, is_uneven)?;
    let fairness = client.fairness?;
    let which = if trials.len() > 1 {
        format!(" (so in {count} of {} trials; these are of the last)", trials.len())
    } else {
        String::new()
    };
    Some(format!(
        "{subject} served its connections unevenly: Jain's index of those that it served is {:.3} where 1 is even; the \
         slowest had {} replies, the fastest {}{which}.",
        among_served(client)?,
        show_count(fairness.slowest),
        show_count(fairness.fastest)
    ))
}

fn last<'a>(trials: &[&'a Trial], wanted: impl Fn(&Client) -> bool) -> Option<&'a Client> {
    trials.iter().rev().filter_map(|trial| trial.client.as_ref()).find(|client| wanted(client))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bystanders_are_named_by_their_kinds() {
        let words = |idle, slow, greedy| in_words(&Bystanders { idle, slow, greedy });
        assert_eq!(words(0, 0, 0), None);
        assert_eq!(words(1000, 0, 0).unwrap(), "1,000 idle connections");
        assert_eq!(words(0, 0, 1).unwrap(), "1 greedy connection");
        assert_eq!(words(2, 3, 4).unwrap(), "2 idle, 3 slow and 4 greedy connections");
    }
}

//! How evenly the connections of each server were served.

use super::Chart;
use super::bars::{self, Bars};
use super::overview::{bars_of, with_range};
use crate::report::data::{Fairness, Trial};
use crate::report::html::words::Unit;
use crate::report::summary::{Row, Spread};

/// Jain's index.
pub(in crate::report::html) fn evenness(rows: &[&Row], subjects: &[(&str, Vec<&Trial>)]) -> Option<Chart> {
    bars::chart(Bars {
        title: "Fairness: Jain's index".to_owned(),
        caption: with_range(
            rows,
            "1 means that all connections had the same number of replies; 1 divided by their number, that one had all",
        ),
        unit: Unit::Index,
        bars: bars_of(rows, |row| spread(row, subjects, |fairness| Some(fairness.jain))),
    })
}

/// The slowest connection beside the fastest.
pub(in crate::report::html) fn extremes(rows: &[&Row], subjects: &[(&str, Vec<&Trial>)]) -> Option<Chart> {
    let never: usize = fairness(subjects).map(|fairness| fairness.never_served).max().unwrap_or(0);
    let unserved = if never > 0 {
        format!("; up to {never} connections had none at all and are not in it")
    } else {
        String::new()
    };
    bars::chart(Bars {
        title: "Fairness: slowest connection by fastest".to_owned(),
        caption: with_range(
            rows,
            &format!(
                "Replies on the slowest connection for each 100 on the fastest, of those that were served{unserved}; more is fairer"
            ),
        ),
        unit: Unit::Share,
        bars: bars_of(rows, |row| {
            spread(row, subjects, |fairness| {
                (fairness.fastest > 0).then(|| fairness.slowest as f64 / fairness.fastest as f64)
            })
        }),
    })
}

fn fairness<'a>(subjects: &'a [(&str, Vec<&Trial>)]) -> impl Iterator<Item = Fairness> + 'a {
    subjects.iter().flat_map(|(_, trials)| trials).filter_map(|trial| trial.client.as_ref()?.fairness)
}

fn spread(row: &Row, subjects: &[(&str, Vec<&Trial>)], of: fn(Fairness) -> Option<f64>) -> Option<Spread> {
    let (_, trials) = subjects.iter().find(|(name, _)| *name == row.subject)?;
    Spread::of(trials.iter().filter_map(|trial| of(trial.client.as_ref()?.fairness?)).collect())
}

//! The percentile spectrum: how long the slowest share of all requests took, on HDR's axis.
//!
//! How: the histograms of a row's trials are added up, never averaged, and read at even steps of the axis, up to the one
//! slowest request. Where it breaks: a report whose histograms cannot be read has no spectrum.

use super::axis::{About, Scale};
use super::lines::{self, Line, Lines};
use super::paint::{Dash, SLOTS};
use super::{Chart, Data};
use crate::measure::{Latency, Quantiles};
use crate::report::data::{Client, Trial};
use crate::report::html::words::Unit;

/// Points of a line for each ten times of its axis.
const STEPS: i32 = 24;
/// The percentiles of the table.
const NAMED: [(f64, &str); 7] = [
    (0.5, "50 %"),
    (0.75, "75 %"),
    (0.9, "90 %"),
    (0.99, "99 %"),
    (0.999, "99.9 %"),
    (0.9999, "99.99 %"),
    (0.99999, "99.999 %"),
];

/// One server's times: corrected, and uncorrected where there is a schedule.
struct Times {
    name: String,
    slot: usize,
    reply: Latency,
    uncorrected: Option<Latency>,
}

/// Adds up what these trials recorded; `None`: there is nothing, or it cannot be read.
pub(in crate::report::html) fn merged(
    trials: &[&Trial],
    of: impl Fn(&Client) -> Option<&Quantiles>,
) -> Option<Latency> {
    let mut sum: Option<Latency> = None;
    for quantiles in trials.iter().filter_map(|trial| of(trial.client.as_ref()?)) {
        let read = Latency::decoded(quantiles).ok()?;
        match &mut sum {
            Some(sum) => sum.merge(&read),
            None => sum = Some(read),
        }
    }
    sum.filter(|sum| sum.quantiles().count > 0)
}

/// The spectrum of these servers and their trials; of many, several charts. `whose` is added to the title.
pub(in crate::report::html) fn spectrum(subjects: &[(&str, Vec<&Trial>)], whose: &str) -> Vec<Chart> {
    let times: Vec<Times> = subjects
        .iter()
        .enumerate()
        .filter_map(|(index, (name, trials))| {
            Some(Times {
                name: (*name).to_owned(),
                slot: index % SLOTS,
                reply: merged(trials, |client| Some(&client.reply))?,
                uncorrected: merged(trials, |client| client.open.as_ref().map(|open| &open.uncorrected)),
            })
        })
        .collect();
    let reach: Vec<f64> = times
        .iter()
        .flat_map(|times| [times.reply.at(0.0), times.reply.at(1.0)])
        .map(|nanos| nanos as f64)
        .collect();
    let several = times.len() > SLOTS;
    times
        .chunks(SLOTS)
        .enumerate()
        .map(|(index, some)| {
            let first = index * SLOTS + 1;
            let which = if several {
                format!("{whose}, servers {first} to {}", first + some.len() - 1)
            } else {
                whose.to_owned()
            };
            chart(some, &which, reach.clone())
        })
        .collect()
}

fn chart(times: &[Times], which: &str, reach: Vec<f64>) -> Chart {
    let open = times.iter().any(|times| times.uncorrected.is_some());
    let mut kinds: Vec<(String, usize, Dash, &Latency)> = Vec::new();
    for server in times {
        kinds.push((server.name.clone(), server.slot, Dash::Solid, &server.reply));
        if let Some(uncorrected) = &server.uncorrected {
            kinds.push((format!("{}, uncorrected", server.name), server.slot, Dash::Dashed, uncorrected));
        }
    }
    let caption = if open {
        "Each step to the right leaves out ten times more of the requests: at 99 %, one of a hundred took longer. \
         Solid lines count from the moment when a request was due, dashed ones only from when it was sent: the gap \
         between them is the waiting that a tool hides which does not keep to a schedule."
    } else {
        "Each step to the right leaves out ten times more of the requests: at 99 %, one of a hundred took longer. A line \
         that stays flat is a server whose slow replies are hardly slower than the others. Lower is better."
    };
    lines::chart(Lines {
        title: format!("Reply time by percentile{which}"),
        caption: caption.to_owned(),
        x: About { label: "percentile of all requests".to_owned(), scale: Scale::Nines, unit: Unit::Share },
        y: About { label: "reply time (logarithmic)".to_owned(), scale: Scale::Log, unit: Unit::Nanos },
        data: data(&kinds),
        lines: kinds
            .into_iter()
            .map(|(name, slot, dash, latency)| Line { name, slot, dash, points: points(latency) })
            .collect(),
        reach,
    })
}

/// From the fastest request to the slowest.
fn points(latency: &Latency) -> Vec<(f64, f64)> {
    let count = latency.quantiles().count as f64;
    let even = (0..).map(|step| 10_f64.powf(f64::from(step) / f64::from(STEPS)));
    let mut points: Vec<(f64, f64)> = even
        .take_while(|rarity| *rarity < count)
        .map(|rarity| 1.0 - 1.0 / rarity)
        .map(|share| (share, latency.at(share) as f64))
        .collect();
    points.push((1.0 - 1.0 / count.max(1.0), latency.at(1.0) as f64));
    points
}

fn data(kinds: &[(String, usize, Dash, &Latency)]) -> Data {
    let largest = kinds.iter().map(|(.., latency)| latency.quantiles().count).max().unwrap_or(0) as f64;
    let mut rows: Vec<Vec<String>> = NAMED
        .iter()
        .filter(|(share, _)| *share < 1.0 - 1.0 / largest.max(2.0) || *share <= 0.99)
        .map(|(share, name)| row(name, kinds, *share))
        .collect();
    rows.push(row("longest", kinds, 1.0));
    let heads = std::iter::once("percentile".to_owned()).chain(kinds.iter().map(|(name, ..)| name.clone()));
    Data { heads: heads.collect(), rows }
}

fn row(name: &str, kinds: &[(String, usize, Dash, &Latency)], share: f64) -> Vec<String> {
    let cells = kinds.iter().map(|(.., latency)| Unit::Nanos.show(latency.at(share) as f64));
    std::iter::once(name.to_owned()).chain(cells).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_goes_from_the_fastest_to_the_slowest_and_never_down() {
        let mut latency = Latency::new();
        (1..=1000).for_each(|nanos| latency.record(nanos * 1000, 1));
        let points = points(&latency);
        assert_eq!(points[0].0, 0.0);
        assert_eq!(points.last().unwrap().0, 0.999);
        assert!(points.windows(2).all(|two| two[0].1 <= two[1].1 && two[0].0 < two[1].0), "{points:?}");
    }
}

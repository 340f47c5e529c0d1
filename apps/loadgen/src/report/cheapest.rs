//! Who needs the least server CPU for a request, and how far the trials show it: a claim is made only where chance would
//! hardly make it.
//!
//! How: two servers differ where the ranges of their trials share no value. With five trials each, chance alone parts
//! two ranges once in 126 times; with three once in ten, with two once in three, and one trial has no range at all. So
//! of fewer than five trials only a large difference is told. Where it breaks: a machine that changes for one server
//! only, and always the same; the shuffled order of the trials is against that.

use super::summary::{Row, Spread};
use crate::measure::verdict::Level;

/// So many trials show a difference by their ranges alone.
const ENOUGH: usize = 5;
/// With fewer, one median must be so many times the other.
const CLEAR: f64 = 1.2;

/// What the trials show of two servers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shown {
    /// They differ.
    Difference,
    /// They may well be the same.
    Nothing,
    /// More trials would tell.
    TooFew,
}

/// The sentence under a table; `None`: there is nothing to compare.
pub(super) fn note(rows: &[&Row]) -> Option<String> {
    let mut costs: Vec<(&str, Spread)> = rows
        .iter()
        .filter(|row| row.served == row.established && row.verdict.level == Level::Ok)
        .filter_map(|row| Some((row.subject.as_str(), row.cpu_us_per_request?)))
        .collect();
    costs.sort_by(|a, b| a.1.median.total_cmp(&b.1.median));
    let [(first, least), rest @ ..] = costs.as_slice() else { return None };
    if rest.is_empty() {
        return None;
    }
    let those = |what: Shown| rest.iter().filter(move |(_, cost)| shown(least, cost) == what);
    let names = |what: Shown| those(what).map(|(name, _)| *name).collect::<Vec<_>>().join(", ");
    let times =
        |(name, cost): &(&str, Spread)| format!("{name} {:.2} ×", cost.median / least.median.max(1e-9));
    let more: Vec<String> = those(Shown::Difference).map(times).collect();
    let mut parts = Vec::new();
    if !more.is_empty() {
        parts.push(format!("against it {}", more.join(", ")));
    }
    if those(Shown::Nothing).next().is_some() {
        parts.push(format!("no difference shown to {}", names(Shown::Nothing)));
    }
    if those(Shown::TooFew).next().is_some() {
        parts.push(format!(
            "too few trials to tell it from {} (fewer than {ENOUGH} show only differences over {:.0} %)",
            names(Shown::TooFew),
            (CLEAR - 1.0) * 100.0
        ));
    }
    // the one with the lowest figure needs the least only where that is shown of somebody
    let claim = if more.is_empty() { "Server CPU for a request" } else { "Least server CPU for a request" };
    Some(format!("{claim}, all connections served: {first}; {}.", parts.join("; ")))
}

/// The row that needs the least; `None`: that was not shown of anybody.
pub(super) fn least<'a>(rows: &[&'a Row]) -> Option<&'a Row> {
    let mut sound: Vec<(&Row, Spread)> = rows
        .iter()
        .filter(|row| row.served == row.established && row.verdict.level == Level::Ok)
        .filter_map(|row| Some((*row, row.cpu_us_per_request?)))
        .collect();
    sound.sort_by(|a, b| a.1.median.total_cmp(&b.1.median));
    let [(row, least), rest @ ..] = sound.as_slice() else { return None };
    rest.iter().any(|(_, cost)| shown(least, cost) == Shown::Difference).then_some(*row)
}

fn shown(least: &Spread, other: &Spread) -> Shown {
    let large = other.median >= least.median * CLEAR;
    let enough = least.count.min(other.count) >= ENOUGH;
    match (least.overlaps(other), enough) {
        (true, _) => Shown::Nothing,
        (false, true) => Shown::Difference,
        (false, false) if large => Shown::Difference,
        (false, false) => Shown::TooFew,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spread(figures: &[f64]) -> Spread {
        Spread::of(figures.to_vec()).unwrap()
    }

    #[test]
    fn few_trials_show_only_a_large_difference() {
        let least = spread(&[8.0]);
        assert_eq!(shown(&least, &spread(&[8.2])), Shown::TooFew);
        assert_eq!(shown(&least, &spread(&[12.0])), Shown::Difference);
        let least = spread(&[8.0, 8.1, 8.2]);
        assert_eq!(shown(&least, &spread(&[8.3, 8.4, 8.5])), Shown::TooFew);
        assert_eq!(shown(&least, &spread(&[8.2, 8.4, 8.5])), Shown::Nothing);
        assert_eq!(shown(&least, &spread(&[8.1, 12.0, 12.0])), Shown::Nothing);
    }

    #[test]
    fn five_trials_show_it_by_their_ranges() {
        let least = spread(&[8.0, 8.1, 8.1, 8.1, 8.2]);
        assert_eq!(shown(&least, &spread(&[8.3, 8.4, 8.4, 8.4, 8.5])), Shown::Difference);
        assert_eq!(shown(&least, &spread(&[8.3, 8.4, 8.5])), Shown::TooFew);
    }
}

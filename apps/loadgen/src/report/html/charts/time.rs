//! A trial as time went by. Of several trials the one in the middle is shown: lines of different trials cannot be added
//! up.
//!
//! Bound: [`MOST`] points a line; of more, neighbours become one, as in `measure::series`: percentiles by the larger of
//! the two.

use super::axis::{About, Scale};
use super::lines::{self, Line, Lines};
use super::paint::{Dash, SLOTS};
use super::{Chart, Data};
use crate::report::data::{Interval, Trial};
use crate::report::html::words::Unit;

const MOST: usize = 120;
/// Two points are a line, and say nothing.
const FEWEST: usize = 3;

const CAPTION: &str = "Half of the requests of each moment were faster than the solid line, 99 % faster than the dashed one, and none \
                       slower than the dotted one";

type Figure = (&'static str, Dash, fn(&Interval) -> f64);

/// One chart for each server: median, 99 % and longest.
pub(in crate::report::html) fn latency(subjects: &[(&str, Vec<&Trial>)]) -> Vec<Chart> {
    const FIGURES: [Figure; 3] = [
        ("p50", Dash::Solid, |i| i.p50 as f64),
        ("p99", Dash::Dashed, |i| i.p99 as f64),
        ("longest", Dash::Dotted, |i| i.max as f64),
    ];
    let shown = shown(subjects);
    let all = |of: fn(&Interval) -> f64| shown.iter().flat_map(move |(_, points)| points.iter().map(of));
    let reach: Vec<f64> =
        all(|i| i.p50 as f64).chain(all(|i| i.max as f64)).filter(|nanos| *nanos > 0.0).collect();
    let chart = |(index, (name, points)): (usize, &(&str, Vec<Interval>))| {
        let line = |(slot, (figure, dash, of)): (usize, &Figure)| Line {
            name: (*figure).to_owned(),
            slot,
            dash: *dash,
            points: points
                .iter()
                .filter(|point| point.max > 0)
                .map(|point| (middle(point), of(point)))
                .collect(),
        };
        lines::chart(Lines {
            title: format!("Reply time as time went by: {name}"),
            caption: if index > 0 {
                "Read as the chart before it, with the same axis of times"
            } else {
                CAPTION
            }
            .to_owned(),
            x: About {
                label: "seconds of the measuring".to_owned(),
                scale: Scale::Even,
                unit: Unit::Seconds,
            },
            y: About { label: "reply time (logarithmic)".to_owned(), scale: Scale::Log, unit: Unit::Nanos },
            lines: FIGURES.iter().enumerate().map(line).collect(),
            reach: reach.clone(),
            data: table(points),
        })
    };
    shown.iter().enumerate().map(chart).collect()
}

/// Throughput of all servers.
pub(in crate::report::html) fn rate(subjects: &[(&str, Vec<&Trial>)]) -> Vec<Chart> {
    let shown = shown(subjects);
    let reach: Vec<f64> = shown.iter().flat_map(|(_, points)| points.iter().map(per_second)).collect();
    let chart = |some: &[(&str, Vec<Interval>)]| {
        let line = |(slot, (name, points)): (usize, &(&str, Vec<Interval>))| Line {
            name: (*name).to_owned(),
            slot,
            dash: Dash::Solid,
            points: points.iter().map(|point| (middle(point), per_second(point))).collect(),
        };
        lines::chart(Lines {
            title: "Throughput as time went by".to_owned(),
            caption: "A steady server is a flat line; a dip is a moment in which it, the client or the machine stood still"
                .to_owned(),
            x: About { label: "seconds of the measuring".to_owned(), scale: Scale::Even, unit: Unit::Seconds },
            y: About { label: "right replies".to_owned(), scale: Scale::Even, unit: Unit::PerSecond },
            lines: some.iter().enumerate().map(line).collect(),
            reach: reach.clone(),
            // each server's own chart has the figures
            data: Data::default(),
        })
    };
    shown.chunks(SLOTS).map(chart).collect()
}

fn shown<'a>(subjects: &[(&'a str, Vec<&Trial>)]) -> Vec<(&'a str, Vec<Interval>)> {
    let points =
        |trials: &Vec<&Trial>| Some(condensed(middle_trial(trials)?.client.as_ref()?.intervals.clone()));
    let shown = subjects.iter().filter_map(|(name, trials)| Some((*name, points(trials)?)));
    shown.filter(|(_, points)| points.len() >= FEWEST).collect()
}

/// By throughput; of an even number the lower of the two.
fn middle_trial<'a>(trials: &[&'a Trial]) -> Option<&'a Trial> {
    let rate = |trial: &&Trial| trial.client.as_ref().map_or(0.0, |client| client.requests_per_second);
    let mut sorted = trials.to_vec();
    sorted.sort_by(|a, b| rate(a).total_cmp(&rate(b)));
    sorted.get(sorted.len().checked_sub(1)? / 2).copied()
}

/// At most [`MOST`] points, without a last one that is much shorter than the others: its rate would say nothing.
fn condensed(mut points: Vec<Interval>) -> Vec<Interval> {
    if let [first, .., before, last] = points.as_slice()
        && last.to - last.from < (first.to - first.from) / 2.0
    {
        let end = joined(before, last);
        points.truncate(points.len() - 2);
        points.push(end);
    }
    while points.len() > MOST {
        let pair = |two: &[Interval]| if let [a, b] = two { joined(a, b) } else { two[0] };
        points = points.chunks(2).map(pair).collect();
    }
    points
}

fn joined(a: &Interval, b: &Interval) -> Interval {
    Interval {
        from: a.from,
        to: b.to,
        ok: a.ok + b.ok,
        errors: a.errors + b.errors,
        p50: a.p50.max(b.p50),
        p99: a.p99.max(b.p99),
        max: a.max.max(b.max),
    }
}

fn middle(point: &Interval) -> f64 {
    f64::midpoint(point.from, point.to)
}

fn per_second(point: &Interval) -> f64 {
    point.ok as f64 / (point.to - point.from).max(1e-9)
}

fn table(points: &[Interval]) -> Data {
    let heads = ["from", "to", "throughput", "failed connections", "p50", "p99", "longest"];
    let row = |point: &Interval| {
        let time = |nanos: u64| Unit::Nanos.show(nanos as f64);
        let mut row = vec![Unit::Seconds.show(point.from), Unit::Seconds.show(point.to)];
        row.extend([Unit::PerSecond.show(per_second(point)), point.errors.to_string()]);
        row.extend([point.p50, point.p99, point.max].map(time));
        row
    };
    Data { heads: heads.map(str::to_owned).to_vec(), rows: points.iter().map(row).collect() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_many_points_neighbours_become_one_and_nothing_is_lost() {
        let point = |n: u32| Interval {
            from: f64::from(n),
            to: f64::from(n + 1),
            ok: 3,
            errors: 1,
            p50: 5,
            p99: u64::from(n),
            max: u64::from(n),
        };
        let points = condensed((0..599).map(point).collect());
        assert!(points.len() <= MOST);
        assert_eq!((points[0].from, points.last().unwrap().to), (0.0, 599.0));
        assert_eq!(points.iter().map(|p| p.ok).sum::<u64>(), 3 * 599);
        assert_eq!(points.iter().map(|p| p.max).max(), Some(598));
    }

    /// The last reply comes a moment after the last step: that moment is no dip.
    #[test]
    fn a_last_moment_belongs_to_the_step_before_it() {
        let step = |from: f64, to: f64, ok: u64| Interval { from, to, ok, errors: 0, p50: 1, p99: 1, max: 1 };
        let points = condensed(vec![step(0.0, 1.0, 10), step(1.0, 2.0, 10), step(2.0, 2.001, 0)]);
        assert_eq!(points, [step(0.0, 1.0, 10), step(1.0, 2.001, 10)]);
    }
}

//! What only experiments measure: a chart of bars for each figure, and lines over what an experiment changes.
//!
//! How: a figure's name says what it is and in which unit, so a new one gets its chart by being there. An experiment
//! that changes one thing from load to load (the rate, the idle connections, the connections) gets a line for each server
//! over that thing: the overload curve and the memory slope are two of them. Where it breaks: a figure whose name has no
//! unit is shown as a plain number.

use std::collections::BTreeSet;

use super::axis::{About, Scale};
use super::bars::{self, Bars};
use super::lines::{self, Line, Lines};
use super::overview::{bars_of, with_range};
use super::paint::{Dash, SLOTS};
use super::{Chart, Data};
use crate::plan::Arrivals;
use crate::report::Report;
use crate::report::data::{Figure, NamedLoad};
use crate::report::html::words::Unit;
use crate::report::summary::{Row, Spread};

/// Fewer different values are no line.
const FEWEST: usize = 2;

/// A chart for each figure of these trials.
pub(in crate::report::html) fn figures(rows: &[&Row]) -> Vec<Chart> {
    let found: BTreeSet<Figure> = rows.iter().flat_map(|row| row.figures.keys().copied()).collect();
    let chart = |figure: Figure| {
        let (title, unit) = named(figure);
        let bars = bars_of(rows, |row| row.figures.get(&figure).copied());
        bars::chart(Bars { title, caption: with_range(rows, "What this experiment is about"), unit, bars })
    };
    found.into_iter().filter_map(chart).collect()
}

/// The figure in words, and its unit, both from its name in the JSON report.
fn named(figure: Figure) -> (String, Unit) {
    let name = serde_json::to_value(figure).ok().and_then(|name| name.as_str().map(str::to_owned));
    from_name(&name.unwrap_or_default())
}

fn from_name(name: &str) -> (String, Unit) {
    // the word that tells the unit, and whether the title is better without it
    let units = [
        ("ns", Unit::Nanos, true),
        ("us", Unit::Micros, true),
        ("ms", Unit::Millis, true),
        ("seconds", Unit::Seconds, true),
        ("percent", Unit::Percent, true),
        ("bytes", Unit::Bytes, false),
        ("share", Unit::Share, false),
        ("jain", Unit::Index, false),
    ];
    let (name, rate) = name.strip_suffix("_per_second").map_or((name, false), |name| (name, true));
    let known = units.into_iter().find(|(word, ..)| name.split('_').any(|part| part == *word));
    let kept = |part: &&str| !known.is_some_and(|(word, _, drop)| drop && *part == word);
    let mut words = name.split('_').filter(kept).collect::<Vec<_>>().join(" ");
    if let Some(first) = words.get_mut(..1) {
        first.make_ascii_uppercase();
    }
    let unit = known.map_or(Unit::Count, |(_, unit, _)| unit);
    (words, if rate { Unit::PerSecond } else { unit })
}

/// The figure of a row that is in its table as well.
type Median = fn(&Row) -> Option<Spread>;
/// What a chart shows of a row.
type Value<'a> = Box<dyn Fn(&Row) -> Option<f64> + 'a>;

/// Lines over what changes from load to load; none if nothing does.
pub(in crate::report::html) fn curves(report: &Report, loads: &[&NamedLoad]) -> Vec<Chart> {
    let Some((x, at)) = changing(loads) else { return Vec::new() };
    let medians: [(&str, Scale, Unit, Median); 4] = [
        ("Requests answered", Scale::Even, Unit::PerSecond, |row| row.requests_per_second),
        ("Reply time, p99", Scale::Log, Unit::Nanos, |row| row.p99),
        ("Server CPU per request", Scale::Even, Unit::Micros, |row| row.cpu_us_per_request),
        ("Server memory per connection", Scale::Even, Unit::Bytes, |row| row.memory_per_connection),
    ];
    let mut wanted: Vec<(String, Scale, Unit, Value)> = Vec::new();
    for (title, scale, unit, of) in medians {
        wanted.push((
            title.to_owned(),
            scale,
            unit,
            Box::new(move |row| of(row).map(|spread| spread.median)),
        ));
    }
    let names: Vec<&str> = loads.iter().map(|load| load.name.as_str()).collect();
    let within = |row: &&Row| names.contains(&row.workload.as_str());
    let found: BTreeSet<Figure> =
        report.summary.iter().filter(within).flat_map(|row| row.figures.keys().copied()).collect();
    for figure in found {
        let (title, unit) = named(figure);
        wanted.push((
            title,
            Scale::Even,
            unit,
            Box::new(move |row| row.figures.get(&figure).map(|spread| spread.median)),
        ));
    }
    let mut charts = Vec::new();
    for (title, scale, unit, of) in &wanted {
        let y = About { label: title.clone(), scale: *scale, unit: *unit };
        let lines: Vec<Line> = report
            .subjects
            .iter()
            .enumerate()
            .map(|(slot, subject)| Line {
                name: subject.name.clone(),
                slot: slot % SLOTS,
                dash: Dash::Solid,
                points: points(report, loads, at, &subject.name, of),
            })
            .filter(|line| line.points.len() >= FEWEST)
            .collect();
        charts.extend(lines.chunks(SLOTS).map(|some| {
            let mut some = some.to_vec();
            // what is answered of what is offered: the line that nothing can be above
            if x.unit == Unit::PerSecond && *unit == Unit::PerSecond {
                some.extend(as_offered(&some));
            }
            curve(&some, &x, &y)
        }));
    }
    charts
}

fn as_offered(lines: &[Line]) -> Option<Line> {
    let offered = || lines.iter().flat_map(|line| line.points.iter().map(|(x, _)| *x));
    let (low, high) = (offered().reduce(f64::min)?, offered().reduce(f64::max)?);
    let points = vec![(low, low), (high, high)];
    Some(Line { name: "as offered".to_owned(), slot: 5, dash: Dash::Dotted, points })
}

/// One chart of points over what changes: the overload curve, the memory slope.
fn curve(lines: &[Line], x: &About, y: &About) -> Chart {
    let places: BTreeSet<u64> =
        lines.iter().flat_map(|line| line.points.iter().map(|(x, _)| x.to_bits())).collect();
    let row = |bits: &u64| {
        let at = f64::from_bits(*bits);
        let cell = |line: &Line| {
            line.points
                .iter()
                .find(|(x, _)| *x == at)
                .map_or("-".to_owned(), |(_, value)| y.unit.show(*value))
        };
        std::iter::once(x.unit.show(at)).chain(lines.iter().map(cell)).collect()
    };
    let heads = std::iter::once(x.label.clone()).chain(lines.iter().map(|line| line.name.clone()));
    let data = Data { heads: heads.collect(), rows: places.iter().map(row).collect() };
    lines::chart(Lines {
        title: format!("{} over {}", y.label, x.label),
        caption: "One line for each server, one point for each load: the median over its trials".to_owned(),
        x: x.clone(),
        y: y.clone(),
        lines: lines.to_vec(),
        reach: Vec::new(),
        data,
    })
}

fn points(report: &Report, loads: &[&NamedLoad], at: OfLoad, subject: &str, of: &Value) -> Vec<(f64, f64)> {
    let mut points: Vec<(f64, f64)> = loads
        .iter()
        .filter_map(|load| {
            let row =
                report.summary.iter().find(|row| row.workload == load.name && row.subject == subject)?;
            // those that were held, where it is known: fewer than were asked for, if the server does not take more
            let held = row.figures.get(&Figure::IdleHeld).filter(|_| load.load.bystanders.idle > 0);
            Some((held.map_or_else(|| at(load), |held| held.median), of(row)?))
        })
        .collect();
    points.sort_by(|a, b| a.0.total_cmp(&b.0));
    points
}

/// A number of a load.
type OfLoad = fn(&NamedLoad) -> f64;

/// The one thing in which these loads differ.
fn changing(loads: &[&NamedLoad]) -> Option<(About, OfLoad)> {
    let rate = |load: &NamedLoad| match load.load.arrivals {
        Arrivals::AtRate(rate) => f64::midpoint(rate.from, rate.to),
        Arrivals::AfterReply | Arrivals::OfKnee { .. } => 0.0,
    };
    let share = |load: &NamedLoad| match load.load.arrivals {
        Arrivals::OfKnee { share, .. } => share,
        _ => 0.0,
    };
    let idle = |load: &NamedLoad| load.load.bystanders.idle as f64;
    let connections = |load: &NamedLoad| load.load.connections as f64;
    let choices: [(&str, Unit, OfLoad); 4] = [
        ("load offered, of what it did in a closed loop", Unit::Share, share),
        ("requests offered", Unit::PerSecond, rate),
        ("idle connections", Unit::Count, idle),
        ("connections", Unit::Count, connections),
    ];
    let differ =
        |of: OfLoad| loads.iter().map(|load| of(load).to_bits()).collect::<BTreeSet<_>>().len() >= FEWEST;
    let (label, unit, of) = choices.into_iter().find(|(.., of)| differ(*of))?;
    Some((About { label: label.to_owned(), scale: Scale::Even, unit }, of))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_figure_is_named_by_its_name() {
        assert_eq!(from_name("idle_held"), ("Idle held".to_owned(), Unit::Count));
        assert_eq!(from_name("recovery_seconds"), ("Recovery".to_owned(), Unit::Seconds));
        assert_eq!(from_name("offered_per_second"), ("Offered".to_owned(), Unit::PerSecond));
        assert_eq!(from_name("cpu_us_above_iterative"), ("Cpu above iterative".to_owned(), Unit::Micros));
        assert_eq!(from_name("bytes_per_idle"), ("Bytes per idle".to_owned(), Unit::Bytes));
        assert_eq!(from_name("unsent_percent"), ("Unsent".to_owned(), Unit::Percent));
        assert_eq!(named(Figure::IdleHeld).0, "Idle held");
    }
}

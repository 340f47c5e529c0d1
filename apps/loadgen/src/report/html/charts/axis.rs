//! Where values stand on an axis, and which of them are named there.
//!
//! How: all charts are drawn in even steps; an axis puts a value where its scale wants it. So what the charting library
//! knows of logarithms does not matter, and the percentiles' own scale is one of three. Bound: at most
//! [`MOST_TICKS`] names.

use std::ops::Range;

use plotters::coord::ranged1d::{KeyPointHint, NoDefaultFormatting, ValueFormatter};
use plotters::prelude::Ranged;

use crate::report::html::words::Unit;

/// More names would run into each other on a phone.
const MOST_TICKS: usize = 7;

/// How values are spread over an axis.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::report::html) enum Scale {
    /// Evenly, from zero.
    Even,
    /// Ten times as much is one step more.
    Log,
    /// HDR's: the share that is slower, ten times less of it being one step more. Values are shares from 0 to 1.
    Nines,
}

/// What an axis is about.
#[derive(Debug, Clone)]
pub(in crate::report::html) struct About {
    pub(in crate::report::html) label: String,
    pub(in crate::report::html) scale: Scale,
    pub(in crate::report::html) unit: Unit,
}

/// An axis that all values fit on.
#[derive(Debug, Clone)]
pub(super) struct Axis {
    scale: Scale,
    /// Its ends, as places.
    from: f64,
    to: f64,
    /// Places and their names.
    ticks: Vec<(f64, String)>,
}

impl Scale {
    /// The place of a value. What a logarithm does not have is placed at its lower end.
    pub(super) fn place(self, value: f64) -> f64 {
        match self {
            Self::Even => value,
            Self::Log => value.max(1e-12).log10(),
            Self::Nines => -(1.0 - value).max(1e-12).log10(),
        }
    }
}

impl Axis {
    /// Wide enough for these values.
    pub(super) fn of(about: &About, values: impl Iterator<Item = f64>) -> Self {
        let (mut low, mut high) = (f64::INFINITY, f64::NEG_INFINITY);
        for value in values.filter(|value| value.is_finite()) {
            (low, high) = (low.min(value), high.max(value));
        }
        if low > high {
            (low, high) = (1.0, 1.0);
        }
        let show = |value: f64| about.unit.brief(value);
        match about.scale {
            Scale::Even => even(high, about.unit == Unit::Bytes, &show),
            Scale::Log => log(low, high, &show),
            Scale::Nines => nines(high),
        }
    }

    pub(super) fn place(&self, value: f64) -> f64 {
        self.scale.place(value)
    }
}

/// What the charting library wants of an axis; its values are our places.
impl Ranged for Axis {
    type FormatOption = NoDefaultFormatting;
    type ValueType = f64;

    fn map(&self, place: &f64, (first, last): (i32, i32)) -> i32 {
        let share = (place - self.from) / (self.to - self.from);
        first + (share * f64::from(last - first)).round() as i32
    }

    fn key_points<Hint: KeyPointHint>(&self, hint: Hint) -> Vec<f64> {
        // faint lines in between are not wanted
        if hint.bold_points() == 0 { Vec::new() } else { self.ticks.iter().map(|(at, _)| *at).collect() }
    }

    fn range(&self) -> Range<f64> {
        self.from..self.to
    }
}

/// The name of a place; empty for one that has none.
impl ValueFormatter<f64> for Axis {
    fn format(place: &f64) -> String {
        place.to_string()
    }

    fn format_ext(&self, place: &f64) -> String {
        let found = self.ticks.iter().find(|(at, _)| (at - place).abs() < 1e-9);
        found.map(|(_, name)| name.clone()).unwrap_or_default()
    }
}

fn even(high: f64, binary: bool, show: &dyn Fn(f64) -> String) -> Axis {
    let to = if high > 0.0 { high * 1.05 } else { 1.0 };
    // sizes are named in powers of 1024, so their round values are others
    let base = if binary { 1024_f64.powf(to.log(1024.0).floor().max(0.0)) } else { 1.0 };
    let step = step(to / base, 5) * base;
    let ticks = (0..=5).map(|n| f64::from(n) * step).filter(|at| *at <= to);
    Axis { scale: Scale::Even, from: 0.0, to, ticks: ticks.map(|at| (at, show(at))).collect() }
}

/// 1, 2 or 5 times a power of ten, so that at most `most` of them fit.
fn step(length: f64, most: u32) -> f64 {
    let power = 10_f64.powf((length / f64::from(most)).log10().floor());
    let fits = |step: &f64| length / step <= f64::from(most);
    [1.0, 2.0, 5.0, 10.0].map(|factor| factor * power).into_iter().find(fits).unwrap_or(power * 10.0)
}

fn log(low: f64, high: f64, show: &dyn Fn(f64) -> String) -> Axis {
    let low = if low > 0.0 { low } else { (high / 1e3).max(1e-3) };
    let high = high.max(low);
    // never flat: a line of one height stands in the middle
    let margin = ((high / low).log10() * 0.06).max(0.12);
    let (from, to) = (low.log10() - margin, high.log10() + margin);
    let within = |factors: &[f64], every: i32| {
        let powers = (from.floor() as i32..=to.ceil() as i32).filter(|power| power % every == 0);
        powers
            .flat_map(|power| factors.iter().map(move |factor| factor * 10_f64.powi(power)))
            .filter(|value| (from..=to).contains(&value.log10()))
            .collect::<Vec<_>>()
    };
    let choices = [
        within(&[1.0, 1.5, 2.0, 3.0, 5.0, 7.0], 1),
        within(&[1.0, 2.0, 5.0], 1),
        within(&[1.0, 3.0], 1),
        within(&[1.0], 1),
        within(&[1.0], 2),
    ];
    let chosen = choices.into_iter().find(|values| values.len() <= MOST_TICKS).unwrap_or_default();
    let ticks = chosen.into_iter().map(|value| (value.log10(), show(value))).collect();
    Axis { scale: Scale::Log, from, to, ticks }
}

fn nines(high: f64) -> Axis {
    let to = Scale::Nines.place(high).max(1.0) * 1.02;
    let names = [
        (0.5, "50 %"),
        (0.9, "90 %"),
        (0.99, "99 %"),
        (0.999, "99.9 %"),
        (0.9999, "99.99 %"),
        (0.99999, "99.999 %"),
        (0.999_999, "99.9999 %"),
    ];
    // beyond six nines every other name is left out: they are long
    let every = if to > 6.0 { 2 } else { 1 };
    let ticks = names
        .into_iter()
        .enumerate()
        .filter(|(index, _)| *index == 0 || (index - 1) % every == 0)
        .map(|(_, (share, name))| (Scale::Nines.place(share), name.to_owned()))
        .filter(|(at, _)| *at <= to)
        .collect();
    Axis { scale: Scale::Nines, from: 0.0, to, ticks }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn axis(scale: Scale, values: &[f64]) -> Axis {
        Axis::of(&About { label: "x".into(), scale, unit: Unit::Count }, values.iter().copied())
    }

    #[test]
    fn an_even_axis_begins_at_zero_and_names_round_values() {
        let axis = axis(Scale::Even, &[3.0, 96.0]);
        let names: Vec<&str> = axis.ticks.iter().map(|(_, name)| name.as_str()).collect();
        assert_eq!((axis.from, names), (0.0, vec!["0", "50", "100"]));
    }

    #[test]
    fn nine_tenths_are_one_step_and_each_nine_one_more() {
        let axis = axis(Scale::Nines, &[0.9999]);
        let places: Vec<f64> = axis.ticks.iter().map(|(at, _)| (at * 10.0).round() / 10.0).collect();
        assert_eq!(places, [0.3, 1.0, 2.0, 3.0, 4.0]);
    }

    proptest! {
        #[test]
        fn every_value_is_on_the_axis_and_names_are_few(
            values in prop::collection::vec(0.0_f64..1e12, 0..20), log in any::<bool>()
        ) {
            let axis = axis(if log { Scale::Log } else { Scale::Even }, &values);
            prop_assert!(axis.from < axis.to && axis.ticks.len() <= MOST_TICKS, "{axis:?}");
            for value in values.iter().filter(|value| **value > 1e-9) {
                prop_assert!((axis.from..=axis.to).contains(&axis.place(*value)), "{value} {axis:?}");
            }
        }
    }
}

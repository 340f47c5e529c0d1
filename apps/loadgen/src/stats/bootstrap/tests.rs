//! The bootstrap against figures whose truth is known.

use proptest::prelude::*;

use super::*;
use crate::stats::ratios::{NOISE, Shown, shown};

/// Reports that are made up for each kind of noise.
const REPORTS: usize = 1_000;
/// The ratios of one report, four figures of two loads less one, and as how many each of them has to hold.
const TOGETHER: [usize; 7] = [4, 4, 10, 10, 10, 10, 10];

impl Random {
    /// From 0 to 1.
    fn share(&mut self) -> f64 {
        (self.number() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// Normal, by Box and Muller.
    fn normal(&mut self) -> f64 {
        (-2.0 * (1.0 - self.share()).ln()).sqrt() * (std::f64::consts::TAU * self.share()).cos()
    }
}

/// One way in which a machine spoils figures: the figure of the trial that is the `turn`-th of all.
type Spoil = fn(&mut Random, usize) -> f64;

const SPOILS: [(&str, Spoil); 9] = [
    ("steady", |r, _| 10.0 * (0.02 * r.normal()).exp()),
    ("noisy", |r, _| 10.0 * (0.15 * r.normal()).exp()),
    ("drifting", |r, turn| (10.0 + turn as f64) * (0.03 * r.normal()).exp()),
    ("skewed", |r, _| 10.0 + 10.0 * (1.2 * r.normal()).exp()),
    ("very skewed", |r, _| (2.0 * r.normal()).exp()),
    ("now and then far off", |r, _| if r.share() < 0.1 { 100.0 } else { 10.0 } * (0.02 * r.normal()).exp()),
    ("of two kinds", |r, _| if r.share() < 0.5 { 10.0 } else { 14.0 } * (0.01 * r.normal()).exp()),
    ("even", |r, _| 8.0 + 4.0 * r.share()),
    ("of a coarse clock", |r, _| (10.0 * (0.2 * r.normal()).exp()).round()),
];

/// The figures of two servers that take turns as in a comparison: each second trial in the order that is the reverse
/// of the one before.
fn trials(random: &mut Random, spoil: Spoil, trials: usize, factor: f64) -> (Vec<f64>, Vec<f64>) {
    let (mut above, mut below) = (vec![], vec![]);
    let mut first = false;
    for turn in 0..trials {
        first = if turn % 2 == 0 { random.share() < 0.5 } else { !first };
        let (a, b) = if first { (0, 1) } else { (1, 0) };
        above.push(spoil(random, 2 * turn + a).max(0.01) * factor);
        below.push(spoil(random, 2 * turn + b).max(0.01));
    }
    (above, below)
}

/// Whether a difference may be claimed. No side is shorter than Student's, so where that one holds 1 the bootstrap
/// need not be made: there are thousands of reports to look at.
fn claimed(above: &[f64], below: &[f64], together: usize, seed: u64) -> bool {
    let logs: Vec<f64> = above.iter().zip(below).map(|(a, b)| (a / b).ln()).collect();
    let t = student::two_sided(MISSES / together as f64, logs.len() - 1);
    if mean(&logs).unwrap().abs() <= t * standard_error(&logs) {
        return false;
    }
    let estimate = paired(above, below, together, seed).unwrap();
    matches!(shown(&estimate, above.len(), NOISE), Shown::More | Shown::Less)
}

/// The share of reports in which a difference is claimed anywhere.
fn reports_with_a_claim(spoil: Spoil, count: usize) -> f64 {
    let mut random = Random::new(0x5eed);
    let with = (0..REPORTS).filter(|report| {
        let claims = TOGETHER.iter().filter(|together| {
            let (above, below) = trials(&mut random, spoil, count, 1.0);
            claimed(&above, &below, **together, *report as u64)
        });
        claims.count() > 0
    });
    with.count() as f64 / REPORTS as f64
}

/// In at least 19 of 20 comparisons of a program with itself nothing is claimed, whatever the machine does.
#[test]
fn the_same_program_under_two_names_shows_no_difference() {
    for (name, spoil) in SPOILS {
        for count in [3, 4, 5, 6, 10] {
            let wrong = reports_with_a_claim(spoil, count);
            assert!(wrong <= 0.04, "{name}, {count} trials: a difference in {wrong} of the reports");
        }
    }
}

#[test]
fn a_difference_of_a_tenth_is_found_in_figures_that_are_off_by_two_hundredths() {
    let mut random = Random::new(0x5eed);
    for (count, together, least) in
        [(5, 2, 0.95), (5, 4, 0.85), (5, 10, 0.7), (6, 4, 0.95), (6, 10, 0.9), (10, 110, 0.95)]
    {
        let found = (0..REPORTS).filter(|report| {
            let (above, below) = trials(&mut random, SPOILS[0].1, count, 1.1);
            claimed(&above, &below, together, *report as u64)
        });
        let power = found.count() as f64 / REPORTS as f64;
        assert!(power >= least, "{count} trials, {together} together: only {power}");
    }
}

/// A single interval holds the truth as often as it says.
#[test]
fn an_interval_holds_the_truth() {
    let mut random = Random::new(7);
    for count in [5, 8] {
        let holds = (0..REPORTS).filter(|report| {
            let (above, below) = trials(&mut random, SPOILS[1].1, count, 1.3);
            let (low, high) = paired(&above, &below, 1, *report as u64).unwrap().interval.unwrap();
            let other = unpaired(&above, &below, 1, *report as u64).unwrap().interval.unwrap();
            (low..high).contains(&1.3) && (other.0..other.1).contains(&1.3)
        });
        let coverage = holds.count() as f64 / REPORTS as f64;
        assert!((0.95..0.995).contains(&coverage), "{count} trials: {coverage}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// The same seed gives the same interval; the ratio lies within it; the other way round it is the inverse.
    #[test]
    fn an_interval_is_about_its_ratio(
        figures in prop::collection::vec((0.01_f64..1e6, 0.01_f64..1e6), 1..12),
        together in 1_usize..100,
        seed: u64,
    ) {
        let (above, below): (Vec<f64>, Vec<f64>) = figures.into_iter().unzip();
        for estimate in [paired, unpaired] {
            let one = estimate(&above, &below, together, seed).unwrap();
            prop_assert_eq!(one, estimate(&above, &below, together, seed).unwrap());
            let inverse = estimate(&below, &above, together, seed).unwrap();
            prop_assert!((one.ratio * inverse.ratio - 1.0).abs() < 1e-9);
            prop_assert_eq!(one.interval.is_some(), above.len() >= FEWEST);
            if let Some((low, high)) = one.interval {
                prop_assert!(low <= one.ratio && one.ratio <= high);
            }
        }
    }
}

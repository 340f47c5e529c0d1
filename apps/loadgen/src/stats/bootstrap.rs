//! The ratio of two servers' figures, and how far it may be off: a seeded bootstrap, widened for few trials.
//!
//! How: trial k of one server and trial k of the other were made in the same shuffled turn, so they are a pair, and
//! what drifts from turn to turn is in both. The ratio of each pair is taken as a logarithm, and the ratio that is told
//! is their geometric mean: it is the same whichever server stands above the line (Fleming and Wallace, CACM 29(3),
//! 1986), and of five figures a mean has a bootstrap worth the name, where a median can only be one of the five. One
//! trial that went astray makes the interval wide, so that no difference is shown: the error is on the safe side.
//!
//! The pairs are drawn anew, with replacement, [`RESAMPLES`] times; the middle 95 % of the means are the percentile
//! interval. Of few figures that interval is too narrow: five figures that are distributed normally give 84 % instead
//! of 95 % (and the bias-corrected kind, BCa, "tends to severely under-cover": Owen, arXiv:2508.10083). So its two
//! sides are stretched by what Student's t with n − 1 degrees of freedom and the divisor n − 1 ask for, which is the
//! correction of Hesterberg ("What Teachers Should Know about the Bootstrap", arXiv:1411.5279, the expanded percentile
//! interval) made on the scale of the figures: there it also works where the extreme quantiles of five figures are not
//! to be had. And no side is ever shorter than Student's own: what the bootstrap may add is the side on which the
//! figures are skewed. Several intervals of one report are stretched further (Bonferroni), so that in 19 of 20 reports
//! *all* of them hold; [`super::Metric::together`] says by how much, and gives half of the room to the headline.
//!
//! If both are the same program, a pair's two figures could as well be exchanged, so the logarithms are symmetric
//! around 0, however skewed or drifting the figures are; and for symmetric figures with long tails Student's t errs on
//! the safe side (Benjamini, JASA 78, 1983).
//!
//! Cost: [`RESAMPLES`] × n additions a ratio. Where it breaks: figures of a few values only (a clock of 10 ms) can all
//! be alike by chance and then have no spread; that is what the noise threshold is for.

use super::student;
use crate::pace::random::Random;

/// Means that are drawn for one interval.
pub const RESAMPLES: usize = 10_000;
/// How often the intervals of a report, all together, are promised to hold the truth.
pub const CONFIDENCE: f64 = 0.95;
/// How often they may miss it if the figures are normal. The rest up to one in twenty is for figures that are not (with
/// those of two kinds only, one in eighteen was seen where one in twenty was asked for), and so that of any twenty
/// reports there is hardly ever more than one.
const MISSES: f64 = 0.03;
/// The tails of the percentile interval that is stretched.
const TAIL: f64 = 0.025;
/// From so many figures on the bootstrap is made; with fewer there is only Student's interval, which believes the
/// figures to be normal.
pub const ENOUGH: usize = 5;
/// With fewer figures there is no interval at all.
pub const FEWEST: usize = 3;
/// The middle 95 % of a normal distribution, in standard deviations.
const Z: f64 = 1.959_963_985;

/// A ratio and how far it may be off.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Estimate {
    /// The geometric mean of the ratios, or the ratio of the geometric means.
    pub ratio: f64,
    /// Both ends of the interval; `None`: too few figures.
    pub interval: Option<(f64, f64)>,
}

/// Of figures that belong together one by one: `above[k] / below[k]`. All must be over 0; `together` is the number of
/// intervals that are to hold at the same time. `None`: there is no pair.
#[must_use]
pub fn paired(above: &[f64], below: &[f64], together: usize, seed: u64) -> Option<Estimate> {
    let logs: Vec<f64> = above.iter().zip(below).map(|(a, b)| (a / b).ln()).collect();
    let count = logs.len();
    let mean = mean(&logs)?;
    let width = (count >= FEWEST).then(|| {
        let t = student::two_sided(MISSES / together.max(1) as f64, count - 1);
        let students = t * standard_error(&logs);
        if count < ENOUGH {
            return (students, students);
        }
        let mut random = Random::new(seed);
        let means = resampled(|| mean_of_some(&mut random, &logs));
        widened(mean, &means, t * unbiased(count), students)
    });
    Some(estimate(mean, width))
}

/// Of figures that were made at different times: one geometric mean by the other. The degrees of freedom are Welch's,
/// rounded down.
#[must_use]
pub fn unpaired(above: &[f64], below: &[f64], together: usize, seed: u64) -> Option<Estimate> {
    let logs = |figures: &[f64]| figures.iter().map(|figure| figure.ln()).collect::<Vec<f64>>();
    let (above, below) = (logs(above), logs(below));
    let mean = mean(&above)? - mean(&below)?;
    let fewest = above.len().min(below.len());
    let width = (fewest >= FEWEST).then(|| {
        let t = student::two_sided(MISSES / together.max(1) as f64, welch(&above, &below));
        let students = t * standard_error(&above).hypot(standard_error(&below));
        if fewest < ENOUGH {
            return (students, students);
        }
        let mut random = Random::new(seed);
        let means = resampled(|| mean_of_some(&mut random, &above) - mean_of_some(&mut random, &below));
        widened(mean, &means, t * unbiased(fewest), students)
    });
    Some(estimate(mean, width))
}

fn estimate(mean: f64, width: Option<(f64, f64)>) -> Estimate {
    let interval = width.map(|(below, above)| ((mean - below).exp(), (mean + above).exp()));
    Estimate { ratio: mean.exp(), interval }
}

fn mean(values: &[f64]) -> Option<f64> {
    (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
}

/// The standard error of the mean.
fn standard_error(values: &[f64]) -> f64 {
    let count = values.len() as f64;
    let mean = values.iter().sum::<f64>() / count;
    let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    (squares / (count - 1.0) / count).sqrt()
}

/// What the spread of resampled means is too small by.
fn unbiased(count: usize) -> f64 {
    (count as f64 / (count as f64 - 1.0)).sqrt()
}

/// The degrees of freedom of a difference of two means, after Welch and Satterthwaite.
fn welch(a: &[f64], b: &[f64]) -> usize {
    let (va, vb) = (standard_error(a).powi(2), standard_error(b).powi(2));
    let least = a.len().min(b.len()) - 1;
    let parts = va.powi(2) / (a.len() as f64 - 1.0) + vb.powi(2) / (b.len() as f64 - 1.0);
    let degrees = (va + vb).powi(2) / parts;
    // both without any spread: no division tells
    if degrees.is_finite() { (degrees as usize).max(least) } else { least }
}

fn resampled(mut draw: impl FnMut() -> f64) -> Vec<f64> {
    let mut means: Vec<f64> = (0..RESAMPLES).map(|_| draw()).collect();
    means.sort_by(f64::total_cmp);
    means
}

/// From the mean to both ends of the middle 95 %, stretched from a normal quantile to this one, and at least so long.
fn widened(mean: f64, means: &[f64], quantile: f64, least: f64) -> (f64, f64) {
    let tail = (RESAMPLES as f64 * TAIL) as usize;
    let (low, high) = (means[tail], means[RESAMPLES - 1 - tail]);
    let stretch = quantile / Z;
    (((mean - low) * stretch).max(least), ((high - mean) * stretch).max(least))
}

/// A mean of as many values as there are, drawn from them with replacement.
fn mean_of_some(random: &mut Random, values: &[f64]) -> f64 {
    let count = values.len() as u64;
    // the upper half of the product: as good as a remainder for so few values, and much cheaper
    let mut draw = || values[((u128::from(random.number()) * u128::from(count)) >> 64) as usize];
    (0..count).map(|_| draw()).sum::<f64>() / count as f64
}

#[cfg(test)]
mod tests;

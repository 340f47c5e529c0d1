//! Student's t: how much wider an interval has to be when the spread is known from a few figures only.
//!
//! How: the probability for a whole number of degrees of freedom is a finite sum (Abramowitz and Stegun, 26.7.3 and
//! 26.7.4), and the quantile is found by halving. Cost: 80 sums of half as many terms as there are degrees of freedom.
//! Where it breaks: beyond a quantile of a million, where only one or two degrees of freedom ever come.

use std::f64::consts::PI;

/// The largest quantile that is told.
const FARTHEST: f64 = 1e6;
/// Halvings: enough for the precision of the numbers.
const STEPS: usize = 80;

/// The value that is exceeded, to either side, with this probability together.
#[must_use]
pub fn two_sided(probability: f64, degrees: usize) -> f64 {
    let (mut low, mut high) = (0.0, FARTHEST);
    for _ in 0..STEPS {
        let middle = f64::midpoint(low, high);
        if 1.0 - within(middle, degrees.max(1)) > probability {
            low = middle;
        } else {
            high = middle;
        }
    }
    high
}

/// The probability of a value between `-t` and `t`.
fn within(t: f64, degrees: usize) -> f64 {
    let n = degrees as f64;
    let angle = (t / n.sqrt()).atan();
    let (sine, cosine) = angle.sin_cos();
    let odd = degrees % 2 == 1;
    // the terms of the sum: each is the one before, times cos² and a fraction
    let (mut term, mut sum) = if odd { (cosine, cosine) } else { (1.0, 1.0) };
    let terms = if odd { degrees.saturating_sub(1) / 2 } else { degrees / 2 };
    for k in 1..terms {
        let k = k as f64;
        let fraction = if odd { 2.0 * k / (2.0 * k + 1.0) } else { (2.0 * k - 1.0) / (2.0 * k) };
        term *= fraction * cosine * cosine;
        sum += term;
    }
    match (odd, degrees) {
        (true, 1) => 2.0 / PI * angle,
        (true, _) => 2.0 / PI * (angle + sine * sum),
        (false, _) => sine * sum,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// From the tables that everybody has.
    #[test]
    fn the_quantiles_are_those_of_the_tables() {
        for (probability, degrees, expected) in [
            (0.05, 1, 12.706),
            (0.05, 2, 4.303),
            (0.05, 3, 3.182),
            (0.05, 4, 2.776),
            (0.05, 5, 2.571),
            (0.01, 4, 4.604),
            (0.01, 9, 3.250),
            (0.001, 4, 8.610),
            (0.05, 30, 2.042),
            (0.05, 1000, 1.962),
        ] {
            let found = two_sided(probability, degrees);
            assert!(
                (found - expected).abs() < 0.001,
                "t({probability}, {degrees}) = {found}, not {expected}"
            );
        }
    }
}

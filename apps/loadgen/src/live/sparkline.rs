//! A row of blocks whose heights are times, on a logarithmic scale: pure.
//!
//! How: the lowest time has the lowest block and the highest the highest one, but a full height is never less than a
//! factor of ten, so that a run that is steady looks steady.

/// Heights, the lowest first.
const BLOCKS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
/// Likewise where the terminal has no such letters.
const LETTERS: [char; 8] = ['_', '.', '-', '=', '+', '*', '%', '#'];
/// The factor that a full height stands for, at least.
const FACTOR: f64 = 10.0;

/// A letter for each time; a space where there was none.
#[must_use]
pub fn sparkline(times: &[Option<u64>], unicode: bool) -> String {
    let letters = if unicode { BLOCKS } else { LETTERS };
    let known = || times.iter().flatten().map(|time| (*time).max(1) as f64);
    let low = known().fold(f64::INFINITY, f64::min);
    let high = known().fold(low * FACTOR, f64::max);
    let letter = |time: &Option<u64>| match time {
        None => ' ',
        Some(time) => {
            let share = ((*time).max(1) as f64 / low).ln() / (high / low).ln();
            letters[((share * 7.0).round() as usize).min(7)]
        }
    };
    times.iter().map(letter).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_steady_run_is_flat_and_a_jump_is_high() {
        assert_eq!(sparkline(&[Some(500), Some(510), Some(505)], true), "▁▁▁");
        assert_eq!(sparkline(&[Some(500), None, Some(50_000)], true), "▁ █");
        assert_eq!(sparkline(&[Some(100), Some(10_000), Some(1_000)], false), "_#+");
        assert_eq!(sparkline(&[None, None], true), "  ");
        assert_eq!(sparkline(&[], true), "");
    }

    proptest! {
        #[test]
        fn a_longer_time_is_never_lower(times in prop::collection::vec(any::<u64>(), 1..40)) {
            let line: Vec<char> = sparkline(&times.iter().copied().map(Some).collect::<Vec<_>>(), true).chars().collect();
            prop_assert_eq!(line.len(), times.len());
            for (one, a) in line.iter().zip(&times) {
                for (other, b) in line.iter().zip(&times) {
                    prop_assert!(a >= b || one <= other);
                }
            }
        }
    }
}

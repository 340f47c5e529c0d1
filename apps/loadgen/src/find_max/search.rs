//! Which rate to try next: pure, so that a server whose limit is known can test it.
//!
//! How: double while promises are kept, halve while they are not, and as soon as there is a rate on either side, take
//! the geometric middle, until the two are as near as asked for. Cost: some ten tries from 1 to 100,000. Where it
//! breaks: a server that keeps its promises at a higher rate and not at a lower one; then one of its limits is found.

/// The most tries, confirmations included.
pub const TRIES: usize = 40;
/// Below this many requests a second nothing is looked for.
pub const LEAST: f64 = 1.0;
/// Above this, neither: no loadgen sends so many.
pub const MOST: f64 = 100e6;

/// What is known so far.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Search {
    /// The highest rate at which the promises were kept.
    pub kept: Option<f64>,
    /// The lowest at which they were broken.
    pub broken: Option<f64>,
    start: f64,
    /// How near the two shall be: 0.05 = the one is at most 5 % above the other.
    precision: f64,
}

impl Search {
    /// Begins at this rate.
    #[must_use]
    pub fn new(start: f64, precision: f64) -> Self {
        Self { kept: None, broken: None, start: start.clamp(LEAST, MOST), precision }
    }

    /// The next rate to try; `None`: it is over.
    #[must_use]
    pub fn next(&self) -> Option<f64> {
        match (self.kept, self.broken) {
            (None, None) => Some(self.start),
            (Some(kept), None) => (kept < MOST).then(|| (kept * 2.0).min(MOST)),
            (None, Some(broken)) => (broken > LEAST).then(|| (broken / 2.0).max(LEAST)),
            (Some(kept), Some(broken)) => {
                (broken > kept * (1.0 + self.precision)).then(|| (kept * broken).sqrt())
            }
        }
    }

    /// What came of a try. A rate that was kept before and is broken now was luck: then it counts as broken.
    pub fn tell(&mut self, rate: f64, kept: bool) {
        if kept {
            self.kept = Some(self.kept.map_or(rate, |best| best.max(rate)));
        } else {
            self.broken = Some(self.broken.map_or(rate, |least| least.min(rate)));
            if self.kept.is_some_and(|best| best >= rate) {
                self.kept = None;
            }
        }
    }

    /// A little below a rate that was not confirmed.
    #[must_use]
    pub fn below(&self, rate: f64) -> f64 {
        (rate / (1.0 + self.precision)).max(LEAST)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn the_limit_is_found_from_anywhere(limit in 2.0_f64..1e7, start in 1.0_f64..1e7, precision in 0.01_f64..0.2) {
            let mut search = Search::new(start, precision);
            let mut tries = 0;
            while let Some(rate) = search.next() {
                search.tell(rate, rate <= limit);
                tries += 1;
                prop_assert!(tries <= TRIES, "{search:?}");
            }
            let kept = search.kept.unwrap();
            prop_assert!(kept <= limit && kept * (1.0 + precision) * 1.0001 >= limit, "{search:?} {limit}");
        }
    }

    #[test]
    fn a_server_that_keeps_nothing_has_no_rate() {
        let mut search = Search::new(1000.0, 0.05);
        let mut tries = 0;
        while let Some(rate) = search.next() {
            search.tell(rate, false);
            tries += 1;
        }
        assert_eq!((search.kept, tries < TRIES), (None, true));
    }
}

//! When each request of an open loop is due: fixed before the first one is sent, whatever the server does.
//!
//! How: the requests are numbered in the order of the whole schedule. Evenly spaced, thread `i` of `n` has the numbers
//! i, i+n, i+2n, …; at random, each thread draws its own gaps, `n` on average, and together that is the same law. The
//! rate turns a number into a time: the time by which so many requests are due. So one formula serves a constant rate
//! and one that rises or falls, and a thread needs no other. Cost: a square root a request, and a logarithm where
//! gaps are random; no memory, however long the run and however far behind. Where it breaks: with several threads a
//! request waits for a connection of its own thread, even if another thread's is free.

use super::random::Random;
use crate::plan::{Rate, Spacing};

/// Nanoseconds of a second.
const SECOND: f64 = 1e9;
/// Never: what a schedule that is over says.
pub const NEVER: u64 = u64::MAX;

/// The due times of one thread.
#[derive(Debug, Clone)]
pub struct Schedule {
    rate: Rate,
    /// The time in which the rate goes from one end to the other, in seconds.
    change: f64,
    thread: u64,
    threads: u64,
    begin: u64,
    end: u64,
    /// How many this thread has had.
    taken: u64,
    /// The present number, in requests of the whole schedule.
    number: f64,
    due: u64,
    random: Random,
}

impl Schedule {
    /// The share of `thread` (from 0) of `threads` in a schedule from `begin` to `end`, in nanoseconds. The rate
    /// changes evenly over that time, or stays as it begins if there is no end.
    #[must_use]
    pub fn new(rate: Rate, thread: usize, threads: usize, begin: u64, end: u64) -> Self {
        let change = if end == NEVER { 0.0 } else { end.saturating_sub(begin) as f64 / SECOND };
        // each thread has numbers of its own, and all of them follow from the one seed
        let seed = Random::new(rate.seed ^ (thread as u64).wrapping_mul(0x5851_f42d_4c95_7f2d)).number();
        let (thread, threads) = (thread as u64, threads.max(1) as u64);
        let random = Random::new(seed);
        let mut schedule =
            Self { rate, change, thread, threads, begin, end, taken: 0, number: 0.0, due: 0, random };
        schedule.find();
        schedule
    }

    /// A schedule without any request.
    #[must_use]
    pub fn over(rate: Rate) -> Self {
        Self::new(rate, 0, 1, 0, 0)
    }

    /// When the next request is due; [`NEVER`] after the last one.
    #[must_use]
    pub fn due(&self) -> u64 {
        self.due
    }

    /// On to the next one.
    pub fn advance(&mut self) {
        self.taken += 1;
        self.find();
    }

    /// How many were due before the end and have not been taken; at most `limit` are counted.
    #[must_use]
    pub fn left(&self, limit: u64) -> u64 {
        let mut rest = self.clone();
        while rest.due < rest.end && rest.taken - self.taken < limit {
            rest.advance();
        }
        rest.taken - self.taken
    }

    /// How many have been taken.
    #[must_use]
    pub fn taken(&self) -> u64 {
        self.taken
    }

    fn find(&mut self) {
        let index = self.taken * self.threads + self.thread;
        match self.rate.spacing {
            Spacing::Uniform => self.number = index as f64,
            Spacing::Burst(size) => self.number = (index - index % size.max(1)) as f64,
            Spacing::Poisson => self.number += self.random.exponential() * self.threads as f64,
        }
        let nanos = self.seconds_until(self.number) * SECOND;
        let due = if nanos.is_finite() { self.begin.saturating_add(nanos as u64) } else { NEVER };
        self.due = if due < self.end { due } else { NEVER };
    }

    /// The time by which so many requests are due.
    fn seconds_until(&self, number: f64) -> f64 {
        let Rate { from, to, .. } = self.rate;
        if number <= 0.0 {
            return 0.0;
        }
        let changing = f64::midpoint(from, to) * self.change;
        if number >= changing {
            // after the change, or there is none
            let rate = if self.change > 0.0 { to } else { from };
            return self.change + (number - changing) / rate;
        }
        // number = from·t + slope·t²/2, solved for t in the form that also holds when nothing changes
        let slope = (to - from) / self.change;
        2.0 * number / (from + (from * from + 2.0 * slope * number).max(0.0).sqrt())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn rate(from: f64, to: f64, spacing: Spacing) -> Rate {
        Rate { from, to, spacing, seed: 3 }
    }

    fn all(schedule: &Schedule, most: usize) -> Vec<u64> {
        let mut schedule = schedule.clone();
        let mut times = Vec::new();
        while schedule.due() != NEVER && times.len() < most {
            times.push(schedule.due());
            schedule.advance();
        }
        times
    }

    #[test]
    fn a_constant_rate_is_spaced_evenly_and_ends_in_time() {
        let times = all(&Schedule::new(rate(1000.0, 1000.0, Spacing::Uniform), 0, 1, 5, 5 + 10_000_000), 100);
        assert_eq!(times, (0..10).map(|k| 5 + k * 1_000_000).collect::<Vec<_>>());
    }

    #[test]
    fn bursts_come_together() {
        let times = all(&Schedule::new(rate(1000.0, 1000.0, Spacing::Burst(5)), 0, 1, 0, 10_000_000), 100);
        assert_eq!(times, [[0; 5], [5_000_000; 5]].concat());
    }

    #[test]
    fn a_rising_rate_sends_as_much_as_its_mean_says() {
        for (from, to) in [(0.0, 2000.0), (500.0, 1500.0), (2000.0, 0.0), (1000.0, 1000.0)] {
            let schedule = Schedule::new(rate(from, to, Spacing::Uniform), 0, 1, 0, 1_000_000_000);
            let times = all(&schedule, 5000);
            assert!(times.len().abs_diff(1000) <= 1, "{from}:{to} {}", times.len());
            let half = times.iter().filter(|t| **t < 500_000_000).count() as f64;
            let expected = (from + f64::midpoint(from, to)) / 2.0 * 0.5;
            assert!((half - expected).abs() <= 1.5, "{from}:{to} {half} {expected}");
        }
    }

    #[test]
    fn what_was_not_taken_is_known() {
        let mut schedule = Schedule::new(rate(1000.0, 1000.0, Spacing::Poisson), 0, 1, 0, 1_000_000_000);
        let whole = all(&schedule, 5000).len() as u64;
        for _ in 0..10 {
            schedule.advance();
        }
        assert_eq!((schedule.taken(), schedule.left(5000), schedule.left(7)), (10, whole - 10, 7));
    }

    proptest! {
        #[test]
        fn threads_together_have_the_whole_schedule(threads in 1_usize..6, per_second in 100_u32..5000, how in 0_usize..3) {
            let spacing = [Spacing::Uniform, Spacing::Poisson, Spacing::Burst(7)][how];
            let rate = rate(per_second.into(), per_second.into(), spacing);
            let share = |thread| all(&Schedule::new(rate, thread, threads, 0, 2_000_000_000), 100_000);
            let mut times: Vec<u64> = (0..threads).flat_map(share).collect();
            let count = times.len() as f64;
            let expected = f64::from(per_second) * 2.0;
            // five standard deviations of a Poisson count; the others are exact but for the last burst
            let allowed = if how == 1 { 5.0 * expected.sqrt() } else { 7.0 };
            prop_assert!((count - expected).abs() <= allowed, "{count} {expected}");
            times.sort_unstable();
            if how == 0 {
                let gap = 1e9 / f64::from(per_second);
                prop_assert!(times.windows(2).all(|pair| ((pair[1] - pair[0]) as f64 - gap).abs() < 2.0));
            }
        }

        #[test]
        fn the_same_seed_gives_the_same_schedule(seed in any::<u64>(), other in any::<u64>()) {
            let of = |seed| all(&Schedule::new(Rate { seed, ..rate(1e3, 2e3, Spacing::Poisson) }, 1, 2, 0, 100_000_000), 100);
            prop_assert_eq!(of(seed), of(seed));
            prop_assume!(seed != other);
            prop_assert_ne!(of(seed), of(other));
        }
    }
}

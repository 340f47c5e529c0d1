//! When something may happen: the next request, the next attempt to connect, the next look at the time limits.
//!
//! How: in a closed loop a connection may send as much as its pipeline has room for, as long as sending is on, the
//! connection is not used up and the total is not reached; in an open loop requests are due at fixed times
//! ([`schedule`]). Cost: nothing, or one shared atomic subtraction a request where a total was asked for. Where it breaks: a
//! closed loop slows down with its server, so its latencies are service times and say nothing about a load that does
//! not wait. Times are numbers passed in; no clock is read here.

pub mod random;
pub mod schedule;

use std::sync::atomic::{AtomicU64, Ordering};

/// The first pause before a failed connection is replaced; it doubles with every failure in a row.
const PAUSE_MIN: u64 = 1_000_000;
/// The longest pause: a dead server is asked once a second per connection, not in a storm.
const PAUSE_MAX: u64 = 1_000_000_000;

/// How many requests may still be sent, over all threads.
#[derive(Debug)]
pub struct Budget(Option<AtomicU64>);

impl Budget {
    /// `None`: as many as fit into the time.
    #[must_use]
    pub fn new(total: Option<u64>) -> Self {
        Self(total.map(AtomicU64::new))
    }

    /// Takes up to `wanted` and returns how many were left to take.
    #[must_use]
    pub fn take(&self, wanted: usize) -> usize {
        let Some(left) = &self.0 else { return wanted };
        let mut taken = 0;
        let _ = left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| {
            taken = left.min(wanted as u64);
            Some(left - taken)
        });
        taken as usize
    }

    /// Whether a total was asked for and nothing of it is left.
    #[must_use]
    pub fn used_up(&self) -> bool {
        self.0.as_ref().is_some_and(|left| left.load(Ordering::Relaxed) == 0)
    }
}

/// How many requests a connection may send now: `free` is the room in its pipeline, `sent` what it has sent so far,
/// `limit` after how many it is replaced.
#[must_use]
pub fn may_send(free: usize, sent: u64, limit: Option<u64>) -> usize {
    match limit {
        Some(limit) => free.min(usize::try_from(limit.saturating_sub(sent)).unwrap_or(usize::MAX)),
        None => free,
    }
}

/// How long to wait before a connection that has failed `failures` times in a row is replaced, in nanoseconds.
#[must_use]
pub fn pause_after(failures: u32) -> u64 {
    // ten doublings reach the longest pause; more would overflow
    (PAUSE_MIN << failures.saturating_sub(1).min(10)).min(PAUSE_MAX)
}

/// How often time limits are looked at: often enough to be at most 5 % late, seldom enough to cost nothing.
#[must_use]
pub fn sweep_interval(timeout: u64) -> u64 {
    (timeout / 20).clamp(2_000_000, 250_000_000)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_budget_is_given_out_exactly_once() {
        let budget = Budget::new(Some(1000));
        let taken: usize = std::thread::scope(|scope| {
            let takers: Vec<_> = (0..4)
                .map(|_| {
                    scope.spawn(|| {
                        let mut sum = 0;
                        while !budget.used_up() {
                            sum += budget.take(7);
                        }
                        sum
                    })
                })
                .collect();
            takers.into_iter().map(|taker| taker.join().unwrap()).sum()
        });
        assert_eq!(taken, 1000);
        assert_eq!(budget.take(1), 0);
    }

    #[test]
    fn without_a_total_there_is_no_limit() {
        let budget = Budget::new(None);
        assert_eq!(budget.take(usize::MAX), usize::MAX);
        assert!(!budget.used_up());
    }

    #[test]
    fn a_connection_sends_no_more_than_it_may() {
        assert_eq!(may_send(16, 0, None), 16);
        assert_eq!(may_send(16, 0, Some(1)), 1);
        assert_eq!(may_send(16, 9, Some(10)), 1);
        assert_eq!(may_send(16, 10, Some(10)), 0);
    }

    proptest! {
        #[test]
        fn pauses_grow_and_stay_bounded(failures in 1_u32..200) {
            prop_assert!(pause_after(failures) <= pause_after(failures + 1));
            prop_assert!((PAUSE_MIN..=PAUSE_MAX).contains(&pause_after(failures)));
        }
    }
}

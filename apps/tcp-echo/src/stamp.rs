//! A clock for time limits: coarse and nearly free.
//!
//! Limits are counted from the last sign of life, so a loop would ask for the time at each message. The kernel's coarse clock
//! moves once a tick (4 ms, mostly) and is read without touching a hardware counter.

use std::ops::Add;
use std::time::Duration;

use nix::time::{ClockId, clock_gettime};

/// A moment, in ms since the machine was started.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Stamp(u64);

impl Stamp {
    /// Now, or up to a tick ago.
    #[must_use]
    pub fn now() -> Self {
        // every Linux has this clock
        let now = clock_gettime(ClockId::CLOCK_MONOTONIC_COARSE).map_or(Duration::ZERO, Duration::from);
        Self(now.as_secs() * 1_000 + u64::from(now.subsec_millis()))
    }

    /// How long it is from now, which is given, to this moment; zero if it has passed.
    #[must_use]
    pub fn after(self, now: Self) -> Duration {
        Duration::from_millis(self.0.saturating_sub(now.0))
    }

    /// How many ms after the machine was started.
    #[must_use]
    pub fn since_boot(self) -> u64 {
        self.0
    }

    /// How many ms lie between two moments.
    #[must_use]
    pub fn ms_since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
}

impl Add<Duration> for Stamp {
    type Output = Self;
    /// Rounded up, so that a limit is never shorter than it was asked for.
    fn add(self, span: Duration) -> Self {
        let ms = u64::from(span.subsec_nanos().div_ceil(1_000_000));
        Self(self.0.saturating_add(span.as_secs().saturating_mul(1_000)).saturating_add(ms))
    }
}

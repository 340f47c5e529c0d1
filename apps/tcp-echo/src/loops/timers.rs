//! What a loop does by the clock: replies that wait for their simulated work, and time limits.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::{Duration, Instant};

use crate::stamp::Stamp;

/// The table of connections is not searched for expired time limits more often than this.
const SWEEP_EVERY: Duration = Duration::from_millis(5);

/// Replies that wait, by the time at which they have waited long enough. Bounded: a connection has at most one.
#[derive(Debug, Default)]
pub(crate) struct Naps(BinaryHeap<Reverse<(Instant, usize, u32)>>);

impl Naps {
    /// The connection with this key and birth number waits for so long.
    pub(crate) fn begin(&mut self, span: Duration, key: usize, birth: u32) {
        self.0.push(Reverse((Instant::now() + span, key, birth)));
    }

    /// How long it is until the next one is over.
    pub(crate) fn next(&self) -> Option<Duration> {
        self.0.peek().map(|Reverse((until, ..))| until.saturating_duration_since(Instant::now()))
    }

    /// One that is over: the key and birth number of its connection, which may be gone by now.
    pub(crate) fn take_over(&mut self) -> Option<(usize, u32)> {
        let Reverse((until, key, birth)) = *self.0.peek()?;
        if until > Instant::now() {
            return None;
        }
        self.0.pop();
        Some((key, birth))
    }
}

/// When the table has to be searched for connections whose time limit has passed: when the earliest one may have. So a limit
/// costs nothing while messages come and go; they only move it away.
#[derive(Debug, Default)]
pub(crate) struct Sweep(Option<Stamp>);

impl Sweep {
    /// A limit ends then.
    #[inline]
    pub(crate) fn not_later_than(&mut self, deadline: Option<Stamp>) {
        if let Some(deadline) = deadline {
            self.0 = Some(self.0.map_or(deadline, |at| at.min(deadline)));
        }
    }

    /// How long it is until the next one.
    pub(crate) fn next(&self) -> Option<Duration> {
        self.0.map(|at| at.after(Stamp::now()))
    }

    /// Whether to search now. Whoever does tells the limits that have not passed to [`Sweep::not_later_than`], and
    /// calls [`Sweep::ends`] in the end.
    pub(crate) fn begins(&mut self, now: Stamp) -> bool {
        let due = self.0.is_some_and(|at| at <= now);
        if due {
            self.0 = None;
        }
        due
    }

    /// The next search is not too soon.
    pub(crate) fn ends(&mut self, now: Stamp) {
        let soonest = now + SWEEP_EVERY;
        self.0 = self.0.map(|at| at.max(soonest));
    }
}

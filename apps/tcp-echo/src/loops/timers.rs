//! What a loop does by the clock: replies that wait for their simulated work, and time limits.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::io;
use std::os::fd::{AsFd, AsRawFd, RawFd};
use std::time::{Duration, Instant};

use nix::sys::time::TimeSpec;
use nix::sys::timerfd::{ClockId, Expiration, TimerFd, TimerFlags, TimerSetTimeFlags};

use crate::stamp::Stamp;

/// The table of connections is not searched for expired time limits more often than this.
const SWEEP_EVERY: Duration = Duration::from_millis(5);
/// The longest step of the coarse clock.
const TICK: Duration = Duration::from_millis(10);

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

    /// When the next one is.
    pub(crate) fn next(&self) -> Option<Stamp> {
        self.0
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

/// Wakes a loop for the next sweep. It is set once in a long while; a time limit on each wait would have the kernel start and
/// stop a timer each time the loop sleeps, a tenth of what a single message costs.
#[derive(Debug)]
pub(crate) struct Alarm {
    timer: TimerFd,
    rings_at: Option<Stamp>,
}

impl Alarm {
    /// One that does not ring yet.
    ///
    /// # Errors
    /// There is no descriptor left.
    pub(crate) fn new() -> io::Result<Self> {
        // (not TFD_NONBLOCK: a ring would then be told at once that there is nothing to read)
        let timer = TimerFd::new(ClockId::CLOCK_MONOTONIC, TimerFlags::TFD_CLOEXEC)?;
        Ok(Self { timer, rings_at: None })
    }

    /// Rings at this time, or before: then it is set again.
    #[inline]
    pub(crate) fn rings(&mut self, at: Option<Stamp>, now: Stamp) {
        if let Some(at) = at
            && self.rings_at.is_none_or(|set| at < set || set <= now)
        {
            self.set(at, now);
        }
    }

    #[cold]
    fn set(&mut self, at: Stamp, now: Stamp) {
        // the clock that limits are counted with may be a tick behind
        let span = TimeSpec::from_duration(at.after(now) + TICK);
        let told = self.timer.set(Expiration::OneShot(span), TimerSetTimeFlags::empty());
        // (refused it would be tried again at the next occasion)
        self.rings_at = told.is_ok().then_some(at);
    }
}

impl AsRawFd for Alarm {
    fn as_raw_fd(&self) -> RawFd {
        self.timer.as_fd().as_raw_fd()
    }
}

//! What there is to be shown of the trial that is under way: kept by the conductor's thread, bounded, no clock of its own.

use std::collections::VecDeque;
use std::time::Duration;

use crate::drive::phase::Phase;
use crate::drive::{Glance, Past};
use crate::measure::Class;
use crate::plan::Load;

/// Intervals that a sparkline shows.
pub const REMEMBERED: usize = 30;
/// Over so long a time the rate is taken where no interval is over yet.
const RATE_SPAN: Duration = Duration::from_millis(900);

/// One interval, as far as it is shown.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Shown {
    /// Right replies a second.
    pub rate: f64,
    /// Half of the replies took no longer, in nanoseconds; `None`: there were none.
    pub times: Option<Times>,
}

/// Reply times of an interval, in nanoseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Times {
    /// Half took no longer.
    pub p50: u64,
    /// 99 % took no longer.
    pub p99: u64,
    /// The longest.
    pub max: u64,
}

impl Shown {
    /// The figures of an interval.
    #[must_use]
    pub fn of(past: &Past<'_>) -> Self {
        let reply = &past.window.reply;
        let times = || Times { p50: reply.at(0.5), p99: reply.at(0.99), max: reply.at(1.0) };
        Self {
            rate: past.window.ok as f64 / past.length().as_secs_f64().max(1e-9),
            times: (past.window.ok > 0).then(times),
        }
    }
}

/// The trial that is under way, and how far the whole work is.
#[derive(Debug, Clone, Default)]
pub struct State {
    /// `127.0.0.1:12000` or `3/30 thread · persistent`.
    pub what: String,
    /// What the client threads do; `None`: nothing is heard of them yet.
    pub phase: Option<Phase>,
    /// Connections that were asked for.
    pub connections: usize,
    /// Connections that were made.
    pub established: u64,
    /// Failed connections of each class that has any.
    pub failures: Vec<(Class, u64)>,
    /// The last intervals, the oldest first; at most [`REMEMBERED`].
    pub intervals: VecDeque<Shown>,
    /// Requests a second before the first interval is over.
    pub rate: Option<f64>,
    /// Where a number of requests was asked for: how many, and how many replies of the measured time are known of.
    pub requests: Option<(u64, u64)>,
    /// Of all work, trials of others included.
    pub whole: Duration,
    /// So much of it is behind us.
    pub done: Duration,
    /// Replies, and when they were counted: what the rate is taken from.
    pub(super) counted: Option<(Duration, u64)>,
}

impl State {
    /// Another trial begins.
    pub fn begin(&mut self, what: String, load: &Load) {
        *self = Self {
            what,
            connections: load.connections,
            requests: load.total().map(|total| (total, 0)),
            whole: self.whole,
            done: self.done,
            ..Self::default()
        };
    }

    /// How far the trial is, `done` after the beginning of all.
    pub fn look(&mut self, glance: &Glance, done: Duration) {
        self.done = done;
        self.established = glance.established;
        let counts = Class::ALL.into_iter().zip(glance.failures);
        self.failures = counts.filter(|(_, count)| *count > 0).collect();
        if self.phase != Some(glance.phase) {
            // a rate never mixes a phase that sends with one that does not
            (self.phase, self.rate, self.counted) = (Some(glance.phase), None, None);
        }
        let (since, before) = *self.counted.get_or_insert((done, glance.replies));
        let span = done.saturating_sub(since);
        if glance.phase.sends() && span >= RATE_SPAN {
            self.rate = Some(glance.replies.saturating_sub(before) as f64 / span.as_secs_f64());
            self.counted = Some((done, glance.replies));
        }
    }

    /// An interval of the measured time is over.
    pub fn add(&mut self, past: &Past<'_>) {
        if self.intervals.len() == REMEMBERED {
            self.intervals.pop_front();
        }
        self.intervals.push_back(Shown::of(past));
        if let Some((_, known)) = &mut self.requests {
            *known += past.window.ok;
        }
    }

    /// Requests a second: of the last interval, or of the last second if none is over yet.
    #[must_use]
    pub fn rate(&self) -> Option<f64> {
        self.intervals.back().map(|shown| shown.rate).or(self.rate)
    }

    /// The share of the work that is done, and the time that the rest will take.
    #[must_use]
    pub fn progress(&self) -> (f64, Option<Duration>) {
        if let Some((total, known)) = self.requests {
            let share = known as f64 / total.max(1) as f64;
            let rate = self.rate().filter(|rate| *rate > 0.0);
            let left = rate.map(|rate| total.saturating_sub(known) as f64 / rate);
            return (share, left.and_then(|left| Duration::try_from_secs_f64(left).ok()));
        }
        let share = self.done.as_secs_f64() / self.whole.as_secs_f64().max(1e-9);
        (share.min(1.0), Some(self.whole.saturating_sub(self.done)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measure::series::Window;

    fn glance(phase: Phase, replies: u64) -> Glance {
        let mut failures = [0; Class::COUNT];
        failures[Class::Reset as usize] = 3;
        Glance { phase, established: 7, replies, failures }
    }

    #[test]
    fn a_rate_is_known_before_the_first_interval_is_over() {
        let mut state = State { whole: Duration::from_secs(10), ..State::default() };
        let second = Duration::from_secs(1);
        state.look(&glance(Phase::Warm, 1000), second);
        assert_eq!(state.rate(), None);
        state.look(&glance(Phase::Warm, 5000), second * 2);
        assert_eq!(state.rate(), Some(4000.0));
        assert_eq!(state.failures, [(Class::Reset, 3)]);
        // in the next phase it is taken anew
        state.look(&glance(Phase::Measure, 6000), second * 3);
        assert_eq!(state.rate(), None);
        assert_eq!(state.progress(), (0.3, Some(second * 7)));
    }

    #[test]
    fn only_so_many_intervals_are_remembered() {
        let mut state = State { requests: Some((200, 0)), ..State::default() };
        let window = Window { ok: 2, ..Window::new() };
        for _ in 0..50 {
            let past = Past { window: &window, from: Duration::from_secs(1), to: Duration::from_secs(3) };
            state.add(&past);
        }
        assert_eq!(state.intervals.len(), REMEMBERED);
        assert_eq!(state.rate(), Some(1.0));
        assert_eq!(state.progress(), (0.5, Some(Duration::from_secs(100))));
    }
}

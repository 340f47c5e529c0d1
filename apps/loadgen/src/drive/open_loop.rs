//! An open loop: requests are sent when they are due, as long as a connection is free to send them.
//!
//! How: connections that can send wait in line. A request that is due takes the first one; if there is none it waits,
//! and the next connection that becomes free takes it, with the time at which it was due. What waits so is never
//! stored: the schedule is known, so the requests are simply not taken from it yet. Cost: a place in a queue, a clock
//! reading and at most one `timerfd_settime` a request. Where it breaks: the kernel wakes a sleeping thread some
//! microseconds late, and a busy one comes when it comes; how late is recorded as the schedule's lag.

use std::collections::VecDeque;
use std::io;
use std::os::fd::{AsFd, AsRawFd};
use std::time::Duration;

use mio::unix::SourceFd;
use mio::{Interest, Registry, Token};
use nix::sys::timer::TimerSetTimeFlags;
use nix::sys::timerfd::{ClockId, Expiration, TimerFd, TimerFlags};

use super::connection::State;
use super::phase::Phase;
use super::worker::Worker;
use crate::measure::Latency;
use crate::pace::schedule::{NEVER, Schedule};
use crate::ping::Stamp;
use crate::plan::Rate;

/// Shorter waits are not worth a timer: the loop just goes round.
const SPIN: u64 = 5_000;
/// Of what was never sent at most so many are counted, one by one.
const LEFT_MAX: u64 = 100_000_000;

/// What a thread has of an open loop.
#[derive(Debug)]
pub(super) struct OpenLoop {
    rate: Rate,
    pub(super) schedule: Schedule,
    /// Slots that can send, in the order in which they became free.
    line: VecDeque<u32>,
    /// Since when somebody has been in line without a break.
    free_since: u64,
    timer: TimerFd,
    /// From the sending of a request to its reply.
    pub(super) uncorrected: Latency,
    /// How late a request was sent although a connection was free.
    pub(super) lag: Latency,
    /// Requests that were due in the measured time and could not be sent in it.
    pub(super) unsent: u64,
}

impl OpenLoop {
    /// With the timer that wakes the thread for the next request.
    ///
    /// # Errors
    /// No descriptor left for it.
    pub(super) fn new(rate: Rate, connections: usize, registry: &Registry, timer: Token) -> io::Result<Self> {
        let made =
            TimerFd::new(ClockId::CLOCK_MONOTONIC, TimerFlags::TFD_NONBLOCK | TimerFlags::TFD_CLOEXEC)?;
        registry.register(&mut SourceFd(&made.as_fd().as_raw_fd()), timer, Interest::READABLE)?;
        Ok(Self {
            rate,
            // nothing is due before a phase begins that sends
            schedule: Schedule::over(rate),
            line: VecDeque::with_capacity(connections),
            free_since: 0,
            timer: made,
            uncorrected: Latency::new(),
            lag: Latency::new(),
            unsent: 0,
        })
    }

    /// How long the thread may sleep; `None`: until something else happens.
    fn wait(&self, now: u64) -> Option<u64> {
        let due = self.schedule.due();
        (due != NEVER && !self.line.is_empty()).then(|| due.saturating_sub(now))
    }

    /// Makes the timer wake the thread after this time, or never.
    fn wake_after(&self, nanos: Option<u64>) {
        // a timer that cannot be set costs precision, which the lag shows
        let _ = match nanos {
            Some(nanos) => self.timer.set(
                Expiration::OneShot(Duration::from_nanos(nanos.max(1)).into()),
                TimerSetTimeFlags::empty(),
            ),
            None => self.timer.unset(),
        };
    }
}

impl Worker<'_> {
    /// A phase begins that sends: its schedule starts now, and all who can send stand in line.
    pub(super) fn begin_schedule(&mut self, now: u64) {
        let (begin, end) = if self.phase == Phase::Measure {
            (self.shared.begin(), self.shared.end())
        } else {
            (now, NEVER)
        };
        let (index, threads) = (self.index, self.load.threads);
        let Some(open) = &mut self.open_loop else { return };
        open.schedule = Schedule::new(open.rate, index, threads, begin, end);
        if self.phase == Phase::Measure {
            open.uncorrected.clear();
            open.lag.clear();
        }
        for slot in 0..self.connections.len() {
            self.stand_in_line(slot, now);
        }
    }

    /// No more is sent. Of the measured time: what was due in it and is still here was never sent.
    pub(super) fn end_schedule(&mut self, now: u64) {
        if self.phase == Phase::Drain {
            self.send_due(now);
        }
        let Some(open) = &mut self.open_loop else { return };
        if self.phase == Phase::Drain && !self.shared.budget.used_up() {
            open.unsent = open.schedule.left(LEFT_MAX);
        }
        open.schedule = Schedule::over(open.rate);
    }

    /// A connection that can send, or could be opened for it, waits for a request.
    pub(super) fn stand_in_line(&mut self, slot: usize, now: u64) {
        let free = self.can_send(slot);
        let Some(open) = &mut self.open_loop else { return };
        let connection = &mut self.connections[slot];
        if connection.in_line || !free {
            return;
        }
        connection.in_line = true;
        if open.line.is_empty() {
            open.free_since = now;
        }
        open.line.push_back(slot as u32);
    }

    /// Whether a slot has room for a request.
    fn can_send(&self, slot: usize) -> bool {
        let connection = &self.connections[slot];
        match connection.state {
            State::Open => {
                crate::pace::may_send(connection.ping.free(), connection.sent, self.load.reconnect) > 0
            }
            State::Empty => self.load.churns(),
            State::Connecting(_) | State::Pausing(_) => false,
        }
    }

    /// Sends what is due, as long as somebody is in line.
    pub(super) fn send_due(&mut self, now: u64) {
        let mut now = now;
        loop {
            let Some(open) = &mut self.open_loop else { return };
            let due = open.schedule.due();
            if due > now {
                return;
            }
            let Some(slot) = open.line.pop_front() else { return };
            let slot = slot as usize;
            self.connections[slot].in_line = false;
            // it may have failed or been used up while it waited
            if !self.can_send(slot) {
                continue;
            }
            if self.phase == Phase::Measure && self.shared.budget.take(1) == 0 {
                return;
            }
            now = self.shared.now();
            let Some(open) = &mut self.open_loop else { return };
            open.schedule.advance();
            open.lag.record(now.saturating_sub(due.max(open.free_since)), 1);
            self.tallies[self.stretch].scheduled += 1;
            self.under_way.more(1, now);
            self.send_one(slot, Stamp { due, queued: now });
            self.stand_in_line(slot, now);
        }
    }

    fn send_one(&mut self, slot: usize, stamp: Stamp) {
        let connection = &mut self.connections[slot];
        connection.sent += 1;
        if connection.state == State::Empty {
            // the connect is part of the request: who waits for the reply waits for both
            connection.pending = Some(stamp);
            self.open(slot);
        } else {
            connection.ping.queue(1, stamp);
            self.flush(slot);
        }
    }

    /// How long to sleep: until the next request is due, at most `nap`. Sets the timer if it takes one.
    pub(super) fn nap_until_due(&self, now: u64, nap: Duration) -> Duration {
        let Some(open) = self.open_loop.as_ref().filter(|_| self.phase.sends()) else { return nap };
        match open.wait(now) {
            Some(wait) if wait <= SPIN => Duration::ZERO,
            Some(wait) if Duration::from_nanos(wait) < nap => {
                open.wake_after(Some(wait));
                nap
            }
            _ => nap,
        }
    }
}

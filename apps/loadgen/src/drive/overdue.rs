//! Who has waited too long, and who may go on waiting.
//!
//! How: a sweep over all connections some twenty times in a time limit, a slice of them in each turn of the loop, so that
//! no reply waits for it. Cost: some 10 ns a connection and sweep. Where it breaks: a time limit is noticed up to 5 % late.

use super::connection::{Connection, State};
use super::worker::Worker;
use crate::measure::Class;
use crate::pace;
use crate::plan::Serves;

/// Connections that one turn of the loop looks at.
const SLICE: usize = 1024;

impl Worker<'_> {
    /// Whether a reply is still awaited, other than on connections that nobody serves. Asked only when nothing is sent
    /// any more, so who is quiet mostly stays so: the search goes on where it ended, and only what seems to be its end
    /// is made sure of, since one that was left waiting may be served after all.
    pub(super) fn busy(&mut self, now: u64) -> bool {
        // a connection that is greeted is busy, too
        let awaits = |c: &Connection| c.in_flight() > 0 || c.ping.oldest().is_some();
        let waits = |c: &Connection| awaits(c) && !self.is_left_waiting(c, now);
        let first = |from: usize| self.connections[from..].iter().position(waits).map(|at| from + at);
        let found = first(self.quiet).or_else(|| first(0));
        self.quiet = found.unwrap_or(0);
        found.is_some()
    }

    /// A connection that waits for its very first reply while others are served: a pool with fewer workers than
    /// connections does that, and it is no error. How many may wait so is known of our own servers; of others only
    /// that they serve somebody, so these get the whole time limit first, and the verdict tells of them. Where
    /// connections are replaced all the time, or the connection itself replaced a failed one, everybody's turn must
    /// come.
    fn is_left_waiting(&self, connection: &Connection, now: u64) -> bool {
        let waits = connection.first && !connection.served && !self.load.churns();
        waits
            && match self.target.serves {
                Serves::All => false,
                Serves::AtATime(limit) => self.shared.served() >= limit as u64,
                Serves::Unknown => self.shared.anybody_served() && self.is_overdue(connection, now),
            }
    }

    fn is_overdue(&self, connection: &Connection, now: u64) -> bool {
        connection.ping.oldest().is_some_and(|since| now.saturating_sub(since) > self.timeout())
    }

    fn timeout(&self) -> u64 {
        u64::try_from(self.load.timeout.as_nanos()).unwrap_or(u64::MAX)
    }

    /// Looks at every time limit and every pause, some connections a turn, and notes when to look again.
    pub(super) fn sweep(&mut self, now: u64) {
        let timeout = self.timeout();
        if self.swept == self.connections.len() {
            if now < self.next_sweep {
                return;
            }
            self.swept = 0;
            self.next_sweep = now + pace::sweep_interval(timeout);
        }
        let slice = self.swept..self.connections.len().min(self.swept + SLICE);
        self.swept = slice.end;
        for slot in slice {
            let connection = &self.connections[slot];
            let late = |since: u64| now.saturating_sub(since) > timeout;
            match connection.state {
                State::Connecting(since) if late(since) => self.fail(slot, Class::ConnectTimedOut, None),
                State::Open
                    if connection.ping.oldest().is_some_and(late)
                        && !self.is_left_waiting(connection, now) =>
                {
                    self.fail(slot, Class::TimedOut, None);
                }
                State::Pausing(due) if self.phase.sends() && due <= now => self.open(slot),
                State::Pausing(due) if self.phase.sends() => self.next_sweep = self.next_sweep.min(due),
                _ => {}
            }
        }
    }
}

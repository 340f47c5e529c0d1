//! The beginning: all bystanders are connected, and the idle ones have had their reply, before anything is measured.
//!
//! Bounds: `CONNECTING` connects at a time; each connect and each reply has the time limit of the measured ones, all
//! together twice that and a millisecond for each. Who is missing then is missing.

use std::time::Duration;

use common::net::{Connected, connect_nonblocking};
use mio::Token;
use mio::net::TcpStream;

use super::{Crowd, Role, nanos, slow};
use crate::drive::connection::State;
use crate::plan::{Load, Serves};

/// Connects under way at a time.
pub(super) const CONNECTING: usize = 64;
/// How often the time limits are looked at, in nanoseconds.
const SWEEP: u64 = 20_000_000;

/// The longest time that they may take to gather.
#[must_use]
pub fn patience(load: &Load) -> Duration {
    load.timeout * 2 + Duration::from_millis(load.bystanders.count() as u64)
}

impl Crowd<'_> {
    /// Opens more connections, and finds out whether all are there.
    pub(super) fn gather(&mut self, now: u64) {
        while self.next < self.guests.len() && self.connecting < CONNECTING {
            self.connect(self.next);
            self.next += 1;
        }
        if now >= self.next_sweep {
            self.next_sweep = now + SWEEP;
            self.give_up_late_connects(now);
        }
        if (self.connecting == 0 && self.next == self.guests.len() && self.all_answered(now))
            || now >= self.gather_by
        {
            self.give_up_late_connects(u64::MAX);
            self.begin(now);
        }
    }

    /// Whether nothing is to be gained by waiting any longer for replies to the idle ones.
    fn all_answered(&self, now: u64) -> bool {
        if self.answered >= self.load.bystanders.idle {
            return true;
        }
        // all workers of a pool may be taken: who waits now waits for ever
        if let Serves::AtATime(limit) = self.target.serves
            && self.answered >= limit
        {
            return true;
        }
        let limit = nanos(self.load.timeout);
        let idle = self.guests.iter().filter(|guest| guest.role == Role::Idle);
        !idle
            .filter_map(|guest| guest.connection.ping.oldest())
            .any(|since| now.saturating_sub(since) <= limit)
    }

    fn give_up_late_connects(&mut self, now: u64) {
        let limit = nanos(self.load.timeout);
        for slot in 0..self.next {
            if let State::Connecting(since) = self.guests[slot].connection.state
                && now.saturating_sub(since) > limit
            {
                self.missed(slot, Some(libc::ETIMEDOUT));
            }
        }
    }

    /// All are there: the slow and the greedy ones begin, and so may those that are measured.
    fn begin(&mut self, now: u64) {
        self.open = true;
        self.next_dribble = now;
        for slot in 0..self.guests.len() {
            match self.guests[slot].role {
                Role::Greedy => self.ask_for_more(slot, now),
                Role::NeverReader => self.fill(slot),
                Role::Idle | Role::Dribbler => {}
            }
        }
        // the conductor is gone only if it has failed; then the phase is Finish very soon
        let _ = self.gathered.try_send(());
    }

    fn connect(&mut self, slot: usize) {
        let since = self.shared.now();
        let (socket, connected) = match connect_nonblocking(self.target.address, self.sources.take()) {
            Ok(begun) => begun,
            Err(e) => return self.missed(slot, e.raw_os_error()),
        };
        if self.guests[slot].role == Role::NeverReader {
            slow::limit_buffers(&socket);
        }
        let number = u32::MAX - slot as u32;
        self.connecting += 1;
        let guest = &mut self.guests[slot];
        guest.connection.begin(TcpStream::from_std(socket.into()), number, State::Connecting(since));
        if connected == Connected::Yes {
            self.established(slot);
        }
        // a never-reader writes whenever there is room, and an edge comes only when there was none
        if let Err(e) = self.guests[slot].connection.watch(self.poll.registry(), Token(slot), true) {
            self.missed(slot, e.raw_os_error());
        }
    }

    /// The connect has failed.
    pub(super) fn missed(&mut self, slot: usize, errno: Option<i32>) {
        let connection = &mut self.guests[slot].connection;
        if matches!(connection.state, State::Connecting(_)) {
            self.connecting -= 1;
        }
        connection.end(State::Empty);
        self.connect_error = self.connect_error.or(errno);
    }

    pub(super) fn established(&mut self, slot: usize) {
        let now = self.shared.now();
        self.connecting -= 1;
        let guest = &mut self.guests[slot];
        guest.connection.state = State::Open;
        guest.connection.established = true;
        guest.connection.ping.greet(now);
        match guest.role {
            Role::Idle => self.ask_once(slot),
            Role::Dribbler | Role::NeverReader | Role::Greedy => {}
        }
    }
}

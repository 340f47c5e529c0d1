//! What a client thread does with one connection: open it, send, receive, and count what failed.
//!
//! How: everything here works on one slot and never waits. After a short read nothing is left to read, so there is no
//! second `recv`, except where the peer has closed. A connection that fails is counted once, with what was in flight
//! on it, and replaced after a pause.

use common::net::{Connected, connect_nonblocking};
use mio::Token;
use mio::event::Event;
use mio::net::TcpStream;

use super::connection::State;
use super::failure;
use super::phase::Phase;
use super::worker::Worker;
use crate::measure::{Class, First};
use crate::pace;
use crate::ping::framing::Expect;
use crate::ping::message::shown;
use crate::ping::{Protocol, Stamp, Wrong, preset};
use crate::plan::Load;

impl Worker<'_> {
    pub(super) fn on_event(&mut self, event: &Event, now: u64) {
        let slot = event.token().0;
        let Some(connection) = self.connections.get(slot) else { return };
        if let State::Connecting(since) = connection.state {
            match connection.connected() {
                Ok(true) => self.established(slot, since, now),
                Ok(false) => {}
                Err(e) => self.fail(slot, failure::of_connect(&e), e.raw_os_error()),
            }
        } else if event.is_writable() {
            self.flush(slot);
        }
        // a connection that has just failed has nothing to read, and its replacement must wait for its time
        if self.connections[slot].state != State::Open {
            return;
        }
        if event.is_readable() || event.is_read_closed() || event.is_error() {
            self.receive(slot, event.is_read_closed() || event.is_error());
        }
    }

    pub(super) fn open(&mut self, slot: usize) {
        if self.phase == Phase::Measure && self.shared.budget.used_up() {
            return;
        }
        let since = self.shared.now();
        let (socket, connected) = match connect_nonblocking(self.target.address, self.sources.take()) {
            Ok(begun) => begun,
            Err(e) => return self.fail(slot, failure::of_connect(&e), e.raw_os_error()),
        };
        let stream = TcpStream::from_std(socket.into());
        self.number = self.number.wrapping_add(1);
        self.connections[slot].begin(stream, self.number, State::Connecting(since));
        self.connecting += 1;
        if connected == Connected::Yes {
            // rare: on loopback, too, the kernel mostly tells it with an event
            self.established(slot, since, self.shared.now());
        }
        let connection = &mut self.connections[slot];
        let writable = match connection.state {
            State::Connecting(_) => true,
            State::Open => !connection.ping.to_send().is_empty(),
            State::Empty | State::Pausing(_) => return,
        };
        if let Err(e) = connection.watch(self.poll.registry(), Token(slot), writable) {
            self.fail(slot, Class::ClientSide, e.raw_os_error());
        }
    }

    fn established(&mut self, slot: usize, since: u64, now: u64) {
        // in a large batch of events that of the batch is too old for a request that is sent only now
        let now = if self.phase.sends() { self.shared.now() } else { now };
        self.connecting -= 1;
        let connection = &mut self.connections[slot];
        connection.state = State::Open;
        if !connection.established {
            connection.established = true;
            self.shared.note_established();
        }
        let tally = &mut self.tallies[self.stretch];
        tally.opened += 1;
        tally.connect.record(now - since, 1);
        connection.ping.greet(now);
        self.ready(slot, now);
    }

    /// A connection is open, or was greeted: what waits for it may be sent.
    fn ready(&mut self, slot: usize, now: u64) {
        let connection = &mut self.connections[slot];
        // a greeting comes first, and all else waits for its reply
        let may_ask = connection.ping.free() > 0;
        if let Some(stamp) = connection.pending.take_if(|_| may_ask) {
            connection.ping.queue(1, stamp);
            self.flush(slot);
        } else if may_ask && self.phase.sends() {
            self.send_more(slot, now);
        } else if !self.connections[slot].ping.to_send().is_empty() {
            self.flush(slot);
        }
    }

    /// A connection may send: as much as it can, or, in an open loop, when its turn has come.
    pub(super) fn send_more(&mut self, slot: usize, now: u64) {
        if self.open_loop.is_some() {
            return self.stand_in_line(slot, now);
        }
        let connection = &mut self.connections[slot];
        let wanted = pace::may_send(connection.ping.free(), connection.sent, self.load.reconnect);
        let count = if self.phase == Phase::Measure { self.shared.budget.take(wanted) } else { wanted };
        if count > 0 {
            connection.ping.queue(count, Stamp::now(now));
            connection.sent += count as u64;
            self.under_way.more(count as u64, now);
            self.tallies[self.stretch].scheduled += count as u64;
        }
        self.flush(slot);
    }

    pub(super) fn flush(&mut self, slot: usize) {
        let connection = &mut self.connections[slot];
        let result = connection
            .flush()
            .and_then(|all| connection.watch_writable(self.poll.registry(), Token(slot), !all));
        if let Err(e) = result {
            self.fail(slot, failure::of_transfer(&e), e.raw_os_error());
        }
    }

    /// Reads once; more often only if the buffer was full or the peer has closed, because then no event comes again.
    fn receive(&mut self, slot: usize, closing: bool) {
        let connection = &mut self.connections[slot];
        let tally = &mut self.tallies[self.stretch];
        let reply = &mut self.window.reply;
        let mut uncorrected = self.open_loop.as_mut().map(|open| &mut open.uncorrected);
        let (mut complete, mut right, mut now) = (0, 0, 0);
        let mut oldest = None;
        let closed = loop {
            let count = match connection.receive(&mut self.buffer) {
                Ok(None) => break false,
                Ok(Some(0)) => break true,
                Ok(Some(count)) => count,
                Err(e) => {
                    self.count(slot, right, now);
                    return self.fail(slot, failure::of_transfer(&e), e.raw_os_error());
                }
            };
            now = self.shared.now();
            let received = connection.ping.received(&self.buffer[..count], |stamp, n| {
                right += n;
                oldest.get_or_insert(stamp);
                reply.record(now.saturating_sub(stamp.due), n);
                if let Some(uncorrected) = &mut uncorrected {
                    uncorrected.record(now.saturating_sub(stamp.queued), n);
                }
            });
            match received {
                Ok(replies) => {
                    complete += replies;
                    let first = if replies > 0 { connection.first_byte.take() } else { None };
                    if let (Some(first), Some(stamp)) = (first, oldest) {
                        let since = |time: u64| time.saturating_sub(stamp.due);
                        tally.first_byte.record(since(first), since(now));
                    }
                    if connection.ping.begun() {
                        connection.first_byte.get_or_insert(now);
                    }
                }
                Err(wrong) => {
                    tally.losses.note_wrong(|| in_words(wrong, &self.buffer[..count], self.load));
                    self.count(slot, right, now);
                    return self.fail(slot, Class::Corrupt, None);
                }
            }
            if count < self.buffer.len() && !closing {
                break false;
            }
        };
        if closed {
            now = self.shared.now();
            complete += connection.ping.closed(|stamp, n| {
                right += n;
                reply.record(now.saturating_sub(stamp.due), n);
                if let Some(uncorrected) = &mut uncorrected {
                    uncorrected.record(now.saturating_sub(stamp.queued), n);
                }
            });
        }
        if complete > 0 {
            self.count(slot, right, now);
        }
        self.go_on(slot, closed, complete > 0, now);
    }

    /// What a connection does after something has come: it is replaced, has failed, or sends again.
    fn go_on(&mut self, slot: usize, closed: bool, answered: bool, now: u64) {
        let connection = &mut self.connections[slot];
        if connection.ping.in_flight() == 0
            && self.load.reconnect.is_some_and(|limit| connection.sent >= limit)
        {
            connection.end(State::Empty);
            if self.phase.sends() && self.open_loop.is_some() {
                self.stand_in_line(slot, now);
            } else if self.phase.sends() {
                self.open(slot);
            }
        } else if closed {
            self.fail(slot, Class::ClosedEarly, None);
        } else if connection.ping.was_greeted() {
            self.ready(slot, now);
        } else if answered && self.phase.sends() {
            self.send_more(slot, now);
        }
    }

    /// Counts replies that are complete: the right ones, whose times are recorded, and those that the connection found
    /// unexpected.
    fn count(&mut self, slot: usize, right: u64, now: u64) {
        let connection = &mut self.connections[slot];
        let tally = &mut self.tallies[self.stretch];
        let mut complete = right;
        if let Some(unexpected) = connection.ping.unexpected() {
            complete += unexpected.replies;
            self.window.errors += unexpected.replies;
            let first = First { at: self.shared.now(), connection: slot as u32 };
            tally.losses.add_unexpected(unexpected, first);
        }
        if complete == 0 {
            return;
        }
        tally.ok += right;
        self.window.ok += right;
        self.last_reply = now;
        self.under_way.fewer(complete, now);
        connection.answered += complete;
        connection.failures = 0;
        if !connection.served {
            connection.served = true;
            self.shared.note_served();
        }
    }

    /// Counts a failed connection with what was in flight on it, and plans its replacement.
    pub(super) fn fail(&mut self, slot: usize, class: Class, errno: Option<i32>) {
        let connection = &mut self.connections[slot];
        let now = self.shared.now();
        let lost = connection.in_flight();
        self.tallies[self.stretch].losses.add(
            class,
            errno,
            lost as u64,
            First { at: now, connection: slot as u32 },
        );

        self.under_way.fewer(lost as u64, now);
        self.window.errors += 1;
        self.shared.note_failure(class, errno);
        // a request that is given up took its time, too; but while draining it would count without any reply
        if lost > 0 && self.phase == Phase::Measure {
            self.last_reply = now;
        }
        if matches!(connection.state, State::Connecting(_)) {
            self.connecting -= 1;
        }
        connection.failures = connection.failures.saturating_add(1);
        let due = now + pace::pause_after(connection.failures);
        connection.end(State::Pausing(due));
        self.next_sweep = self.next_sweep.min(due);
    }
}

/// What was wrong; and what to write, if the user took the server for another one.
#[cold]
fn in_words(wrong: Wrong, came: &[u8], load: &Load) -> String {
    let advice = match &load.protocol {
        Protocol::Pattern => preset::recognise(came),
        Protocol::Dialogue(dialogue) => match (wrong, &dialogue.expect) {
            (Wrong::Surplus { .. }, Expect::Line) => {
                Some("has a reply several lines? --expect delim:STR, or resp for Redis")
            }
            (Wrong::Surplus { .. }, Expect::Delimiter(_)) => Some("--expect marker:STR skips what follows"),
            (Wrong::Differs { .. }, _) => {
                Some("where another reply than the message is right, --expect says so")
            }
            _ => None,
        },
    };
    match advice {
        Some(advice) => format!("{wrong}: what came is \"{}\": {advice}", shown(came)),
        None => wrong.to_string(),
    }
}

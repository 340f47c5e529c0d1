//! Connections that hold a server up: dribblers, which send one byte every [`PAUSE`], and never-readers, which send as
//! much as the socket takes and never read.
//!
//! What they show: a worker that belongs to a connection waits with a dribbler for the rest of its message, and waits
//! with a never-reader for room to write; a server that reads on without writing buffers without end. Cost: a `send`
//! for each dribbled byte, in `TURNS` turns, so that they do not all come at once. Bounds: a never-reader sends at
//! most [`TAKEN_MAX`] bytes, and the kernel keeps some `KERNEL_BUFFER` bytes of them on our side. Where it breaks: a
//! server's FIN waits behind the bytes that a never-reader does not read, so what is told of those that were closed are
//! mostly resets. Where a protocol begins with a greeting, a never-reader sends that over and over: it never learns that
//! it may go on.

use mio::event::Event;
use socket2::Socket;

use super::fate::End;
use super::{Crowd, Role};
use crate::ping::Stamp;

/// Between two bytes of a dribbler, in nanoseconds: 100 ms.
pub const PAUSE: u64 = 100_000_000;
/// The dribblers take turns; so many turns fill a pause.
const TURNS: usize = 10;
/// A never-reader sends no more than this: a server that takes all of it has no bound of its own.
pub const TAKEN_MAX: u64 = 64 << 20;
/// The size of a never-reader's own buffers in the kernel.
const KERNEL_BUFFER: usize = 64 << 10;
/// About as many bytes a never-reader hands over at once.
const BATCH: usize = 16 << 10;
/// It does so at most so often before others have their turn.
const ROUNDS: usize = 16;

/// Size and number of a never-reader's messages: some of them, so that a `send` is worth its cost.
pub(super) fn messages(size: usize) -> (usize, usize) {
    (size, (BATCH / size).clamp(1, 256))
}

/// The most bytes that the messages of one slow connection fill.
#[must_use]
pub fn memory(size: usize) -> u64 {
    let (size, depth) = messages(size);
    size as u64 * depth as u64
}

/// So that thousands of never-readers do not fill this machine's memory instead of the server's.
pub(super) fn limit_buffers(socket: &Socket) {
    // a socket that keeps its usual buffers takes more memory and shows the same
    let _ = socket.set_recv_buffer_size(KERNEL_BUFFER);
    let _ = socket.set_send_buffer_size(KERNEL_BUFFER);
}

impl Crowd<'_> {
    /// Lets those dribblers send a byte whose turn it is.
    pub(super) fn dribble(&mut self, now: u64) {
        if self.load.bystanders.slow == 0 || now < self.next_dribble {
            return;
        }
        self.next_dribble = (self.next_dribble + PAUSE / TURNS as u64).max(now);
        let turn = self.turn;
        self.turn = (turn + 1) % TURNS;
        let first = self.load.bystanders.idle;
        let slow = first..first + self.load.bystanders.slow;
        // every other one is a dribbler, so it is these pairs that take turns
        for slot in slow.skip(2 * turn).step_by(2 * TURNS) {
            self.dribble_one(slot, now);
        }
    }

    fn dribble_one(&mut self, slot: usize, now: u64) {
        let guest = &mut self.guests[slot];
        debug_assert_eq!(guest.role, Role::Dribbler);
        let ping = &mut guest.connection.ping;
        if ping.to_send().is_empty() && ping.free() > 0 {
            ping.queue(1, Stamp::now(now));
        }
        match guest.connection.send_at_most(1) {
            Ok(sent) => guest.sent += sent as u64,
            Err(_) => self.lost(slot, End::Reset),
        }
    }

    /// A never-reader writes until its socket is full. What it has sent is forgotten: it will never see the replies.
    pub(super) fn fill(&mut self, slot: usize) {
        let now = self.shared.now();
        let guest = &mut self.guests[slot];
        for _ in 0..ROUNDS {
            if !guest.connection.is_open() || guest.sent >= TAKEN_MAX {
                return;
            }
            let ping = &mut guest.connection.ping;
            if ping.to_send().is_empty() {
                ping.restart(u32::MAX - slot as u32);
                ping.greet(now);
                ping.queue(ping.free(), Stamp::now(now));
            }
            match guest.connection.send_at_most(usize::MAX) {
                Ok(0) => {
                    guest.full = true;
                    return;
                }
                Ok(sent) => {
                    guest.full = false;
                    guest.sent += sent as u64;
                }
                Err(_) => return self.lost(slot, End::Reset),
            }
        }
        // there is room for more: the event that tells of it has come already, so it is asked for again
        let connection = &mut self.guests[slot].connection;
        if connection.watch_again(self.poll.registry(), mio::Token(slot)).is_err() {
            self.lost(slot, End::Reset);
        }
    }

    pub(super) fn look_at_never_reader(&mut self, slot: usize, event: &Event) {
        if event.is_error() || event.is_write_closed() {
            self.lost(slot, End::Reset);
        } else if event.is_read_closed() {
            self.lost(slot, End::Closed);
        } else if self.open && event.is_writable() {
            self.fill(slot);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_never_reader_hands_over_some_messages_at_once_whatever_their_size() {
        assert_eq!(messages(64), (64, 256));
        assert_eq!(messages(1024), (1024, 16));
        assert_eq!(messages(1 << 20), (1 << 20, 1));
    }
}

//! One connection of any protocol: sends the user's messages, finds the end of each reply, looks at its content.
//!
//! How: requests are put together in one buffer, which is sent and filled again; of a request that was sent only its
//! times are kept, in a ring of `depth`. A reply that comes in one piece is looked at where it lies; one that comes in
//! several is copied, and only if its content matters ([`super::check`]). Cost: `depth × (longest message + 16)` bytes a
//! connection, and what a reply in pieces needs. Where it breaks: replies must come in the order of their requests.

use std::sync::Arc;

use super::check::{Checker, Repeated};
use super::framing::{Expect, Framer, Progress};
use super::protocol::Dialogue;
use super::{Stamp, Unexpected, Wrong};

/// What is under way on one connection.
#[derive(Debug)]
pub struct Framed {
    dialogue: Arc<Dialogue>,
    /// When each request of the ring was due and queued.
    stamps: Box<[Stamp]>,
    connection: u32,
    /// Requests queued and replies completed on this connection.
    queued: u64,
    answered: u64,
    greeting: Greeting,
    /// Requests that are not sent yet, behind those that are.
    outgoing: Vec<u8>,
    sent: usize,
    framer: Framer,
    checker: Checker,
    repeated: Repeated,
}

/// How far the first message of a connection is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Greeting {
    Due,
    /// Sent at this time, not answered yet.
    Sent(u64),
    /// Answered, or there is none.
    Over,
}

/// What some bytes have brought.
enum Brought {
    Nothing,
    Right(Stamp),
    Unexpected,
}

impl Framed {
    /// Memory for `depth` requests under way.
    #[must_use]
    pub fn new(dialogue: &Arc<Dialogue>, depth: usize) -> Self {
        Self {
            stamps: vec![Stamp::default(); depth].into_boxed_slice(),
            connection: 0,
            queued: 0,
            answered: 0,
            greeting: Greeting::Over,
            outgoing: Vec::with_capacity(depth * dialogue.longest()),
            sent: 0,
            framer: Framer::default(),
            checker: Checker::default(),
            repeated: Repeated::default(),
            dialogue: Arc::clone(dialogue),
        }
    }

    /// See [`super::Ping::restart`].
    pub fn restart(&mut self, connection: u32) {
        self.connection = connection;
        (self.queued, self.answered, self.sent) = (0, 0, 0);
        self.outgoing.clear();
        self.framer.restart();
        self.checker.restart();
        self.repeated.restart();
        self.greeting = if self.dialogue.first.is_some() { Greeting::Due } else { Greeting::Over };
    }

    /// See [`super::Ping::greet`].
    pub fn greet(&mut self, now: u64) {
        if let (Greeting::Due, Some(first)) = (self.greeting, &self.dialogue.first) {
            first.append(self.connection, 0, &mut self.outgoing);
            self.greeting = Greeting::Sent(now);
        }
    }

    /// See [`super::Ping::was_greeted`].
    #[must_use]
    pub fn was_greeted(&self) -> bool {
        self.dialogue.first.is_some() && self.greeting == Greeting::Over && self.queued == 0
    }

    /// See [`super::Ping::in_flight`].
    #[must_use]
    pub fn in_flight(&self) -> usize {
        // never more than the depth
        (self.queued - self.answered) as usize
    }

    /// See [`super::Ping::free`].
    #[must_use]
    pub fn free(&self) -> usize {
        if self.greeting == Greeting::Over { self.stamps.len() - self.in_flight() } else { 0 }
    }

    /// Whether a part of a reply has come, and not yet all of it.
    #[must_use]
    pub fn begun(&self) -> bool {
        self.framer.seen() > 0
    }

    /// See [`super::Ping::oldest`].
    #[must_use]
    pub fn oldest(&self) -> Option<u64> {
        match self.greeting {
            Greeting::Sent(at) => Some(at),
            _ => (self.in_flight() > 0).then(|| self.stamps[self.slot(self.answered)].queued),
        }
    }

    /// See [`super::Ping::queue`].
    pub fn queue(&mut self, count: usize, stamp: Stamp) {
        debug_assert!(count <= self.free(), "the ring is full");
        // what is sent makes room for what is not: so the buffer never grows
        self.outgoing.drain(..self.sent);
        self.sent = 0;
        for _ in 0..count {
            let message = self.message(self.queued);
            self.dialogue.messages[message].append(self.connection, self.queued, &mut self.outgoing);
            let slot = self.slot(self.queued);
            self.stamps[slot] = stamp;
            self.queued += 1;
        }
    }

    /// See [`super::Ping::to_send`].
    #[must_use]
    pub fn to_send(&self) -> &[u8] {
        &self.outgoing[self.sent..]
    }

    /// See [`super::Ping::sent`].
    pub fn sent(&mut self, count: usize) {
        self.sent += count;
        if self.sent == self.outgoing.len() {
            self.outgoing.clear();
            self.sent = 0;
        }
    }

    /// See [`super::Ping::received`].
    ///
    /// # Errors
    /// What came is no reply.
    pub fn received(&mut self, bytes: &[u8], mut answered: impl FnMut(Stamp, u64)) -> Result<usize, Wrong> {
        let (mut rest, mut complete) = (bytes, 0);
        // requests that were queued together are told together
        let (mut stamp, mut together) = (Stamp::default(), 0);
        let result = loop {
            if rest.is_empty() {
                break Ok(complete);
            }
            match self.take(rest) {
                Err(wrong) => break Err(wrong),
                Ok((taken, brought)) => {
                    rest = &rest[taken..];
                    complete += usize::from(!matches!(brought, Brought::Nothing));
                    if let Brought::Right(right) = brought {
                        if together > 0 && right != stamp {
                            answered(stamp, together);
                            together = 0;
                        }
                        stamp = right;
                        together += 1;
                    }
                }
            }
        };
        if together > 0 {
            answered(stamp, together);
        }
        result
    }

    /// See [`super::Ping::closed`].
    pub fn closed(&mut self, mut answered: impl FnMut(Stamp, u64)) -> usize {
        let length = self.framer.seen();
        if self.dialogue.expect != Expect::Close || self.in_flight() == 0 || length == 0 {
            return 0;
        }
        self.framer.restart();
        if let Brought::Right(stamp) = self.complete(&[], length) {
            answered(stamp, 1);
        }
        1
    }

    /// See [`super::Ping::unexpected`].
    pub fn unexpected(&mut self) -> Option<Unexpected> {
        self.checker.unexpected()
    }

    /// Looks at bytes up to the end of a reply, and returns how many these were.
    fn take(&mut self, bytes: &[u8]) -> Result<(usize, Brought), Wrong> {
        let asked = self.in_flight() > 0 || matches!(self.greeting, Greeting::Sent(_));
        let marked = matches!(self.dialogue.expect, Expect::Marker(_));
        if !asked && !marked {
            return Err(Wrong::Surplus { bytes: bytes.len() });
        }
        let before = self.framer.seen();
        let progress = match self.dialogue.expect {
            Expect::Echo => self.compare(bytes)?,
            _ => self.framer.feed(&self.dialogue.expect, bytes)?,
        };
        match progress {
            Progress::Complete(_) if !asked => Err(Wrong::Surplus { bytes: bytes.len() }),
            Progress::Complete(end) => Ok((end, self.complete(&bytes[..end], before + end))),
            Progress::More => {
                if !asked {
                    self.framer.forget_length();
                } else if !self.dialogue.replies.is_empty() {
                    self.checker.keep(bytes);
                }
                Ok((bytes.len(), Brought::Nothing))
            }
        }
    }

    /// An echo of the user's message: the message is put together once more, to be compared with what comes.
    fn compare(&mut self, bytes: &[u8]) -> Result<Progress, Wrong> {
        let greeting = self.dialogue.first.as_ref().filter(|_| self.greeting != Greeting::Over);
        let template = greeting.unwrap_or(&self.dialogue.messages[self.message(self.answered)]);
        self.repeated.feed(bytes, |wanted| template.append(self.connection, self.answered, wanted))
    }

    /// A reply of `length` bytes is whole; `piece` is the last of it, and all of it if nothing was kept.
    fn complete(&mut self, piece: &[u8], length: usize) -> Brought {
        if self.greeting != Greeting::Over {
            self.greeting = Greeting::Over;
            self.checker.restart();
            return Brought::Nothing;
        }
        let stamp = self.stamps[self.slot(self.answered)];
        let message = self.message(self.answered);
        self.answered += 1;
        let Some(reply) = self.dialogue.reply(message) else { return Brought::Right(stamp) };
        let right = self.checker.is_right(reply, &self.dialogue.expect, piece, length);
        if right { Brought::Right(stamp) } else { Brought::Unexpected }
    }

    fn slot(&self, number: u64) -> usize {
        // less than the depth
        (number % self.stamps.len() as u64) as usize
    }

    fn message(&self, number: u64) -> usize {
        match self.dialogue.messages.len() {
            1 => 0,
            // less than their number
            several => (number % several as u64) as usize,
        }
    }
}

#[cfg(test)]
mod tests;

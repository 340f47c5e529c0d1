//! The client's side of one connection: what is sent, and whether what comes back is right.
//!
//! How: a pure state machine. Times are numbers that the caller passes in; there is no clock, no socket, no file here.
//! Two kinds, and one `match` a call to tell them apart: [`echo`] compares our own messages in place, which is the fast
//! way; [`framed`] speaks whatever a [`Protocol`] says: [`message`] makes the requests, [`framing`] finds where a reply
//! ends, [`reply`] says what it must be and [`check`] whether it is. Where it breaks: replies must come in the order of
//! their requests.

use std::fmt;

pub mod check;
pub mod echo;
pub mod framed;
pub mod framing;
pub mod message;
pub mod preset;
pub mod protocol;
pub mod reply;
pub mod resp;

pub use echo::Echo;
pub use framed::Framed;
pub use protocol::{Dialogue, Protocol};

/// What is under way on one connection.
#[derive(Debug)]
pub enum Ping {
    /// Our own messages, and an echo of each.
    Echo(Echo),
    /// The user's messages, and replies whose end is found.
    Framed(Box<Framed>),
}

/// When a request was due and when it was queued, in the caller's nanoseconds; in a closed loop both are the same.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Stamp {
    /// When it should have been sent.
    pub due: u64,
    /// When it was handed to the connection.
    pub queued: u64,
}

impl Stamp {
    /// Of a request that is due when it is queued.
    #[must_use]
    pub fn now(now: u64) -> Self {
        Self { due: now, queued: now }
    }
}

/// Bytes after which nobody can say where the next reply begins: the connection is worth nothing any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wrong {
    /// A byte of an echo differs.
    Differs {
        /// Its position within the message.
        offset: usize,
        /// What was sent.
        expected: u8,
        /// What came back.
        got: u8,
    },
    /// More bytes came than belong to any request.
    Surplus {
        /// How many more.
        bytes: usize,
    },
    /// A reply does not end within [`framing::REPLY_MAX`].
    TooLong,
    /// A reply is not made as the Redis protocol says.
    Malformed {
        /// The byte that cannot stand there.
        byte: u8,
    },
}

impl fmt::Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Differs { offset, expected, got } => {
                write!(f, "byte {offset} of a reply was 0x{got:02x} where 0x{expected:02x} was sent")
            }
            Self::Surplus { bytes } => write!(f, "{bytes} more bytes came back than were asked for"),
            Self::TooLong => write!(f, "a reply did not end within {} MiB", framing::REPLY_MAX >> 20),
            Self::Malformed { byte } => write!(f, "0x{byte:02x} cannot stand there in a reply of Redis"),
        }
    }
}

/// Replies whose end was found, but which are not what they must be. The connection goes on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unexpected {
    /// How many.
    pub replies: u64,
    /// The first of a connection slot, in words; the others are only counted.
    pub first: Option<String>,
}

impl Ping {
    /// Memory for `depth` requests under way, of `size` bytes each where they are our own; both at least 1.
    #[must_use]
    pub fn new(protocol: &Protocol, size: usize, depth: usize) -> Self {
        match protocol {
            Protocol::Pattern => Self::Echo(Echo::new(size, depth)),
            Protocol::Dialogue(dialogue) => Self::Framed(Box::new(Framed::new(dialogue, depth))),
        }
    }

    /// Begins anew on a new connection; whatever was in flight is forgotten.
    pub fn restart(&mut self, connection: u32) {
        match self {
            Self::Echo(echo) => echo.restart(connection),
            Self::Framed(framed) => framed.restart(connection),
        }
    }

    /// The connection is open: what every connection begins with may be sent. That is no request and counts nowhere.
    pub fn greet(&mut self, now: u64) {
        match self {
            Self::Echo(_) => {}
            Self::Framed(framed) => framed.greet(now),
        }
    }

    /// The connection is ready for its first request, which had to wait for the reply to [`Ping::greet`].
    #[must_use]
    pub fn was_greeted(&self) -> bool {
        match self {
            Self::Echo(_) => false,
            Self::Framed(framed) => framed.was_greeted(),
        }
    }

    /// Requests queued and not wholly answered.
    #[must_use]
    pub fn in_flight(&self) -> usize {
        match self {
            Self::Echo(echo) => echo.in_flight(),
            Self::Framed(framed) => framed.in_flight(),
        }
    }

    /// How many more requests may be queued.
    #[must_use]
    pub fn free(&self) -> usize {
        match self {
            Self::Echo(echo) => echo.free(),
            Self::Framed(framed) => framed.free(),
        }
    }

    /// Whether a part of a reply has come, and not yet all of it.
    #[must_use]
    pub fn begun(&self) -> bool {
        match self {
            Self::Echo(echo) => echo.begun(),
            Self::Framed(framed) => framed.begun(),
        }
    }

    /// When the oldest unanswered request, or the greeting, was queued.
    #[must_use]
    pub fn oldest(&self) -> Option<u64> {
        match self {
            Self::Echo(echo) => echo.oldest(),
            Self::Framed(framed) => framed.oldest(),
        }
    }

    /// Queues `count` new requests, at most [`Ping::free`].
    pub fn queue(&mut self, count: usize, stamp: Stamp) {
        match self {
            Self::Echo(echo) => echo.queue(count, stamp),
            Self::Framed(framed) => framed.queue(count, stamp),
        }
    }

    /// The unsent bytes that lie in one piece; empty when all has been sent.
    #[must_use]
    pub fn to_send(&self) -> &[u8] {
        match self {
            Self::Echo(echo) => echo.to_send(),
            Self::Framed(framed) => framed.to_send(),
        }
    }

    /// The first `count` bytes of [`Ping::to_send`] have been sent.
    pub fn sent(&mut self, count: usize) {
        match self {
            Self::Echo(echo) => echo.sent(count),
            Self::Framed(framed) => framed.sent(count),
        }
    }

    /// Looks at what came back and tells `answered(when they were due and queued, how many)` for the requests whose
    /// replies are now complete and right. Returns how many replies are complete, right or [unexpected][Unexpected].
    ///
    /// # Errors
    /// What came is no reply. The connection is worth nothing after that; what was told to `answered` before holds.
    pub fn received(&mut self, bytes: &[u8], answered: impl FnMut(Stamp, u64)) -> Result<usize, Wrong> {
        match self {
            Self::Echo(echo) => echo.received(bytes, answered),
            Self::Framed(framed) => framed.received(bytes, answered),
        }
    }

    /// The peer has closed the connection: where that is the end of the reply, as [`Ping::received`]. A reply of no
    /// bytes is none: a server that has no room for a connection does just that.
    pub fn closed(&mut self, answered: impl FnMut(Stamp, u64)) -> usize {
        match self {
            Self::Echo(_) => 0,
            Self::Framed(framed) => framed.closed(answered),
        }
    }

    /// Takes what [`Ping::received`] and [`Ping::closed`] have found that is not what it must be.
    pub fn unexpected(&mut self) -> Option<Unexpected> {
        match self {
            Self::Echo(_) => None,
            Self::Framed(framed) => framed.unexpected(),
        }
    }
}

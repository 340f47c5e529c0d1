//! THE PROTOCOL: what one connection wants next. No socket, no file, no clock.
//!
//! A session is a state machine without memory of its own: whoever drives it owns the buffer, asks what it wants,
//! does that, and tells what came of it. So the same echo serves every concurrency model, and tests need no network.
//!
//! It is half-duplex on purpose: it reads only when all has been written. A client that does not read stops being
//! read from (back-pressure by itself), and at the end of the stream nothing is pending. What it costs: a client
//! that sends without ever reading is held up after what the kernel's buffers take, about 4 MB on loopback.
//!
//! ```text
//!          received(bytes)            sent(all)
//!   Open ───────────────▶ Open+reply ──────────▶ Open          received(nothing)
//!         (with work that waits, waited() comes in between)
//!     │ expired() while idle      │ expired()                 Open ───────────▶ Closed
//!     ▼                           ▼
//!   Finishing ──finished()──▶ Lingering ──received(nothing) or expired()──▶ Closed
//! ```
//!
//! Lingering: closing a socket with unread input makes the kernel send a reset, which destroys the echo that is still
//! on its way to the client. So the write side is shut down first, and what still comes is read and thrown away.

use std::ops::Range;
use std::time::Duration;

use crate::faults::{Fault, Watch};
use crate::work::Work;

/// What a connection needs from the outside before it can go on. Plain data: it borrows nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Want {
    /// Read into the buffer, then tell [`Session::received`].
    Read,
    /// Write this range of the buffer, then tell [`Session::sent`].
    Write(Range<usize>),
    /// Wait so long in whatever way suits the model, then tell [`Session::waited`].
    Wait(Duration),
    /// Shut down the write side (the client sees the end of the stream), then tell [`Session::finished`].
    Finish,
    /// Close the socket: the session is over.
    Close,
}

/// Which time limit runs while the session waits. The driver owns the clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Limit {
    /// The client may send nothing for this long.
    Idle,
    /// The client may take nothing for this long.
    Write,
    /// So long is the rest of a finished connection read and thrown away, in all.
    Linger,
    /// Nothing is waited for.
    None,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Open,
    Finishing,
    Lingering,
    Closed,
}

/// One connection's state.
#[derive(Debug)]
pub struct Session {
    /// What of the driver's buffer still has to be written. (32 bits: no buffer is larger than 64 KiB, and ten thousand idle
    /// sessions are kept small.)
    reply: Range<u32>,
    /// How long the reply has to wait first.
    wait: Duration,
    echoed: u64,
    work: &'static Work,
    phase: Phase,
    faults: Watch,
}

impl Session {
    /// A new connection, each of whose requests costs this work. With `faults`, its first bytes may order one (see
    /// [`crate::faults`]).
    #[must_use]
    pub fn new(faults: bool, work: &'static Work) -> Self {
        Self {
            reply: 0..0,
            wait: Duration::ZERO,
            echoed: 0,
            work,
            phase: Phase::Open,
            faults: Watch::new(faults),
        }
    }

    /// What the session wants now. Asking twice is harmless.
    #[must_use]
    pub fn want(&self) -> Want {
        match self.phase {
            Phase::Open if self.reply.is_empty() => Want::Read,
            Phase::Open if !self.wait.is_zero() => Want::Wait(self.wait),
            Phase::Open => Want::Write(self.reply.start as usize..self.reply.end as usize),
            Phase::Finishing => Want::Finish,
            Phase::Lingering => Want::Read,
            Phase::Closed => Want::Close,
        }
    }

    /// Takes what was read. The reply is made in place: it is a range of `bytes`, which must stay as they are until
    /// they have been sent. No bytes: the client has shut down its write side.
    ///
    /// A fault that the client ordered is returned; the driver commits it.
    pub fn received(&mut self, bytes: &mut [u8]) -> Option<Fault> {
        match self.phase {
            Phase::Open | Phase::Lingering if bytes.is_empty() => self.phase = Phase::Closed,
            Phase::Open => {
                self.reply = 0..u32::try_from(bytes.len()).unwrap_or(u32::MAX);
                let fault = self.faults.observe(bytes);
                if fault.is_none() {
                    self.wait = self.work.perform();
                }
                return fault;
            }
            Phase::Lingering | Phase::Finishing | Phase::Closed => {}
        }
        None
    }

    /// The first `n` bytes of the wanted range have been written.
    pub fn sent(&mut self, n: usize) {
        self.reply.start =
            self.reply.end.min(self.reply.start.saturating_add(u32::try_from(n).unwrap_or(u32::MAX)));
        self.echoed += n as u64;
    }

    /// The wanted wait is over.
    pub fn waited(&mut self) {
        self.wait = Duration::ZERO;
    }

    /// An unsent reply lies in the driver's buffer: that memory must stay as it is. The length of what must be kept.
    #[must_use]
    pub fn holds(&self) -> usize {
        if self.phase == Phase::Open && !self.reply.is_empty() { self.reply.end as usize } else { 0 }
    }

    /// The write side has been shut down: from now on, read and throw away.
    pub fn finished(&mut self) {
        if self.phase == Phase::Finishing {
            self.phase = Phase::Lingering;
        }
    }

    /// Which time limit runs now.
    #[must_use]
    pub fn limit(&self) -> Limit {
        match self.phase {
            Phase::Open if self.reply.is_empty() => Limit::Idle,
            Phase::Open if !self.wait.is_zero() => Limit::None,
            Phase::Open => Limit::Write,
            Phase::Lingering => Limit::Linger,
            Phase::Finishing | Phase::Closed => Limit::None,
        }
    }

    /// The limit that runs now has passed. An idle client gets the end of the stream; one that does not take its
    /// bytes, or that still sends long after the end, is closed.
    pub fn expired(&mut self) {
        self.phase = match self.limit() {
            Limit::Idle => Phase::Finishing,
            Limit::Write | Limit::Linger => Phase::Closed,
            Limit::None => self.phase,
        };
    }

    /// How many bytes have been sent back so far.
    #[must_use]
    pub fn echoed(&self) -> u64 {
        self.echoed
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const WAITING: Work = Work::Wait(Duration::from_secs(1));

    /// Drives a session by hand: chunks come in, writes take at most `writes[i]` bytes; gives what was echoed.
    fn echo(chunks: &[Vec<u8>], writes: &[usize]) -> Vec<u8> {
        let mut session = Session::new(false, &Work::None);
        let (mut out, mut turn) = (Vec::new(), 0);
        let mut writes = writes.iter().cycle();
        let mut buffer = Vec::new();
        loop {
            match session.want() {
                Want::Read => {
                    buffer = chunks.get(turn).cloned().unwrap_or_default();
                    turn += 1;
                    session.received(&mut buffer);
                }
                Want::Write(range) => {
                    let n = range.len().min(*writes.next().unwrap());
                    out.extend_from_slice(&buffer[range][..n]);
                    session.sent(n);
                }
                Want::Wait(_) => session.waited(),
                Want::Finish => session.finished(),
                Want::Close => return out,
            }
        }
    }

    proptest! {
        #[test]
        fn what_comes_out_is_what_went_in(
            chunks in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..50), 0..20),
            writes in prop::collection::vec(1usize..40, 1..10),
        ) {
            prop_assert_eq!(echo(&chunks, &writes), chunks.concat());
        }

        /// Whatever the driver tells in whatever order: no panic, and `Closed` is for ever.
        #[test]
        fn no_order_of_events_breaks_it(events in prop::collection::vec(0u8..6, 0..60)) {
            let mut session = Session::new(true, &WAITING);
            let mut closed = false;
            for event in events {
                match event {
                    0 => drop(session.received(&mut [b'!', b'x', 7])),
                    1 => drop(session.received(&mut [])),
                    2 => session.sent(2),
                    3 => session.finished(),
                    4 => session.waited(),
                    _ => session.expired(),
                }
                prop_assert!(!closed || session.want() == Want::Close);
                closed = session.want() == Want::Close;
                prop_assert_eq!(session.want(), session.want());
            }
        }
    }

    #[test]
    fn an_idle_client_gets_the_end_and_its_rest_is_thrown_away() {
        let mut session = Session::new(false, &Work::None);
        assert_eq!((session.want(), session.limit()), (Want::Read, Limit::Idle));
        session.expired();
        assert_eq!(session.want(), Want::Finish);
        session.finished();
        assert_eq!((session.want(), session.limit()), (Want::Read, Limit::Linger));
        session.received(&mut [1, 2, 3]);
        assert_eq!(session.want(), Want::Read);
        session.received(&mut []);
        assert_eq!(session.want(), Want::Close);
        assert_eq!(session.echoed(), 0);
    }

    #[test]
    fn a_reply_that_has_to_wait_is_written_afterwards() {
        let mut session = Session::new(false, &WAITING);
        session.received(&mut [1, 2]);
        assert_eq!((session.want(), session.limit()), (Want::Wait(Duration::from_secs(1)), Limit::None));
        // its buffer is not free meanwhile
        assert_eq!(session.holds(), 2);
        session.waited();
        assert_eq!((session.want(), session.limit()), (Want::Write(0..2), Limit::Write));
        session.sent(2);
        assert_eq!((session.want(), session.holds()), (Want::Read, 0));
    }

    #[test]
    fn a_client_that_takes_nothing_is_closed() {
        let mut session = Session::new(false, &Work::None);
        session.received(&mut [1, 2, 3]);
        session.sent(1);
        assert_eq!((session.want(), session.limit()), (Want::Write(1..3), Limit::Write));
        session.expired();
        assert_eq!(session.want(), Want::Close);
    }
}

//! A pipe between two processes, of any values that can be serialised: one way, or both ways.
//!
//! What Python's `multiprocessing.Pipe` offers:
//!
//! | there | here |
//! |---|---|
//! | `a, b = Pipe()` | [`duplex`]: each [`End`] sends one type of values and receives another |
//! | `r, s = Pipe(duplex=False)` | [`one_way`]: a [`Sender`] and a [`Receiver`] |
//! | `send(x)`, `recv()`, `poll(timeout)` | [`send`](Sender::send), [`recv`](Receiver::recv), [`poll`](Receiver::poll), and `try_…`, `…_within` |
//! | `EOFError` | [`GetError::Ended`]: the other end is gone, also if its process was killed. What it had sent is received first |
//! | `BrokenPipeError` | [`PutError::Closed`] |
//! | a message of any length; `send` may wait in the middle of one | a message is there whole or not at all; [`ROOM`] is the bound |
//! | two processes that use the same end at once corrupt it | two threads cannot (`&mut self`); two processes must not |
//!
//! **How it works.** For each direction a ring in shared memory, and a pair of sockets. Messages go through the ring: no system call while
//! they flow. The sockets are doorbell and lifeline: who finds the ring empty (or full) notes that it sleeps, looks once more, and waits
//! for its socket; the other side, after it has put (or taken) a message, sees the note and sends one byte. When a process
//! ends, in whatever way, the kernel closes its sockets: nobody waits for the dead.
//!
//! **What it costs.** Two descriptors and the ring's memory a direction. `cargo bench -p lab` has figures.
//!
//! **Where it breaks.** As with any pipe, an end is gone when *every* process has closed it, and a forked child has
//! copies of all. What a child uses is moved into its closure (so that the parent has it no more); what it does not use it
//! [closes](Receiver::close), or neither side hears that the other is gone:
//!
//! ```
//! use common::process::Builder;
//! use lab::mp::error::GetError;
//! use lab::mp::pipe;
//!
//! let (mut ours, theirs) = pipe::duplex::<u32, String>()?;
//! let child = Builder::new().fork(|| {
//!     ours.close(); // only this child's copy of the parent's end
//!     let mut theirs = theirs; // moved: only the child has it
//!     while let Ok(number) = theirs.recv() {
//!         theirs.send(format!("got {number}"))?;
//!     }
//!     Ok::<_, Box<dyn std::error::Error>>(())
//! })?;
//! ours.send(7)?;
//! assert_eq!(ours.recv()?, "got 7");
//! ours.close();
//! assert!(matches!(ours.recv(), Err(GetError::Ended)));
//! assert_eq!(child.join(None)?, Some(0)); // it heard the end
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! A sender whose receiver is gone is told so by the next `send` if the receiver slept or the ring is full, and else at
//! the latest after [`PEER_LOOKED_AFTER`]; what it sent in between is lost, as what was on its way is lost with any receiver.
//!
//! **Why no crate.** `ipc-channel` has one direction, no bound, and makes a system call or more for each message.

mod end;
mod side;

use std::io;
use std::marker::PhantomData;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use serde::Serialize;
use serde::de::DeserializeOwned;

use self::side::{Part, Side};
use super::Wait;
use super::error::{GetError, PutError};
use super::ring::Ring;
use super::value::{NotBytes, decode, encode, fingerprint, with_buffer};

pub use self::end::{End, duplex, duplex_with_room};

/// The room of a direction that is not told how much, in bytes. A message takes 8 bytes more than it is long; a longer one is
/// refused, and one that finds no room waits.
pub const ROOM: usize = 1 << 20;
/// So often a sender whose messages find room looks whether anybody is there to receive them.
pub const PEER_LOOKED_AFTER: Duration = Duration::from_micros(100);

/// The end of a direction that sends.
#[derive(Debug)]
pub struct Sender<T> {
    side: Side,
    looked: Option<Instant>,
    values: PhantomData<fn(T)>,
}

/// The end of a direction that receives.
#[derive(Debug)]
pub struct Receiver<T> {
    side: Side,
    values: PhantomData<fn() -> T>,
}

/// A pipe that goes one way, with room for [`ROOM`] bytes.
///
/// # Errors
/// The kernel has no memory or descriptors for it.
pub fn one_way<T>() -> io::Result<(Sender<T>, Receiver<T>)> {
    one_way_with_room(ROOM)
}

/// A pipe that goes one way, with room for so many bytes: rounded up to a power of two, from 4 KiB to 1 GiB. The kernel gives the memory
/// when it is first used.
///
/// # Errors
/// As [`one_way`]; or more than 1 GiB.
pub fn one_way_with_room<T>(bytes: usize) -> io::Result<(Sender<T>, Receiver<T>)> {
    let (sending, receiving) = side::pair(bytes, fingerprint::<T>())?;
    let sender = Sender { side: sending, looked: None, values: PhantomData };
    Ok((sender, Receiver { side: receiving, values: PhantomData }))
}

impl<T> Sender<T> {
    /// The end behind the two descriptors that came from another process.
    ///
    /// # Errors
    /// They are something else, or of a pipe for other values.
    pub fn open(descriptors: [OwnedFd; 2]) -> io::Result<Self> {
        let side = Side::open(descriptors, Part::Sender, fingerprint::<T>())?;
        Ok(Self { side, looked: None, values: PhantomData })
    }

    /// For a process that is not forked. This process then has to [close](Self::close) its own copy.
    ///
    /// # Errors
    /// This end is closed.
    pub fn descriptors(&self) -> io::Result<[BorrowedFd<'_>; 2]> {
        self.side.descriptors()
    }

    /// Closes this process's copy of this end. When all are closed, the receiver gets what was sent, and then
    /// [`GetError::Ended`]. Dropping it does the same.
    pub fn close(&mut self) {
        self.side.close();
    }

    /// The length, as bytes, of the longest message that fits.
    #[must_use]
    pub fn longest(&self) -> usize {
        self.side.ring().longest()
    }
}

impl<T: Serialize> Sender<T> {
    /// Sends a value; waits for room.
    ///
    /// # Errors
    /// All of [`PutError`] but `Full`.
    pub fn send(&mut self, item: T) -> Result<(), PutError<T>> {
        self.send_waiting(item, Wait::Forever)
    }

    /// Sends a value if there is room now.
    ///
    /// # Errors
    /// See [`PutError`].
    pub fn try_send(&mut self, item: T) -> Result<(), PutError<T>> {
        self.send_waiting(item, Wait::No)
    }

    /// Sends a value; waits for room no longer than this.
    ///
    /// # Errors
    /// See [`PutError`].
    pub fn send_within(&mut self, item: T, span: Duration) -> Result<(), PutError<T>> {
        self.send_waiting(item, Wait::at_most(span))
    }

    fn send_waiting(&mut self, item: T, wait: Wait) -> Result<(), PutError<T>> {
        let most = self.longest();
        with_buffer(|buffer| match encode(&item, buffer, most) {
            Err(NotBytes::TooLarge) => Err(PutError::TooLarge { item, most }),
            Err(NotBytes::Unserializable(why)) => Err(PutError::Unserializable { item, why }),
            Ok(()) => match self.send_bytes(buffer, wait) {
                Ok(Sent::Yes) => Ok(()),
                Ok(Sent::NoRoom) => Err(PutError::Full(item)),
                Ok(Sent::NobodyThere) => Err(PutError::Closed(item)),
                Err(why) => Err(PutError::Broken { item, why }),
            },
        })
    }

    fn send_bytes(&mut self, message: &[u8], wait: Wait) -> io::Result<Sent> {
        let now = Instant::now();
        if self.looked.is_none_or(|then| now.duration_since(then) >= PEER_LOOKED_AFTER) {
            self.looked = Some(now);
            self.side.look_after_peer()?;
        }
        loop {
            if self.side.peer_is_gone() {
                return Ok(Sent::NobodyThere);
            }
            if let Some(number) = self.side.ring().put(message, || ())? {
                self.side.ring_the_bell()?;
                // with a peer that is gone by now nothing moves any more: it had taken this message, or nobody will
                let lost = self.side.peer_is_gone() && self.side.ring().next_number() == number;
                return Ok(if lost { Sent::NobodyThere } else { Sent::Yes });
            }
            if !self.side.wait(|ring| ring.has_room(message.len()), wait)? {
                return Ok(Sent::NoRoom);
            }
        }
    }
}

enum Sent {
    Yes,
    NoRoom,
    NobodyThere,
}

impl<T> Receiver<T> {
    /// As [`Sender::open`].
    ///
    /// # Errors
    /// They are something else, or of a pipe for other values.
    pub fn open(descriptors: [OwnedFd; 2]) -> io::Result<Self> {
        let side = Side::open(descriptors, Part::Receiver, fingerprint::<T>())?;
        Ok(Self { side, values: PhantomData })
    }

    /// As [`Sender::descriptors`].
    ///
    /// # Errors
    /// This end is closed.
    pub fn descriptors(&self) -> io::Result<[BorrowedFd<'_>; 2]> {
        self.side.descriptors()
    }

    /// Closes this process's copy of this end. When all are closed, sending is [`PutError::Closed`]. Dropping it does the same.
    pub fn close(&mut self) {
        self.side.close();
    }

    /// Whether a `recv` would not wait: there is a message, or it has ended. Waits for that no longer than this.
    ///
    /// # Errors
    /// The kernel refused.
    pub fn poll(&mut self, timeout: Duration) -> io::Result<bool> {
        let wait = Wait::at_most(timeout);
        loop {
            if self.side.ring().has_a_message() || self.side.peer_is_gone() {
                return Ok(true);
            }
            if !self.side.wait(Ring::has_a_message, wait)? {
                return Ok(false);
            }
        }
    }
}

impl<T: DeserializeOwned> Receiver<T> {
    /// The next value; waits for one.
    ///
    /// # Errors
    /// All of [`GetError`] but `Empty`.
    pub fn recv(&mut self) -> Result<T, GetError> {
        self.recv_waiting(Wait::Forever)
    }

    /// The next value, if there is one now.
    ///
    /// # Errors
    /// See [`GetError`].
    pub fn try_recv(&mut self) -> Result<T, GetError> {
        self.recv_waiting(Wait::No)
    }

    /// The next value; waits for one no longer than this.
    ///
    /// # Errors
    /// See [`GetError`].
    pub fn recv_within(&mut self, span: Duration) -> Result<T, GetError> {
        self.recv_waiting(Wait::at_most(span))
    }

    fn recv_waiting(&mut self, wait: Wait) -> Result<T, GetError> {
        with_buffer(|buffer| {
            self.recv_bytes(buffer, wait)?;
            decode(buffer).map_err(GetError::OtherType)
        })
    }

    fn recv_bytes(&mut self, into: &mut Vec<u8>, wait: Wait) -> Result<(), GetError> {
        if self.side.is_closed() {
            return Err(GetError::Ended);
        }
        loop {
            // (asked first: what was sent before the end is still found)
            let gone = self.side.peer_is_gone();
            if self.side.ring().take(into, |_| ()).map_err(GetError::Broken)? {
                // (with a peer that is gone this does nothing)
                return self.side.ring_the_bell().map_err(GetError::Broken);
            }
            if gone {
                return Err(GetError::Ended);
            }
            if !self.side.wait(Ring::has_a_message, wait).map_err(GetError::Broken)? {
                return Err(GetError::Empty);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::Ordering;

    #[test]
    fn a_message_that_nobody_will_take_comes_back() {
        let (mut sender, receiver) = one_way::<u8>().unwrap();
        // its turn to look is not yet: the doorbell tells
        sender.looked = Some(Instant::now() + Duration::from_secs(3600));
        // as left by one that slept when it was killed
        sender.side.ring().word(Part::Receiver.word()).store(1, Ordering::SeqCst);
        drop(receiver);
        assert!(matches!(sender.send(7), Err(PutError::Closed(7))));
    }
}

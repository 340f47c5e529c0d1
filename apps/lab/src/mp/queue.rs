//! A bounded queue between processes, of any values that can be serialised.
//!
//! What Python's `multiprocessing.Queue` offers, without its traps:
//!
//! | there | here |
//! |---|---|
//! | `Queue(3)`; `Queue()` has no bound | [`Queue::bounded`]: always a bound, in items and in bytes |
//! | `put(x)`, `put_nowait(x)`, `put(x, timeout=…)`, `Full` | [`put`](Queue::put), [`try_put`](Queue::try_put), [`put_within`](Queue::put_within), [`PutError::Full`], which gives the item back |
//! | `get()`, `get_nowait()`, `get(timeout=…)`, `Empty` | [`get`](Queue::get), [`try_get`](Queue::try_get), [`get_within`](Queue::get_within), [`GetError::Empty`] |
//! | `qsize()`, `empty()`, `full()` | [`len`](Queue::len), [`is_empty`](Queue::is_empty), [`is_full`](Queue::is_full): true when they were asked, as there |
//! | no end: a reader waits for ever, or guesses from `Empty` | [`close`](Queue::close): readers get what is there, and then [`GetError::Ended`] |
//! | `put` hands the item to a *feeder thread*: right after it `empty()` is still true, and `get_nowait()` finds nothing | when `put` is back the item is there, for everybody |
//! | a child that has put much cannot end before somebody reads: `join` before `get` waits for ever | a child may end: what it has put stays. A `put` that waits for room is the only one who waits |
//! | a process that is killed in `get` keeps the lock: nobody can get any more | it holds nothing; the one item that it had just taken is lost with it |
//! | one byte stream for all; a writer killed in the middle of a message ends it | a message is there whole or not at all |
//!
//! **How it works.** The values are turned into bytes (`postcard`) and copied through a ring in shared memory; two robust locks, one
//! for each side; who has to wait sleeps in the kernel and uses no CPU. No thread, no socket.
//!
//! **What it costs.** `cargo bench -p lab` has the figures, beside Python's. Nothing is allocated for a message, except what the
//! value itself needs.
//!
//! **Where it breaks.** All who use a queue have to use the same type: [`Queue::open`] refuses another. A process that is stopped
//! (not killed) in the moment in which it holds a lock holds up its side until it goes on; calls with a time limit end in time. Other
//! programs that have the descriptor are trusted as threads are: they cannot make a value of nonsense, but they can break the locks.
//!
//! **Why no crate.** `ipc-channel` has no bounded channel, and one receiver; `crossbeam-channel` is for threads.
//!
//! ```
//! use common::process::Builder;
//! use lab::mp::error::GetError;
//! use lab::mp::queue::Queue;
//!
//! let queue: Queue<(u32, String)> = Queue::bounded(3)?;
//! let writer = Builder::new().fork(|| {
//!     for n in 1..=10 {
//!         queue.put((n, format!("message {n}")))?; // waits while there are three
//!     }
//!     queue.close()?;
//!     Ok::<_, Box<dyn std::error::Error>>(())
//! })?;
//! let mut sum = 0;
//! let end = loop {
//!     match queue.get() {
//!         Ok((n, _)) => sum += n,
//!         Err(end) => break end,
//!     }
//! };
//! assert!(matches!(end, GetError::Ended));
//! assert_eq!((sum, writer.join(None)?), (55, Some(0)));
//! # Ok::<(), std::io::Error>(())
//! ```

use std::io;
use std::marker::PhantomData;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::sync::atomic::Ordering;
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::Wait;
use super::channel::{Channel, Nothing, Refused};
use super::error::{GetError, PutError};
use super::value::{NotBytes, decode, encode, fingerprint, with_buffer};

/// The room of a queue that is not told how much, in bytes. All items that wait share it; a longer one is refused.
pub const ROOM: usize = 1 << 20;

/// The channel's counter that says of what type the values are.
const TYPE: usize = 0;
const COUNTERS: usize = 1;

/// The queue. `&Queue` works in threads and in forked children; others get its [descriptor](Queue::descriptor).
#[derive(Debug)]
pub struct Queue<T> {
    channel: Channel,
    values: PhantomData<fn(T) -> T>,
}

impl<T> Queue<T> {
    /// For at most so many items (at least 1) in [`ROOM`].
    ///
    /// # Errors
    /// More than 2^31 items, or the kernel has no memory or descriptor for it.
    pub fn bounded(items: usize) -> io::Result<Self> {
        Self::with_room(items, ROOM)
    }

    /// For at most so many items (at least 1) of at most so many bytes together: rounded up to a power of two, from 4 KiB to 1 GiB. An item
    /// takes 8 bytes more than it is long. The kernel gives the memory when it is first used.
    ///
    /// # Errors
    /// As [`Self::bounded`]; or more than 1 GiB.
    pub fn with_room(items: usize, bytes: usize) -> io::Result<Self> {
        let items = u32::try_from(items).unwrap_or(u32::MAX);
        let channel = Channel::create("queue", items, bytes, COUNTERS)?;
        channel.extra(TYPE).store(fingerprint::<T>(), Ordering::SeqCst);
        Ok(Self { channel, values: PhantomData })
    }

    /// The queue behind a descriptor that came from another process.
    ///
    /// # Errors
    /// It is something else, or a queue of other values.
    pub fn open(descriptor: OwnedFd) -> io::Result<Self> {
        let channel = Channel::open(descriptor, COUNTERS)?;
        if channel.extra(TYPE).load(Ordering::SeqCst) != fingerprint::<T>() {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "this is a queue of other values"));
        }
        Ok(Self { channel, values: PhantomData })
    }

    /// For a process that is not forked.
    #[must_use]
    pub fn descriptor(&self) -> BorrowedFd<'_> {
        self.channel.descriptor()
    }

    /// How many items wait. (By the time one reads the answer it may be another number. No decision should stand on it: a
    /// `try_put` decides and acts at once.)
    #[must_use]
    #[doc(alias = "qsize")]
    pub fn len(&self) -> usize {
        self.channel.len()
    }

    /// Whether none waits; see [`Self::len`].
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether as many wait as may; see [`Self::len`]. (There may be no room for an item before, if the items are long.)
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.len() == self.capacity()
    }

    /// How many items may wait.
    #[must_use]
    #[doc(alias = "maxsize")]
    pub fn capacity(&self) -> usize {
        self.channel.limit()
    }

    /// The length, as bytes, of the longest item that fits.
    #[must_use]
    pub fn longest(&self) -> usize {
        self.channel.longest()
    }

    /// The end of the stream: nothing more can be put. Items that are there can still be got. Whoever waits hears of it. Anybody may
    /// close it, and more than once.
    ///
    /// # Errors
    /// Another program wrote to the memory.
    pub fn close(&self) -> io::Result<()> {
        self.channel.close()
    }

    /// Whether it has been closed.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.channel.is_closed()
    }
}

impl<T: Serialize> Queue<T> {
    /// Puts an item in; waits for room. (A long item waits for as much room as it needs; short ones may overtake it.)
    ///
    /// # Errors
    /// All of [`PutError`] but `Full`.
    pub fn put(&self, item: T) -> Result<(), PutError<T>> {
        self.put_waiting(item, Wait::Forever)
    }

    /// Puts an item in if there is room now.
    ///
    /// # Errors
    /// See [`PutError`].
    #[doc(alias = "put_nowait")]
    pub fn try_put(&self, item: T) -> Result<(), PutError<T>> {
        self.put_waiting(item, Wait::No)
    }

    /// Puts an item in; waits for room no longer than this.
    ///
    /// # Errors
    /// See [`PutError`].
    pub fn put_within(&self, item: T, span: Duration) -> Result<(), PutError<T>> {
        self.put_waiting(item, Wait::at_most(span))
    }

    fn put_waiting(&self, item: T, wait: Wait) -> Result<(), PutError<T>> {
        let most = self.longest();
        with_buffer(|buffer| match encode(&item, buffer, most) {
            Err(NotBytes::TooLarge) => Err(PutError::TooLarge { item, most }),
            Err(NotBytes::Unserializable(why)) => Err(PutError::Unserializable { item, why }),
            Ok(()) => match self.channel.put(buffer, wait) {
                Ok(_) => Ok(()),
                Err(Refused::Full) => Err(PutError::Full(item)),
                Err(Refused::Closed) => Err(PutError::Closed(item)),
                Err(Refused::TooLarge { most }) => Err(PutError::TooLarge { item, most }),
                Err(Refused::Broken(why)) => Err(PutError::Broken { item, why }),
            },
        })
    }
}

impl<T: DeserializeOwned> Queue<T> {
    /// The oldest item; waits for one.
    ///
    /// # Errors
    /// All of [`GetError`] but `Empty`.
    pub fn get(&self) -> Result<T, GetError> {
        self.get_waiting(Wait::Forever)
    }

    /// The oldest item, if there is one now.
    ///
    /// # Errors
    /// See [`GetError`].
    #[doc(alias = "get_nowait")]
    pub fn try_get(&self) -> Result<T, GetError> {
        self.get_waiting(Wait::No)
    }

    /// The oldest item; waits for one no longer than this.
    ///
    /// # Errors
    /// See [`GetError`].
    pub fn get_within(&self, span: Duration) -> Result<T, GetError> {
        self.get_waiting(Wait::at_most(span))
    }

    fn get_waiting(&self, wait: Wait) -> Result<T, GetError> {
        with_buffer(|buffer| match self.channel.get(buffer, wait, |_| ()) {
            Ok(()) => decode(buffer).map_err(GetError::OtherType),
            Err(Nothing::Empty) => Err(GetError::Empty),
            Err(Nothing::Ended) => Err(GetError::Ended),
            Err(Nothing::Broken(why)) => Err(GetError::Broken(why)),
        })
    }
}

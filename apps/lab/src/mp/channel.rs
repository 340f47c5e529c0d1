//! Messages of bytes between processes, through memory that all of them see: what the queue and the pool stand on.
//!
//! **How it works.** A ring of bytes with a head and a tail. Who writes holds one lock, who reads another, so a writer and a
//! reader do not meet; a message is there when the tail has moved behind it, and gone when the head has: one store
//! each. While messages flow nobody enters the kernel. Who finds the ring empty (or full) looks again for some microseconds, and then
//! sleeps on a futex.
//!
//! **Who is killed hurts nobody.** The locks are robust: a dead holder's lock goes to the next one. All that it may have been
//! doing is one of these: before its store, and nothing has happened (the message was not put, or is still there for somebody
//! else); after it, and everything has. No wake-up is lost either: sleepers are woken *before* the store, by whoever holds
//! the lock, and a sleeper goes to sleep only while it holds the other side's lock, so it finds the store done or waits for
//! the lock; and the lock of the dead is handed on by the kernel. (Pipes, sockets and semaphores that carry tokens lose a token with
//! a process that is killed between two system calls; this is why it is none of them.)
//!
//! **What it costs.** Some 100 ns for a short message that is put and got; a system call on either side when one had to sleep.
//! All sleepers are woken, not one: the one might be killed before it acts.
//!
//! **Bounds.** As many messages and bytes as it was made for; then [`Refused::Full`].

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use common::shared::{Layout, Region};
use rustix::thread::futex;

use super::Wait;

/// The mutexes.
const WRITERS: usize = 0;
const READERS: usize = 1;
/// The counters. (`LIMIT`: of messages; whoever opens the region has to know it.)
const TAIL: usize = 0;
const HEAD: usize = 1;
const LIMIT: usize = 2;
const CLOSED: usize = 3;
const COUNTERS: usize = 4;
/// The words: what sleepers sleep on, and whether there are any.
const NOT_EMPTY: usize = 0;
const NOT_FULL: usize = 1;
const READERS_SLEEP: usize = 2;
const WRITERS_SLEEP: usize = 3;
const WORDS: usize = 4;

/// Positions are counted in these: 2^32 of them are 32 GiB.
const UNIT: usize = 8;
/// Before each message stands its length.
const HEADER: usize = UNIT;
/// The largest ring.
const BYTES_MAX: usize = 1 << 30;
/// Who has to wait looks so often again before it sleeps: some microseconds, less than sleeping and waking cost.
const LOOKS: u32 = 100;

/// The channel. It may be used by many threads and processes at once; clones of it are made by sharing a reference, by forking, or
/// by passing the descriptor.
#[derive(Debug)]
pub(crate) struct Channel {
    region: Region,
}

/// Why a message was not put.
#[derive(Debug)]
pub(crate) enum Refused {
    /// No room, in the time that was given.
    Full,
    /// It has been closed.
    Closed,
    /// It will never fit; this would.
    TooLarge { most: usize },
    /// The lock is broken: another program wrote to the memory.
    Broken(io::Error),
}

/// Why no message was got.
#[derive(Debug)]
pub(crate) enum Nothing {
    /// There is none, in the time that was given.
    Empty,
    /// There is none, and there will be none.
    Ended,
    /// The lock is broken: another program wrote to the memory.
    Broken(io::Error),
}

/// A place in the ring: how many messages lie before it since the beginning, and where it is. Both count on and on, and wrap;
/// they are one number, so that they change together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Place {
    messages: u32,
    units: u32,
}

impl Place {
    fn load(from: &AtomicU64) -> Self {
        let both = from.load(Ordering::SeqCst);
        Self { messages: (both >> 32) as u32, units: both as u32 }
    }

    fn store(self, to: &AtomicU64) {
        to.store(u64::from(self.messages) << 32 | u64::from(self.units), Ordering::SeqCst);
    }

    /// The place behind a message of this length.
    fn behind(self, length: usize) -> Self {
        let units = units_of(length) as u32;
        Self { messages: self.messages.wrapping_add(1), units: self.units.wrapping_add(units) }
    }

    fn bytes_since(self, earlier: Self) -> usize {
        self.units.wrapping_sub(earlier.units) as usize * UNIT
    }

    fn messages_since(self, earlier: Self) -> usize {
        self.messages.wrapping_sub(earlier.messages) as usize
    }
}

fn units_of(length: usize) -> usize {
    (HEADER + length).div_ceil(UNIT)
}

impl Channel {
    /// For at most so many messages and (rounded up to a power of two) bytes; `extra` counters are the user's own.
    ///
    /// # Errors
    /// Too large, or the kernel has no memory.
    pub(crate) fn create(name: &str, messages: u32, bytes: usize, extra: usize) -> io::Result<Self> {
        if bytes > BYTES_MAX || messages > u32::MAX / 2 {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "a queue holds at most 1 GiB"));
        }
        let bytes = bytes.max(4096).next_power_of_two();
        let layout = Layout { mutexes: 2, counters: COUNTERS + extra, words: WORDS, bytes };
        let region = Region::create(name, layout)?;
        region.counter(LIMIT).store(u64::from(messages.max(1)), Ordering::SeqCst);
        Ok(Self { region })
    }

    /// The channel behind a descriptor.
    ///
    /// # Errors
    /// It is something else.
    pub(crate) fn open(descriptor: OwnedFd) -> io::Result<Self> {
        let region = Region::open(descriptor)?;
        let Layout { mutexes, counters, words, bytes } = region.layout();
        if mutexes < 2 || counters < COUNTERS || words < WORDS || !bytes.is_power_of_two() {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "this descriptor is no queue"));
        }
        Ok(Self { region })
    }

    pub(crate) fn descriptor(&self) -> BorrowedFd<'_> {
        self.region.as_fd()
    }

    /// How many messages wait.
    pub(crate) fn len(&self) -> usize {
        // the head first: it never passes the tail
        let head = Place::load(self.region.counter(HEAD));
        Place::load(self.region.counter(TAIL)).messages_since(head).min(self.limit())
    }

    /// How many may wait.
    pub(crate) fn limit(&self) -> usize {
        usize::try_from(self.region.counter(LIMIT).load(Ordering::SeqCst)).unwrap_or(usize::MAX)
    }

    /// One of the user's own counters.
    pub(crate) fn extra(&self, number: usize) -> &AtomicU64 {
        self.region.counter(COUNTERS + number)
    }

    /// Puts a message in; gives its number (they count from 0, and wrap).
    pub(crate) fn put(&self, message: &[u8], wait: Wait) -> Result<u32, Refused> {
        let most = self.region.layout().bytes - HEADER;
        if message.len() > most {
            return Err(Refused::TooLarge { most });
        }
        loop {
            let put = self.region.mutex(WRITERS).hold(|_| self.put_now(message)).map_err(Refused::Broken)?;
            match put {
                Err(Refused::Full) if self.may_have_room(message.len(), wait)? => {}
                other => return other,
            }
        }
    }

    /// Takes the oldest message out and into `into`. `taking` is told its number while it is still in the ring: what it writes
    /// down is there if the message is gone.
    pub(crate) fn get(&self, into: &mut Vec<u8>, wait: Wait, taking: impl Fn(u32)) -> Result<(), Nothing> {
        loop {
            let got =
                self.region.mutex(READERS).hold(|_| self.get_now(into, &taking)).map_err(Nothing::Broken)?;
            match got {
                Err(Nothing::Empty) if self.may_have_a_message(wait)? => {}
                other => return other,
            }
        }
    }

    /// Nothing more may be put in. What is in it can still be got; then it has ended.
    pub(crate) fn close(&self) -> io::Result<()> {
        self.region.mutex(WRITERS).hold(|_| {
            self.region.counter(CLOSED).store(1, Ordering::SeqCst);
            self.wake(READERS_SLEEP, NOT_EMPTY);
        })?;
        // writers that sleep have to hear of it, too
        self.region.mutex(READERS).hold(|_| self.wake(WRITERS_SLEEP, NOT_FULL))
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.region.counter(CLOSED).load(Ordering::SeqCst) != 0
    }

    /// Runs this while nothing can be taken out, with the number of the message that will be next.
    pub(crate) fn while_nothing_is_taken<T>(&self, action: impl FnOnce(u32) -> T) -> io::Result<T> {
        self.region.mutex(READERS).hold(|_| action(Place::load(self.region.counter(HEAD)).messages))
    }

    /// With the writers' lock.
    fn put_now(&self, message: &[u8]) -> Result<u32, Refused> {
        if self.is_closed() {
            return Err(Refused::Closed);
        }
        let tail = Place::load(self.region.counter(TAIL));
        if !self.has_room(message.len()) {
            return Err(Refused::Full);
        }
        self.copy_in(tail, &(message.len() as u64).to_le_bytes(), 0);
        self.copy_in(tail, message, HEADER);
        self.wake(READERS_SLEEP, NOT_EMPTY);
        tail.behind(message.len()).store(self.region.counter(TAIL));
        Ok(tail.messages)
    }

    /// With the readers' lock.
    fn get_now(&self, into: &mut Vec<u8>, taking: &impl Fn(u32)) -> Result<(), Nothing> {
        // (asked first: what was put before the end is still found)
        let closed = self.is_closed();
        let head = Place::load(self.region.counter(HEAD));
        if head == Place::load(self.region.counter(TAIL)) {
            return Err(if closed { Nothing::Ended } else { Nothing::Empty });
        }
        let mut header = [0; HEADER];
        self.copy_out(head, &mut header, 0);
        let length = usize::try_from(u64::from_le_bytes(header)).unwrap_or(usize::MAX);
        if length > self.region.layout().bytes - HEADER {
            return Err(Nothing::Broken(io::Error::new(
                io::ErrorKind::InvalidData,
                "the queue's memory was overwritten",
            )));
        }
        into.resize(length, 0);
        self.copy_out(head, into, HEADER);
        taking(head.messages);
        self.wake(WRITERS_SLEEP, NOT_FULL);
        head.behind(length).store(self.region.counter(HEAD));
        Ok(())
    }

    fn has_room(&self, length: usize) -> bool {
        let head = Place::load(self.region.counter(HEAD));
        let tail = Place::load(self.region.counter(TAIL));
        tail.messages_since(head) < self.limit()
            && tail.bytes_since(head) + units_of(length) * UNIT <= self.region.layout().bytes
    }

    fn has_a_message(&self) -> bool {
        Place::load(self.region.counter(HEAD)) != Place::load(self.region.counter(TAIL)) || self.is_closed()
    }

    /// Waits for room for a message of this length, or for the end; `false` or an error: the time is over.
    fn may_have_room(&self, length: usize, wait: Wait) -> Result<bool, Refused> {
        let may = || self.is_closed() || self.has_room(length);
        let sleep = || self.sleep(READERS, WRITERS_SLEEP, NOT_FULL, may, wait);
        Ok(wait != Wait::No && (looked_again(may) || sleep().map_err(Refused::Broken)?))
    }

    /// Waits for a message, or for the end.
    fn may_have_a_message(&self, wait: Wait) -> Result<bool, Nothing> {
        let may = || self.has_a_message();
        let sleep = || self.sleep(WRITERS, READERS_SLEEP, NOT_EMPTY, may, wait);
        Ok(wait != Wait::No && (looked_again(may) || sleep().map_err(Nothing::Broken)?))
    }

    /// Sleeps until woken, at most until the time is over (then `false`). Decides so with the lock of those who would wake it: none
    /// of them is in the middle of something.
    fn sleep(
        &self,
        their_lock: usize,
        sleeping: usize,
        word: usize,
        may: impl Fn() -> bool,
        wait: Wait,
    ) -> io::Result<bool> {
        let word = self.region.word(word);
        let seen = self.region.mutex(their_lock).hold(|_| {
            self.region.word(sleeping).store(1, Ordering::SeqCst);
            let seen = word.load(Ordering::SeqCst);
            (!may()).then_some(seen)
        })?;
        let Some(seen) = seen else { return Ok(true) };
        let left = match wait {
            Wait::No => Some(Duration::ZERO),
            Wait::Until(end) => Some(end.saturating_duration_since(Instant::now())),
            Wait::Forever => None,
        };
        if left == Some(Duration::ZERO) {
            return Ok(false);
        }
        sleep_on(word, seen, left);
        Ok(true)
    }

    /// Wakes all who sleep there, if there are any. With the lock, before what they wait for is done.
    fn wake(&self, sleeping: usize, word: usize) {
        if self.region.word(sleeping).load(Ordering::SeqCst) != 0 {
            self.region.word(sleeping).store(0, Ordering::SeqCst);
            self.region.word(word).fetch_add(1, Ordering::SeqCst);
            let _ = futex::wake(self.region.word(word), futex::Flags::empty(), i32::MAX as u32);
        }
    }

    fn copy_in(&self, place: Place, bytes: &[u8], after: usize) {
        let (at, first) = self.split(place, after, bytes.len());
        self.region.write(at, &bytes[..first]);
        self.region.write(0, &bytes[first..]);
    }

    fn copy_out(&self, place: Place, into: &mut [u8], after: usize) {
        let (at, first) = self.split(place, after, into.len());
        let (one, two) = into.split_at_mut(first);
        self.region.read(at, one);
        self.region.read(0, two);
    }

    /// Where a piece of the message at `place` begins, and how much of it stands before the ring's end; the rest is at its
    /// beginning.
    fn split(&self, place: Place, after: usize, length: usize) -> (usize, usize) {
        let size = self.region.layout().bytes;
        let at = (place.units as usize * UNIT + after) & (size - 1);
        (at, length.min(size - at))
    }
}

/// Looks again some times, which is cheaper than to sleep for so short a while.
fn looked_again(may: impl Fn() -> bool) -> bool {
    (0..LOOKS).any(|_| {
        std::hint::spin_loop();
        may()
    })
}

fn sleep_on(word: &AtomicU32, seen: u32, left: Option<Duration>) {
    let left = left.map(|span| futex::Timespec {
        tv_sec: i64::try_from(span.as_secs()).unwrap_or(i64::MAX),
        tv_nsec: span.subsec_nanos().into(),
    });
    // woken, changed before, over, or interrupted: the caller looks again in any case
    let _ = futex::wait(word, futex::Flags::empty(), seen, left.as_ref());
}

//! A ring of bytes in memory that processes share, with messages in it: what [`Channel`](super::channel::Channel) and
//! [`pipe`](super::pipe) have in common.
//!
//! It has a head and a tail. A message is there when the tail has moved behind it, and gone when the head has: one store each, and
//! nothing else counts; who is killed before its store has done nothing. One process at a time may put, and one at
//! a time may take: whoever uses the ring sees to that, and to who sleeps and is woken.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use common::shared::{Layout, Region, RobustMutex};

/// The counters. (`LIMIT`: of messages; whoever opens the region has to know it.)
const TAIL: usize = 0;
const HEAD: usize = 1;
const LIMIT: usize = 2;
const CLOSED: usize = 3;
const COUNTERS: usize = 4;

/// Positions are counted in these: 2^32 of them are 32 GiB.
const UNIT: usize = 8;
/// Before each message stands its length.
const HEADER: usize = UNIT;
/// The smallest ring, in bytes.
const BYTES_MIN: usize = 4096;
/// The largest ring, in bytes.
const BYTES_MAX: usize = 1 << 30;
/// As many messages may wait at most.
pub(super) const MESSAGES_MAX: u32 = u32::MAX / 2;

/// What its user keeps beside the ring.
#[derive(Debug, Clone, Copy)]
pub(super) struct Beside {
    pub(super) mutexes: usize,
    pub(super) words: usize,
    pub(super) counters: usize,
}

/// The ring. What stands in the memory it believes nobody: whoever writes nonsense there causes errors, or waits for ever, and that is all.
#[derive(Debug)]
pub(super) struct Ring {
    region: Region,
    /// How many messages may wait.
    limit: usize,
}

/// A place in the ring: how many messages lie before it since the beginning, and where it is. Both count on and on, and wrap;
/// they are one number, so that they change together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Place {
    messages: u32,
    units: u32,
}

impl Place {
    #[inline]
    fn load(from: &AtomicU64) -> Self {
        let both = from.load(Ordering::SeqCst);
        Self { messages: (both >> 32) as u32, units: both as u32 }
    }

    #[inline]
    fn store(self, to: &AtomicU64) {
        to.store(u64::from(self.messages) << 32 | u64::from(self.units), Ordering::SeqCst);
    }

    /// The place behind a message of this length.
    #[inline]
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

impl Ring {
    /// For at most so many messages and (rounded up to a power of two, at least 4 KiB) bytes.
    ///
    /// # Errors
    /// Too large, or the kernel has no memory.
    pub(super) fn create(name: &str, messages: u32, bytes: usize, beside: Beside) -> io::Result<Self> {
        if bytes > BYTES_MAX || messages > MESSAGES_MAX {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "at most 1 GiB, and 2^31 messages"));
        }
        let bytes = bytes.max(BYTES_MIN).next_power_of_two();
        let Beside { mutexes, words, counters } = beside;
        let region = Region::create(name, Layout { mutexes, counters: COUNTERS + counters, words, bytes })?;
        let messages = messages.max(1);
        region.counter(LIMIT).store(messages.into(), Ordering::SeqCst);
        Ok(Self { region, limit: messages as usize })
    }

    /// The ring behind a descriptor.
    ///
    /// # Errors
    /// It is something else.
    pub(super) fn open(descriptor: OwnedFd, beside: Beside) -> io::Result<Self> {
        let region = Region::open(descriptor)?;
        let Layout { mutexes, counters, words, bytes } = region.layout();
        let fits = mutexes == beside.mutexes && words == beside.words;
        if !fits || counters < COUNTERS + beside.counters || !(BYTES_MIN..=BYTES_MAX).contains(&bytes) {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "this descriptor is something else"));
        }
        let limit = region.counter(LIMIT).load(Ordering::SeqCst);
        if !bytes.is_power_of_two() || !(1..=u64::from(MESSAGES_MAX)).contains(&limit) {
            return Err(overwritten());
        }
        Ok(Self { region, limit: limit as usize })
    }

    pub(super) fn descriptor(&self) -> BorrowedFd<'_> {
        self.region.as_fd()
    }

    #[inline]
    pub(super) fn mutex(&self, number: usize) -> &RobustMutex {
        self.region.mutex(number)
    }

    #[inline]
    pub(super) fn word(&self, number: usize) -> &AtomicU32 {
        self.region.word(number)
    }

    /// One of the user's own counters.
    pub(super) fn extra(&self, number: usize) -> &AtomicU64 {
        self.region.counter(COUNTERS + number)
    }

    /// How many messages wait.
    pub(super) fn len(&self) -> usize {
        // the head first: it never passes the tail
        let head = Place::load(self.region.counter(HEAD));
        Place::load(self.region.counter(TAIL)).messages_since(head).min(self.limit())
    }

    /// How many may wait.
    #[inline]
    pub(super) fn limit(&self) -> usize {
        self.limit
    }

    /// The longest message that fits, in bytes.
    #[inline]
    pub(super) fn longest(&self) -> usize {
        self.region.layout().bytes - HEADER
    }

    /// The number of the message that is taken next.
    pub(super) fn next_number(&self) -> u32 {
        Place::load(self.region.counter(HEAD)).messages
    }

    /// From now on nothing may be put.
    pub(super) fn close(&self) {
        self.region.counter(CLOSED).store(1, Ordering::SeqCst);
    }

    #[inline]
    pub(super) fn is_closed(&self) -> bool {
        self.region.counter(CLOSED).load(Ordering::SeqCst) != 0
    }

    #[inline]
    pub(super) fn has_room(&self, length: usize) -> bool {
        let head = Place::load(self.region.counter(HEAD));
        let tail = Place::load(self.region.counter(TAIL));
        tail.messages_since(head) < self.limit()
            && tail.bytes_since(head) + units_of(length) * UNIT <= self.region.layout().bytes
    }

    #[inline]
    pub(super) fn has_a_message(&self) -> bool {
        Place::load(self.region.counter(HEAD)) != Place::load(self.region.counter(TAIL))
    }

    /// How many bytes and messages are between the two.
    ///
    /// # Errors
    /// There cannot be so many: another program wrote to the memory.
    #[inline]
    fn between(&self, head: Place, tail: Place) -> io::Result<(usize, usize)> {
        let (bytes, messages) = (tail.bytes_since(head), tail.messages_since(head));
        if bytes > self.region.layout().bytes || messages > self.limit {
            return Err(overwritten());
        }
        Ok((bytes, messages))
    }

    /// Puts a message (not longer than the [longest](Self::longest)) in, if there is room, and gives its number (they count from 0, and
    /// wrap). `before` runs before it is there.
    ///
    /// # Errors
    /// Another program wrote to the memory.
    #[inline]
    pub(super) fn put(&self, message: &[u8], before: impl FnOnce()) -> io::Result<Option<u32>> {
        let head = Place::load(self.region.counter(HEAD));
        let tail = Place::load(self.region.counter(TAIL));
        let (bytes, messages) = self.between(head, tail)?;
        if messages >= self.limit || bytes + units_of(message.len()) * UNIT > self.region.layout().bytes {
            return Ok(None);
        }
        self.copy_in(tail, &(message.len() as u64).to_le_bytes(), 0);
        self.copy_in(tail, message, HEADER);
        before();
        tail.behind(message.len()).store(self.region.counter(TAIL));
        Ok(Some(tail.messages))
    }

    /// Takes the oldest message out and into `into`; `false`: there is none. `before` is told its number and runs before it
    /// is gone.
    ///
    /// # Errors
    /// Another program wrote to the memory.
    #[inline]
    pub(super) fn take(&self, into: &mut Vec<u8>, before: impl FnOnce(u32)) -> io::Result<bool> {
        let head = Place::load(self.region.counter(HEAD));
        let tail = Place::load(self.region.counter(TAIL));
        if head == tail {
            return Ok(false);
        }
        let (bytes, _) = self.between(head, tail)?;
        let mut header = [0; HEADER];
        self.copy_out(head, &mut header, 0);
        let length = usize::try_from(u64::from_le_bytes(header)).unwrap_or(usize::MAX);
        if length > self.longest() || units_of(length) * UNIT > bytes {
            return Err(overwritten());
        }
        into.resize(length, 0);
        self.copy_out(head, into, HEADER);
        before(head.messages);
        head.behind(length).store(self.region.counter(HEAD));
        Ok(true)
    }

    #[inline]
    fn copy_in(&self, place: Place, bytes: &[u8], after: usize) {
        let (at, first) = self.split(place, after, bytes.len());
        self.region.write(at, &bytes[..first]);
        if first < bytes.len() {
            self.region.write(0, &bytes[first..]);
        }
    }

    #[inline]
    fn copy_out(&self, place: Place, into: &mut [u8], after: usize) {
        let (at, first) = self.split(place, after, into.len());
        let (one, two) = into.split_at_mut(first);
        self.region.read(at, one);
        if !two.is_empty() {
            self.region.read(0, two);
        }
    }

    /// Where a piece of the message at `place` begins, and how much of it stands before the ring's end; the rest is at its
    /// beginning.
    #[inline]
    fn split(&self, place: Place, after: usize, length: usize) -> (usize, usize) {
        let size = self.region.layout().bytes;
        let at = (place.units as usize * UNIT + after) & (size - 1);
        (at, length.min(size - at))
    }
}

/// Another program wrote to the memory.
pub(super) fn overwritten() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "the shared memory was overwritten")
}

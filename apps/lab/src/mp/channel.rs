//! Messages of bytes between processes, through memory that all of them see: what the queue and the pool stand on.
//!
//! **How it works.** A [ring](super::ring) of bytes. Who writes holds one lock, who reads another, so a writer and a
//! reader do not meet. While messages flow nobody enters the kernel. Who finds the ring empty (or full) looks
//! again some times, and then sleeps on a futex.
//!
//! **Who is killed hurts nobody.** The locks are robust: a dead holder's lock goes to the next one. All that it may have been
//! doing is one of these: before its store, and nothing has happened (the message was not put, or is still there for somebody
//! else); after it, and everything has. No wake-up is lost either: sleepers are woken *before* the store, by whoever holds
//! the lock, and a sleeper goes to sleep only while it holds the other side's lock, so it finds the store done or waits for
//! the lock; and the lock of the dead is handed on by the kernel. The note that there are sleepers is torn up *after* they were woken, so
//! that a waker who dies half-way leaves it to the next one. (Pipes, sockets and semaphores that carry tokens lose a
//! token with a process that is killed between two system calls; this is why it is none of them.)
//!
//! **What it costs.** Two copies of a message, and a system call on either side when one had to sleep. `cargo bench -p lab` has
//! figures for the queue and the pool. All sleepers are woken, not one: the one might be killed before it acts.
//!
//! **Where it breaks.** A process that is *stopped* (SIGSTOP) in the moment in which it holds a lock holds up its side of
//! the channel until it goes on or is killed. A call with a time limit ends all the same when that is over.
//!
//! **Bounds.** As many messages and bytes as it was made for; then [`Refused::Full`].

use std::io;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use rustix::thread::futex;

use super::Wait;
use super::ring::{Beside, Ring};

/// The mutexes.
const WRITERS: usize = 0;
const READERS: usize = 1;
const MUTEXES: usize = 2;
/// The words: what sleepers sleep on, and whether there are any.
const NOT_EMPTY: usize = 0;
const NOT_FULL: usize = 1;
const READERS_SLEEP: usize = 2;
const WRITERS_SLEEP: usize = 3;
const WORDS: usize = 4;

/// Who has to wait looks so often again before it sleeps: to sleep and be woken costs more than a short wait.
const LOOKS: u32 = 100;

/// The channel. It may be used by many threads and processes at once; clones of it are made by sharing a reference, by forking, or
/// by passing the descriptor.
#[derive(Debug)]
pub(crate) struct Channel {
    ring: Ring,
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

impl Channel {
    /// For at most so many messages and (rounded up to a power of two) bytes; `extra` counters are the user's own.
    ///
    /// # Errors
    /// Too large, or the kernel has no memory.
    pub(crate) fn create(name: &str, messages: u32, bytes: usize, extra: usize) -> io::Result<Self> {
        Ok(Self { ring: Ring::create(name, messages, bytes, beside(extra))? })
    }

    /// The channel behind a descriptor, with at least as many counters of the user's own.
    ///
    /// # Errors
    /// It is something else.
    pub(crate) fn open(descriptor: OwnedFd, extra: usize) -> io::Result<Self> {
        Ok(Self { ring: Ring::open(descriptor, beside(extra))? })
    }

    pub(crate) fn descriptor(&self) -> BorrowedFd<'_> {
        self.ring.descriptor()
    }

    /// How many messages wait.
    pub(crate) fn len(&self) -> usize {
        self.ring.len()
    }

    /// How many may wait.
    pub(crate) fn limit(&self) -> usize {
        self.ring.limit()
    }

    /// The longest message that fits, in bytes.
    pub(crate) fn longest(&self) -> usize {
        self.ring.longest()
    }

    /// One of the user's own counters.
    pub(crate) fn extra(&self, number: usize) -> &AtomicU64 {
        self.ring.extra(number)
    }

    /// Puts a message in; gives its number (they count from 0, and wrap).
    pub(crate) fn put(&self, message: &[u8], wait: Wait) -> Result<u32, Refused> {
        let most = self.ring.longest();
        if message.len() > most {
            return Err(Refused::TooLarge { most });
        }
        loop {
            let put = self.hold(WRITERS, wait, || self.put_now(message)).map_err(Refused::Broken)?;
            match put.ok_or(Refused::Full)? {
                Err(Refused::Full) if self.may_have_room(message.len(), wait)? => {}
                other => return other,
            }
        }
    }

    /// Takes the oldest message out and into `into`. `taking` is told its number while it is still in the ring: what it writes
    /// down is there if the message is gone.
    pub(crate) fn get(&self, into: &mut Vec<u8>, wait: Wait, taking: impl Fn(u32)) -> Result<(), Nothing> {
        loop {
            let got = self.hold(READERS, wait, || self.get_now(into, &taking)).map_err(Nothing::Broken)?;
            match got.ok_or(Nothing::Empty)? {
                Err(Nothing::Empty) if self.may_have_a_message(wait)? => {}
                other => return other,
            }
        }
    }

    /// Nothing more may be put in. What is in it can still be got; then it has ended.
    pub(crate) fn close(&self) -> io::Result<()> {
        // With both locks, for both sides have to hear of it, also if this process dies half-way. (Nobody else holds both.)
        self.ring.mutex(READERS).hold(|_| {
            self.ring.mutex(WRITERS).hold(|_| {
                self.wake(READERS_SLEEP, NOT_EMPTY);
                self.wake(WRITERS_SLEEP, NOT_FULL);
                self.ring.close();
            })
        })?
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.ring.is_closed()
    }

    /// Runs this while nothing can be taken out, with the number of the message that will be next.
    pub(crate) fn while_nothing_is_taken<T>(&self, action: impl FnOnce(u32) -> T) -> io::Result<T> {
        self.ring.mutex(READERS).hold(|_| action(self.ring.next_number()))
    }

    /// Runs this with one of the locks; `None`: somebody else had it until the time was over. (Who does not want to wait waits for
    /// the lock: it is held for a moment only, and is no reason to say that nothing is there.)
    #[inline]
    fn hold<T>(&self, lock: usize, wait: Wait, action: impl FnOnce() -> T) -> io::Result<Option<T>> {
        let lock = self.ring.mutex(lock);
        match wait {
            Wait::No | Wait::Forever => lock.hold(|_| action()).map(Some),
            Wait::Until(_) => lock.hold_within(|| wait.left().unwrap_or_default(), |_| action()),
        }
    }

    /// With the writers' lock.
    fn put_now(&self, message: &[u8]) -> Result<u32, Refused> {
        if self.is_closed() {
            return Err(Refused::Closed);
        }
        let put = self.ring.put(message, || self.wake(READERS_SLEEP, NOT_EMPTY));
        put.map_err(Refused::Broken)?.ok_or(Refused::Full)
    }

    /// With the readers' lock.
    fn get_now(&self, into: &mut Vec<u8>, taking: &impl Fn(u32)) -> Result<(), Nothing> {
        // (asked first: what was put before the end is still found)
        let closed = self.is_closed();
        let taken = self.ring.take(into, |number| {
            taking(number);
            self.wake(WRITERS_SLEEP, NOT_FULL);
        });
        match taken.map_err(Nothing::Broken)? {
            true => Ok(()),
            false if closed => Err(Nothing::Ended),
            false => Err(Nothing::Empty),
        }
    }

    /// Waits for room for a message of this length, or for the end; `false` or an error: the time is over.
    fn may_have_room(&self, length: usize, wait: Wait) -> Result<bool, Refused> {
        let may = || self.is_closed() || self.ring.has_room(length);
        let sleep = || self.sleep(READERS, WRITERS_SLEEP, NOT_FULL, may, wait);
        Ok(wait != Wait::No && (looked_again(may) || sleep().map_err(Refused::Broken)?))
    }

    /// Waits for a message, or for the end.
    fn may_have_a_message(&self, wait: Wait) -> Result<bool, Nothing> {
        let may = || self.ring.has_a_message() || self.is_closed();
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
        let word = self.ring.word(word);
        let seen = self.hold(their_lock, wait, || {
            self.ring.word(sleeping).store(1, Ordering::SeqCst);
            let seen = word.load(Ordering::SeqCst);
            (!may()).then_some(seen)
        })?;
        let Some(seen) = seen else { return Ok(false) };
        let Some(seen) = seen else { return Ok(true) };
        let left = wait.left();
        if left == Some(Duration::ZERO) {
            return Ok(false);
        }
        sleep_on(word, seen, left);
        Ok(true)
    }

    /// Wakes all who sleep there, if there are any. With the lock, before what they wait for is done.
    fn wake(&self, sleeping: usize, word: usize) {
        if self.ring.word(sleeping).load(Ordering::SeqCst) != 0 {
            self.ring.word(word).fetch_add(1, Ordering::SeqCst);
            let _ = futex::wake(self.ring.word(word), futex::Flags::empty(), i32::MAX as u32);
            // last: if we die before, the next one wakes them
            self.ring.word(sleeping).store(0, Ordering::SeqCst);
        }
    }
}

fn beside(extra: usize) -> Beside {
    Beside { mutexes: MUTEXES, words: WORDS, counters: extra }
}

/// Looks again some times, which is cheaper than to sleep for so short a while.
pub(super) fn looked_again(may: impl Fn() -> bool) -> bool {
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

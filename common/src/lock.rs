//! A lock that threads and processes share, and that a dead holder does not keep.
//!
//! Whoever gets the lock after a holder was killed is told so ([`Guard::owner_died`]) and may look after what the lock
//! protects. A plain semaphore, as Python's `multiprocessing.Lock` is one, stays locked for ever then.
//!
//! A POSIX mutex in shared memory, robust and checking: locking and unlocking make no system call while nobody else wants
//! it. Children that are forked have it; others get its [descriptor](Lock::descriptor).
//!
//! ```
//! use common::lock::Lock;
//! use common::process::Builder;
//!
//! let lock = Lock::new()?;
//! let child = {
//!     let lock = lock.clone();
//!     Builder::new().fork(move || -> i32 {
//!         let _held = lock.lock();
//!         std::process::abort() // with the lock in its hand
//!     })?
//! };
//! child.join(None)?;
//! assert!(lock.lock()?.owner_died());
//! assert!(!lock.lock()?.owner_died()); // said once, to the one who may repair
//! # Ok::<(), std::io::Error>(())
//! ```

use std::io;
use std::marker::PhantomData;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::time::Duration;

use crate::sys::region::{Layout, Region};
use crate::sys::robust::{Got, Patience};

const LAYOUT: Layout = Layout { mutexes: 1, counters: 0, words: 0, bytes: 0 };

/// The lock. Clones are the same lock.
#[derive(Debug, Clone)]
pub struct Lock(Arc<Region>);

/// Held, and released when it is dropped. It belongs to the thread that got it.
#[derive(Debug)]
#[must_use = "a guard that is dropped at once protects nothing"]
pub struct Guard {
    // (the memory stays mapped even if a guard is forgotten: the kernel may look at the mutex when this thread dies)
    region: Arc<Region>,
    got: Got,
    of_this_thread: PhantomData<*const ()>,
}

impl Lock {
    /// A new one, free.
    ///
    /// # Errors
    /// The kernel has no memory or no descriptor for it.
    pub fn new() -> io::Result<Self> {
        Ok(Self(Arc::new(Region::create("lock", LAYOUT)?)))
    }

    /// The lock behind a descriptor that came from another process.
    ///
    /// # Errors
    /// It is something else.
    pub fn open(descriptor: OwnedFd) -> io::Result<Self> {
        let region = Region::open(descriptor)?;
        if region.layout() != LAYOUT {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "this descriptor is no lock"));
        }
        Ok(Self(Arc::new(region)))
    }

    /// For a process that is not forked.
    #[must_use]
    pub fn descriptor(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }

    /// Waits until it is free and holds it.
    ///
    /// # Errors
    /// This thread holds it already.
    pub fn lock(&self) -> io::Result<Guard> {
        self.get(Patience::Unlimited)?.ok_or_else(|| io::ErrorKind::WouldBlock.into())
    }

    /// Holds it if it is free now.
    ///
    /// # Errors
    /// As [`Self::lock`], where the kernel tells; else `None`.
    pub fn try_lock(&self) -> io::Result<Option<Guard>> {
        self.get(Patience::None)
    }

    /// Waits for it no longer than this.
    ///
    /// # Errors
    /// As [`Self::lock`].
    pub fn lock_within(&self, span: Duration) -> io::Result<Option<Guard>> {
        self.get(Patience::For(span))
    }

    fn get(&self, patience: Patience) -> io::Result<Option<Guard>> {
        let got = self.0.mutex(0).lock(patience)?;
        Ok(got.map(|got| Guard { region: Arc::clone(&self.0), got, of_this_thread: PhantomData }))
    }
}

impl Guard {
    /// The last holder died with it: what it protects may be half-changed. Said to the first one after it only.
    #[must_use]
    pub fn owner_died(&self) -> bool {
        self.got == Got::OwnerDied
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        self.region.mutex(0).unlock();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::thread;
    use std::time::Instant;

    #[test]
    fn only_one_holds_it() {
        let lock = Lock::new().unwrap();
        let held = lock.lock().unwrap();
        thread::scope(|threads| {
            threads.spawn(|| assert!(lock.try_lock().unwrap().is_none()));
            threads.spawn(|| {
                let span = Duration::from_millis(5);
                let begun = Instant::now();
                assert!(lock.lock_within(span).unwrap().is_none());
                assert!(begun.elapsed() >= span);
            });
        });
        drop(held);
        assert!(lock.try_lock().unwrap().is_some_and(|guard| !guard.owner_died()));
    }

    #[test]
    fn locking_twice_is_an_error_and_no_deadlock() {
        let lock = Lock::new().unwrap();
        let _held = lock.lock().unwrap();
        let error = lock.lock().unwrap_err();
        assert!(error.to_string().contains("already"), "{error}");
    }

    #[test]
    fn it_is_found_by_its_descriptor_and_nothing_else_is() {
        let lock = Lock::new().unwrap();
        let other = Lock::open(lock.descriptor().try_clone_to_owned().unwrap()).unwrap();
        let _held = lock.lock().unwrap();
        thread::scope(|threads| {
            threads.spawn(|| assert!(other.try_lock().unwrap().is_none()));
        });
        let file = std::fs::File::open("/proc/self/exe").unwrap();
        assert!(Lock::open(file.into()).is_err());
        let queue = Layout { words: 4, bytes: 4096, ..LAYOUT };
        let queue = Region::create("queue", queue).unwrap();
        assert!(Lock::open(queue.as_fd().try_clone_to_owned().unwrap()).is_err());
        // nobody can take the memory away from under it
        let memory = std::fs::File::from(lock.descriptor().try_clone_to_owned().unwrap());
        assert!(memory.set_len(0).is_err());
    }

    #[test]
    fn a_thread_that_dies_with_it_does_not_keep_it() {
        let lock = Lock::new().unwrap();
        thread::scope(|threads| {
            threads.spawn(|| std::mem::forget(lock.lock().unwrap()));
        });
        assert!(lock.lock().unwrap().owner_died());
    }
}

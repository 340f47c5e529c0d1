//! A mutex in memory that processes share, which survives the death of whoever holds it.

use std::cell::UnsafeCell;
use std::io;
use std::mem::MaybeUninit;
use std::time::Duration;

use nix::errno::Errno;
use nix::time::{ClockId, clock_gettime};

unsafe extern "C" {
    /// POSIX.1-2024: as `pthread_mutex_timedlock`, by a clock of one's choice.
    fn pthread_mutex_clocklock(
        mutex: *mut libc::pthread_mutex_t,
        clock: libc::clockid_t,
        end: *const libc::timespec,
    ) -> libc::c_int;
}

/// The mutex. It never moves: it stands in a [`Region`](super::region::Region).
#[derive(Debug)]
#[repr(transparent)]
pub struct RobustMutex(UnsafeCell<libc::pthread_mutex_t>);

// SAFETY: the pthread functions are made to be called on the same mutex from many threads and processes.
unsafe impl Sync for RobustMutex {}

/// How long to wait for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Patience {
    /// Until it is free.
    Unlimited,
    /// At most so long.
    For(Duration),
    /// Not at all.
    None,
}

/// How it was got.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Got {
    /// From somebody who had unlocked it.
    Clean,
    /// From somebody who died with it: what it protects may be half-changed.
    OwnerDied,
}

impl RobustMutex {
    /// Makes the memory a mutex.
    ///
    /// # Errors
    /// The C library cannot.
    pub(super) fn initialise(&self) -> io::Result<()> {
        let mut attributes = MaybeUninit::<libc::pthread_mutexattr_t>::uninit();
        // SAFETY: it initialises the attributes that it is given.
        check(unsafe { libc::pthread_mutexattr_init(attributes.as_mut_ptr()) })?;
        // SAFETY: the attributes are initialised.
        let attributes = unsafe { attributes.assume_init_mut() };
        // SAFETY: the attributes are initialised.
        check(unsafe { libc::pthread_mutexattr_setpshared(attributes, libc::PTHREAD_PROCESS_SHARED) })?;
        // SAFETY: the attributes are initialised.
        check(unsafe { libc::pthread_mutexattr_setrobust(attributes, libc::PTHREAD_MUTEX_ROBUST) })?;
        // SAFETY: the attributes are initialised.
        check(unsafe { libc::pthread_mutexattr_settype(attributes, libc::PTHREAD_MUTEX_ERRORCHECK) })?;
        // SAFETY: the memory is large enough, ours, and not in use yet.
        check(unsafe { libc::pthread_mutex_init(self.0.get(), attributes) })
    }

    /// Holds it while `action` runs, which is told how it was got. If the last holder died with it, it is ours all the same.
    ///
    /// # Errors
    /// This thread holds it already.
    #[inline]
    pub fn hold<T>(&self, action: impl FnOnce(Got) -> T) -> io::Result<T> {
        let got = self.lock(Patience::Unlimited)?.ok_or(io::ErrorKind::WouldBlock)?;
        let _unlock = UnlockOnDrop(self);
        Ok(action(got))
    }

    /// As [`Self::hold`], but waits for it no longer than this (which is asked for if it is not free at once); `None`: it was
    /// not free in time.
    ///
    /// # Errors
    /// As [`Self::hold`].
    #[inline]
    pub fn hold_within<T>(
        &self,
        span: impl FnOnce() -> Duration,
        action: impl FnOnce(Got) -> T,
    ) -> io::Result<Option<T>> {
        let got = match self.lock(Patience::None)? {
            None => self.lock(Patience::For(span()))?,
            got => got,
        };
        let Some(got) = got else { return Ok(None) };
        let _unlock = UnlockOnDrop(self);
        Ok(Some(action(got)))
    }

    /// Locks; `None`: it was not free in time.
    #[inline]
    pub(crate) fn lock(&self, patience: Patience) -> io::Result<Option<Got>> {
        let mutex = self.0.get();
        let outcome = match patience {
            // SAFETY: the mutex was initialised when its region was made.
            Patience::Unlimited => unsafe { libc::pthread_mutex_lock(mutex) },
            // SAFETY: as above.
            Patience::None => unsafe { libc::pthread_mutex_trylock(mutex) },
            Patience::For(span) => {
                let end = clock_after(span)?;
                // SAFETY: as above, and `end` lives longer than the call.
                unsafe { pthread_mutex_clocklock(mutex, libc::CLOCK_MONOTONIC, &raw const end) }
            }
        };
        match outcome {
            0 => Ok(Some(Got::Clean)),
            libc::EOWNERDEAD => {
                // SAFETY: we hold the mutex, and this is the answer to EOWNERDEAD.
                check(unsafe { libc::pthread_mutex_consistent(mutex) })?;
                Ok(Some(Got::OwnerDied))
            }
            libc::EBUSY | libc::ETIMEDOUT => Ok(None),
            libc::EDEADLK => Err(io::Error::other("this thread holds the lock already")),
            error => Err(Errno::from_raw(error).into()),
        }
    }

    /// Unlocks what this thread holds; anything else the C library refuses, and nothing happens.
    #[inline]
    pub(crate) fn unlock(&self) {
        // SAFETY: the mutex was initialised, and its kind checks that this thread holds it.
        unsafe { libc::pthread_mutex_unlock(self.0.get()) };
    }
}

struct UnlockOnDrop<'a>(&'a RobustMutex);

impl Drop for UnlockOnDrop<'_> {
    #[inline]
    fn drop(&mut self) {
        self.0.unlock();
    }
}

/// By the clock that nobody sets.
fn clock_after(span: Duration) -> io::Result<libc::timespec> {
    let end = Duration::from(clock_gettime(ClockId::CLOCK_MONOTONIC)?).saturating_add(span);
    Ok(libc::timespec {
        tv_sec: libc::time_t::try_from(end.as_secs()).unwrap_or(libc::time_t::MAX),
        tv_nsec: libc::c_long::from(end.subsec_nanos()),
    })
}

fn check(error: libc::c_int) -> io::Result<()> {
    if error == 0 { Ok(()) } else { Err(Errno::from_raw(error).into()) }
}

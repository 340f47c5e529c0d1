//! A mutex in memory that processes share, which survives the death of whoever holds it.

use std::cell::UnsafeCell;
use std::fs::File;
use std::io;
use std::mem::MaybeUninit;

use memmap2::MmapOptions;
use nix::errno::Errno;
use nix::sys::memfd::{MFdFlags, memfd_create};

/// The mutex. It lives as long as the process and its children.
#[derive(Debug)]
#[repr(transparent)]
pub(crate) struct RobustMutex(UnsafeCell<libc::pthread_mutex_t>);

// SAFETY: the pthread functions are made to be called on the same mutex from many threads and processes.
unsafe impl Sync for RobustMutex {}

/// Held; unlocked when it is dropped.
pub(crate) struct Held<'a>(&'a RobustMutex);

impl RobustMutex {
    /// Makes one that children forked from now on will share.
    ///
    /// # Errors
    /// The kernel has no memory for it.
    pub(crate) fn create() -> io::Result<&'static Self> {
        let memory = File::from(memfd_create("tcp-echo mutex", MFdFlags::MFD_CLOEXEC)?);
        memory.set_len(size_of::<Self>() as u64)?;
        let mapping = Box::leak(Box::new(MmapOptions::new().len(size_of::<Self>()).map_raw(&memory)?));
        // SAFETY: the mapping is page-aligned, as long as the mutex, and never unmapped; UnsafeCell makes writing to it from
        // elsewhere legal, and nobody uses it before it is initialised below.
        let mutex = unsafe { &*mapping.as_ptr().cast::<Self>() };
        let mut attributes = MaybeUninit::<libc::pthread_mutexattr_t>::uninit();
        // SAFETY: it initialises the attributes that it is given.
        check(unsafe { libc::pthread_mutexattr_init(attributes.as_mut_ptr()) })?;
        // SAFETY: the attributes are initialised.
        let attributes = unsafe { attributes.assume_init_mut() };
        // SAFETY: the attributes are initialised.
        check(unsafe { libc::pthread_mutexattr_setpshared(attributes, libc::PTHREAD_PROCESS_SHARED) })?;
        // SAFETY: the attributes are initialised.
        check(unsafe { libc::pthread_mutexattr_setrobust(attributes, libc::PTHREAD_MUTEX_ROBUST) })?;
        // SAFETY: the memory is large enough, ours, and not in use yet.
        check(unsafe { libc::pthread_mutex_init(mutex.0.get(), attributes) })?;
        Ok(mutex)
    }

    /// Waits for it and holds it. If its last holder died with it, it is ours all the same: it protects no data that could be
    /// half-changed.
    ///
    /// # Errors
    /// It cannot be used any more.
    pub(crate) fn lock(&self) -> io::Result<Held<'_>> {
        // SAFETY: the mutex was initialised by `create`.
        match unsafe { libc::pthread_mutex_lock(self.0.get()) } {
            0 => {}
            libc::EOWNERDEAD => {
                // SAFETY: we hold the mutex, and this is the answer to EOWNERDEAD.
                check(unsafe { libc::pthread_mutex_consistent(self.0.get()) })?;
            }
            error => return Err(Errno::from_raw(error).into()),
        }
        Ok(Held(self))
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        // SAFETY: this thread holds the mutex.
        unsafe { libc::pthread_mutex_unlock(self.0.0.get()) };
    }
}

fn check(error: libc::c_int) -> io::Result<()> {
    if error == 0 { Ok(()) } else { Err(Errno::from_raw(error).into()) }
}

//! What the parent and its workers share.

use std::io;
use std::sync::atomic::{AtomicU64, Ordering};

use nix::sys::eventfd::{EfdFlags, EventFd};

use crate::mp::channel::Channel;

/// The parent does not sleep.
pub(super) const AWAKE: u64 = 0;
/// It is to be woken when there is a result.
pub(super) const FOR_RESULTS: u64 = 1;
/// It is to be woken when there is a result, or room for a task.
pub(super) const FOR_ROOM: u64 = 2;

/// The two queues, and what wakes the parent.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) tasks: Channel,
    pub(super) results: Channel,
    /// The parent sleeps in `poll`, because it waits for the workers' deaths, too.
    pub(super) doorbell: EventFd,
}

impl Shared {
    pub(super) fn new(workers: usize, capacity: u32, bytes: usize) -> io::Result<Self> {
        let workers_max = u32::try_from(workers).unwrap_or(u32::MAX / 4);
        Ok(Self {
            tasks: Channel::create("pool-tasks", capacity, bytes, workers)?,
            // whatever was queued, and what the workers have in their hands
            results: Channel::create("pool-results", capacity.saturating_add(workers_max), bytes, 1)?,
            doorbell: EventFd::from_flags(EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK)?,
        })
    }

    /// What the worker in this place has in its hands: a task's number and one, or 0.
    pub(super) fn note(&self, place: usize) -> &AtomicU64 {
        self.tasks.extra(place)
    }

    /// Whether the parent sleeps, and what for.
    pub(super) fn asleep(&self) -> &AtomicU64 {
        self.results.extra(0)
    }

    /// For a worker that has just done something: wakes the parent if it sleeps for this or less. (Each of the two writes first and
    /// looks then, so one of them sees the other. A worker that dies in between wakes the parent by that.)
    pub(super) fn did(&self, what: u64) {
        if self.asleep().load(Ordering::SeqCst) >= what {
            // the counter is far from full: the parent empties it each time it wakes
            let _ = self.doorbell.write(1);
        }
    }
}

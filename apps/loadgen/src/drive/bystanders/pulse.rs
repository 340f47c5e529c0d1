//! What the bystanders' thread has done so far, for the conductor to read at the edges of the measured time.
//!
//! How: counters that the thread writes once a turn of its loop, before it sleeps, so that what it did in a turn that
//! has not ended is missing: less than a millisecond.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Written by the thread, read by the conductor.
#[derive(Debug, Default)]
pub struct Pulse {
    cpu: AtomicU64,
    replies: AtomicU64,
    bytes: AtomicU64,
}

/// The counters at one moment, or what they grew by between two.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Beat {
    /// CPU time of the thread.
    pub cpu: Duration,
    /// Right replies to the greedy ones.
    pub replies: u64,
    /// Bytes of these.
    pub bytes: u64,
}

impl Pulse {
    pub(super) fn set(&self, beat: &Beat) {
        self.cpu.store(u64::try_from(beat.cpu.as_nanos()).unwrap_or(u64::MAX), Ordering::Relaxed);
        self.replies.store(beat.replies, Ordering::Relaxed);
        self.bytes.store(beat.bytes, Ordering::Relaxed);
    }

    /// The counters now.
    #[must_use]
    pub fn now(&self) -> Beat {
        Beat {
            cpu: Duration::from_nanos(self.cpu.load(Ordering::Relaxed)),
            replies: self.replies.load(Ordering::Relaxed),
            bytes: self.bytes.load(Ordering::Relaxed),
        }
    }
}

impl Beat {
    /// What they grew by since `earlier`.
    #[must_use]
    pub fn since(&self, earlier: &Self) -> Self {
        Self {
            cpu: self.cpu.saturating_sub(earlier.cpu),
            replies: self.replies.saturating_sub(earlier.replies),
            bytes: self.bytes.saturating_sub(earlier.bytes),
        }
    }
}

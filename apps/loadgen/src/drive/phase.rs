//! The phases of a trial and what the threads share.
//!
//! ramp (connect) → warm up → settle (nothing in flight) → measure → drain (nothing in flight) → finish. Settling
//! and draining make the server's work between the two edges exactly that of the counted requests.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::time::Instant;

use crate::measure::Class;
use crate::pace::Budget;

/// What the client threads do now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Phase {
    /// Open all connections, send nothing.
    Ramp,
    /// Send, count apart.
    Warm,
    /// Send nothing, wait for what is in flight.
    Settle,
    /// Send and count.
    Measure,
    /// As [`Phase::Settle`], at the end.
    Drain,
    /// Close everything and return.
    Finish,
}

impl Phase {
    /// How many there are.
    pub const COUNT: usize = Self::ALL.len();

    const ALL: [Self; 6] = [Self::Ramp, Self::Warm, Self::Settle, Self::Measure, Self::Drain, Self::Finish];

    /// Whether new requests are sent.
    #[must_use]
    pub fn sends(self) -> bool {
        matches!(self, Self::Warm | Self::Measure)
    }
}

/// What the conductor and the client threads share. Nothing of it is written for every request, except the budget
/// where a total number of requests was asked for.
#[derive(Debug)]
pub struct Shared {
    phase: AtomicU8,
    established: AtomicU64,
    served: AtomicU64,
    first_failure: OnceLock<(Class, Option<i32>)>,
    /// Connections that failed, in the order of [`Class::ALL`]. Written only when one fails.
    failures: [AtomicU64; Class::COUNT],
    /// Requests that may still be sent while measuring.
    pub budget: Budget,
    /// Replies of each thread so far, written once per batch of events.
    pub progress: Vec<Progress>,
    /// Where the threads' nanoseconds begin.
    epoch: Instant,
    /// When the measuring begins, in these nanoseconds, and when it ends at the latest.
    measured: OnceLock<(u64, u64)>,
}

/// A count that one thread writes and the conductor reads; alone on its cache line.
#[derive(Debug, Default)]
#[repr(align(64))]
pub struct Progress(AtomicU64);

impl Progress {
    /// Called by the one thread that writes.
    pub fn set(&self, count: u64) {
        self.0.store(count, Ordering::Relaxed);
    }
}

impl Shared {
    /// The beginning of a trial.
    #[must_use]
    pub fn new(threads: usize, total: Option<u64>) -> Self {
        Self {
            phase: AtomicU8::new(Phase::Ramp as u8),
            established: AtomicU64::new(0),
            served: AtomicU64::new(0),
            first_failure: OnceLock::new(),
            failures: [const { AtomicU64::new(0) }; Class::COUNT],
            budget: Budget::new(total),
            progress: (0..threads).map(|_| Progress::default()).collect(),
            epoch: Instant::now(),
            measured: OnceLock::new(),
        }
    }

    /// Nanoseconds since the beginning of the trial.
    #[must_use]
    pub fn now(&self) -> u64 {
        u64::try_from(self.epoch.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }

    /// Says when the measuring begins and ends; the phase still has to be set.
    pub fn set_measured(&self, begin: u64, end: u64) {
        let _ = self.measured.set((begin, end));
    }

    /// When the measuring began.
    #[must_use]
    pub fn begin(&self) -> u64 {
        self.measured.get().map_or(0, |measured| measured.0)
    }

    /// When it ends; where only a number of requests was asked for, never.
    #[must_use]
    pub fn end(&self) -> u64 {
        self.measured.get().map_or(u64::MAX, |measured| measured.1)
    }

    /// What to do now.
    #[must_use]
    pub fn phase(&self) -> Phase {
        let number = usize::from(self.phase.load(Ordering::Acquire));
        Phase::ALL.get(number).copied().unwrap_or(Phase::Finish)
    }

    /// Says what to do from now on; the threads still have to be woken.
    pub fn set_phase(&self, phase: Phase) {
        self.phase.store(phase as u8, Ordering::Release);
    }

    /// A slot has its first connection.
    pub fn note_established(&self) {
        self.established.fetch_add(1, Ordering::Relaxed);
    }

    /// Whether any connection was ever established.
    #[must_use]
    pub fn anybody_established(&self) -> bool {
        self.established() > 0
    }

    /// How many slots have ever had a connection.
    #[must_use]
    pub fn established(&self) -> u64 {
        self.established.load(Ordering::Relaxed)
    }

    /// A connection has failed; the first failure is kept for the message to the user.
    pub fn note_failure(&self, class: Class, errno: Option<i32>) {
        let _ = self.first_failure.set((class, errno));
        self.failures[class as usize].fetch_add(1, Ordering::Relaxed);
    }

    /// Connections that have failed so far, in the order of [`Class::ALL`].
    #[must_use]
    pub fn failures(&self) -> [u64; Class::COUNT] {
        self.failures.each_ref().map(|count| count.load(Ordering::Relaxed))
    }

    /// Why the first connection failed that did.
    #[must_use]
    pub fn first_failure(&self) -> Option<(Class, Option<i32>)> {
        self.first_failure.get().copied()
    }

    /// A connection has received its first reply.
    pub fn note_served(&self) {
        self.served.fetch_add(1, Ordering::Relaxed);
    }

    /// How many slots have ever received a reply.
    #[must_use]
    pub fn served(&self) -> u64 {
        self.served.load(Ordering::Relaxed)
    }

    /// Whether anybody has ever received a reply.
    #[must_use]
    pub fn anybody_served(&self) -> bool {
        self.served() > 0
    }

    /// Replies so far, over all threads and phases.
    #[must_use]
    pub fn replies(&self) -> u64 {
        self.progress.iter().map(|replies| replies.0.load(Ordering::Relaxed)).sum()
    }
}

//! Counters that also work across processes; [`crate::report`] is made of them.
//!
//! They live in one shared mapping, so that a forked or executed handler counts in the same place as a thread does.
//! A connection adds its bytes once, when it ends: nothing is counted per request, and the bytes of a handler that
//! was killed are not known.

use std::io;
use std::os::fd::RawFd;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use crate::sys::reap::Roll;
use crate::sys::shared::{self, SharedCounters};

/// The most workers that a model may have: each has its own counter.
pub const WORKERS_MAX: usize = 1024;

/// What can go wrong with a connection, by kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(usize)]
pub enum Problem {
    /// It was gone before it was accepted, or the network refused it.
    Accept,
    /// Descriptors or memory ran out while accepting; the connection waited in the backlog.
    Exhausted,
    /// No thread or process could be made for it; it was closed.
    Spawn,
    /// The pool's queue was full and `--on-full reject` was asked for.
    Rejected,
    /// The peer broke it off (a reset, most often) or the network did.
    Broken,
    /// It sent nothing for `--idle-timeout`.
    Idle,
    /// It took nothing for `--write-timeout`.
    Stalled,
    /// Its handler panicked.
    Panic,
    /// Its handler's process died: killed, or an exit code other than 0.
    Crash,
}

/// The names of the problems in the report, in the order of [`Problem`].
pub(crate) const PROBLEMS: [&str; 9] =
    ["accept", "exhausted", "spawn", "rejected", "broken", "idle", "stalled", "panic", "crash"];

impl Problem {
    /// Its name in reports.
    #[must_use]
    pub fn name(self) -> &'static str {
        PROBLEMS[self as usize]
    }
}

/// The shared counters. All zero at the start.
#[derive(Debug)]
#[repr(C)]
pub struct Counters {
    /// Seats taken: by a connection, or for one that is about to be accepted.
    pub(crate) seats: AtomicU32,
    /// Connections being served or waiting in a pool's queue.
    pub(crate) active: AtomicU32,
    pub(crate) max_active: AtomicU32,
    pub(crate) connections: AtomicU64,
    pub(crate) bytes: AtomicU64,
    pub(crate) problems: [AtomicU64; PROBLEMS.len()],
    pub(crate) cut: AtomicU32,
    /// A stop has been requested: for processes that were started too late to get the signal.
    pub draining: AtomicBool,
    /// Log lines thrown away because nobody read them.
    pub log_lines_dropped: AtomicU64,
    /// When somebody complained last, in ms since the machine was started: no process of the server may again too soon.
    pub(crate) last_complaint: AtomicU64,
    /// Connections, or with offloading requests, that waited for a worker.
    pub queue: QueueCounters,
    /// What each worker did; where there are none, all zero.
    pub workers: [WorkerCounters; WORKERS_MAX],
    /// The processes that hold a seat.
    pub(crate) own_children: Roll,
}

/// What one worker did: a line of the processor's cache for each, so that none slows down another.
#[derive(Debug)]
#[repr(C, align(64))]
pub struct WorkerCounters {
    pub(crate) accepted: AtomicU64,
    pub(crate) bytes: AtomicU64,
    pub(crate) active: AtomicU32,
    pub(crate) restarts: AtomicU32,
    pub(crate) spurious_wakeups: AtomicU64,
    pub(crate) lag_max_ms: AtomicU64,
}

impl WorkerCounters {
    /// It took a connection.
    pub fn accepted(&self) {
        self.accepted.fetch_add(1, Ordering::Relaxed);
        self.active.fetch_add(1, Ordering::Relaxed);
    }

    /// A connection of its ended, after so many bytes were sent back.
    pub fn ended(&self, echoed: u64) {
        self.bytes.fetch_add(echoed, Ordering::Relaxed);
        self.active.fetch_sub(1, Ordering::Relaxed);
    }

    /// It died and is replaced; gives how many connections died with it.
    pub fn died(&self) -> u32 {
        self.active.swap(0, Ordering::Relaxed)
    }

    /// Another one takes its place.
    pub fn restarted(&self) {
        self.restarts.fetch_add(1, Ordering::Relaxed);
    }

    /// It was woken because there was somebody to accept, and found nobody.
    pub fn woken_for_nothing(&self) {
        self.spurious_wakeups.fetch_add(1, Ordering::Relaxed);
    }

    /// Its loop did not look for events for so long.
    pub fn lag(&self, milliseconds: u64) {
        // written by one thread
        if milliseconds > self.lag_max_ms.load(Ordering::Relaxed) {
            self.lag_max_ms.store(milliseconds, Ordering::Relaxed);
        }
    }
}

/// How long a queue was and how long it took.
#[derive(Debug)]
#[repr(C)]
pub struct QueueCounters {
    pub(crate) depth: AtomicU32,
    pub(crate) max_depth: AtomicU32,
    pub(crate) taken: AtomicU64,
    pub(crate) waited_ns: AtomicU64,
    pub(crate) max_wait_ns: AtomicU64,
}

impl QueueCounters {
    /// Something was put in, and so many are there now.
    pub fn put(&self, depth: usize) {
        let depth = u32::try_from(depth).unwrap_or(u32::MAX);
        self.depth.store(depth, Ordering::Relaxed);
        self.max_depth.fetch_max(depth, Ordering::Relaxed);
    }

    /// Something was taken out after it had waited so long, and so many are left.
    pub fn taken(&self, waited: Duration, depth: usize) {
        let ns = u64::try_from(waited.as_nanos()).unwrap_or(u64::MAX);
        self.depth.store(u32::try_from(depth).unwrap_or(u32::MAX), Ordering::Relaxed);
        self.taken.fetch_add(1, Ordering::Relaxed);
        self.waited_ns.fetch_add(ns, Ordering::Relaxed);
        self.max_wait_ns.fetch_max(ns, Ordering::Relaxed);
    }
}

impl Counters {
    /// Fresh counters in shared memory, and the descriptor by which an executed child finds them.
    ///
    /// # Errors
    /// The kernel has no memory for them.
    pub fn create() -> io::Result<SharedCounters> {
        shared::create()
    }

    /// The counters of the process that executed this one.
    ///
    /// # Errors
    /// The descriptor is not what it should be.
    pub fn inherited(descriptor: RawFd) -> io::Result<SharedCounters> {
        shared::inherited(descriptor)
    }

    /// Takes a seat for a connection that is about to be accepted, unless `most` are taken already.
    pub fn reserve(&self, most: u32) -> bool {
        let one_more = |taken| (taken < most).then_some(taken + 1);
        self.seats.fetch_update(Ordering::SeqCst, Ordering::SeqCst, one_more).is_ok()
    }

    /// Takes a seat, whether there is one or not: for who is the only one to accept and has looked before.
    pub fn seat(&self) {
        self.seats.fetch_add(1, Ordering::SeqCst);
    }

    /// A seat that was taken for somebody who did not come.
    pub fn not_needed(&self) {
        self.seats.fetch_sub(1, Ordering::SeqCst);
        common::signals::wake();
    }

    /// A connection was accepted, and has a seat; it counts as active until [`Counters::left`].
    pub fn entered(&self) {
        self.connections.fetch_add(1, Ordering::Relaxed);
        let active = self.active.fetch_add(1, Ordering::Relaxed) + 1;
        if active > self.max_active.load(Ordering::Relaxed) {
            self.max_active.fetch_max(active, Ordering::Relaxed);
        }
    }

    /// A connection has ended. Safe to call from a signal handler.
    pub fn left(&self) {
        self.active.fetch_sub(1, Ordering::Relaxed);
        self.seats.fetch_sub(1, Ordering::SeqCst);
        common::signals::wake();
    }

    /// Connections were still open, or still waited, when the drain time-out had passed.
    pub fn cut(&self, connections: usize) {
        self.cut.fetch_add(u32::try_from(connections).unwrap_or(u32::MAX), Ordering::Relaxed);
    }

    /// How many connections are active now.
    pub fn active(&self) -> u32 {
        self.active.load(Ordering::Relaxed)
    }

    /// How many seats are taken now: 0 when nobody is served and nobody is about to be.
    pub fn seats(&self) -> u32 {
        self.seats.load(Ordering::SeqCst)
    }

    /// A connection sent this many bytes back in all.
    pub fn echoed(&self, bytes: u64) {
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    /// Something went wrong. Safe to call from a signal handler.
    pub fn problem(&self, problem: Problem) {
        self.problems[problem as usize].fetch_add(1, Ordering::Relaxed);
    }

    /// How often that went wrong.
    pub fn count(&self, problem: Problem) -> u64 {
        self.problems[problem as usize].load(Ordering::Relaxed)
    }

    /// The counters of this worker; a number beyond [`WORKERS_MAX`] counts with the last.
    pub fn worker(&self, number: usize) -> &WorkerCounters {
        &self.workers[number.min(WORKERS_MAX - 1)]
    }
}

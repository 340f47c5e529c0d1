//! Counters that also work across processes, and the report made of them.
//!
//! They live in one shared mapping, so that a forked or executed handler counts in the same place as a thread does.
//! A connection adds its bytes once, when it ends: nothing is counted per request, and the bytes of a handler that
//! was killed are not known.

use std::collections::BTreeMap;
use std::fmt;
use std::os::fd::RawFd;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::time::Duration;
use std::{io, process};

use common::units;
use nix::sys::resource::{Usage, UsageWho, getrusage};
use nix::sys::time::TimeValLike;
use serde::Serialize;

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
const PROBLEMS: [&str; 9] =
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
    seats: AtomicU32,
    /// Connections being served or waiting in a pool's queue.
    active: AtomicU32,
    max_active: AtomicU32,
    connections: AtomicU64,
    bytes: AtomicU64,
    problems: [AtomicU64; PROBLEMS.len()],
    cut: AtomicU32,
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
    accepted: AtomicU64,
    bytes: AtomicU64,
    active: AtomicU32,
    restarts: AtomicU32,
    spurious_wakeups: AtomicU64,
    lag_max_ms: AtomicU64,
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
    depth: AtomicU32,
    max_depth: AtomicU32,
    taken: AtomicU64,
    waited_ns: AtomicU64,
    max_wait_ns: AtomicU64,
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

/// What `--stats` writes: the whole life of the server.
#[derive(Debug, Serialize)]
pub struct Report {
    /// The model and its settings, as in the ready line.
    pub mode: String,
    /// The server's process.
    pub pid: u32,
    /// How long it ran.
    pub seconds: f64,
    /// Connections accepted.
    pub connections: u64,
    /// Bytes sent back.
    pub bytes: u64,
    /// How often what went wrong.
    pub errors: BTreeMap<&'static str, u64>,
    /// Connections open now; 0 at the end, unless some were cut.
    pub active: u32,
    /// What each worker did; empty where there are none.
    pub workers: Vec<WorkerReport>,
    /// The queue between those who accept and those who serve; all zero where there is none.
    pub queue: QueueReport,
    /// The most connections at a time.
    pub max_active: u32,
    /// Connections still open when the drain time-out had passed.
    pub cut: u32,
    /// Log lines thrown away because nobody read them.
    pub log_lines_dropped: u64,
    /// What the server process used.
    pub usage_self: Used,
    /// What its children used, those that have been waited for.
    pub usage_children: Used,
}

/// One worker: a thread, a process or a loop.
#[derive(Debug, Serialize)]
pub struct WorkerReport {
    /// Connections that it took.
    pub accepted: u64,
    /// Connections that it has now.
    pub active: u32,
    /// Bytes that it sent back over connections that have ended.
    pub bytes: u64,
    /// How often it died and was replaced.
    pub restarts: u32,
    /// How often it was woken to accept somebody who was not there any more.
    pub spurious_wakeups: u64,
    /// The longest time, in ms and to 4 ms, for which its loop did not look for events: how long one handler held up the
    /// others.
    pub loop_lag_max_ms: u64,
}

/// How long the queue was, and what that cost.
#[derive(Debug, Serialize)]
pub struct QueueReport {
    /// How many wait now.
    pub depth: u32,
    /// The most that ever waited.
    pub max_depth: u32,
    /// How many went through it.
    pub taken: u64,
    /// How long one waited on average, in µs.
    pub mean_wait_us: f64,
    /// The longest wait, in µs.
    pub max_wait_us: f64,
}

/// Resources used, by the kernel's own accounts.
#[derive(Debug, Serialize)]
pub struct Used {
    user_seconds: f64,
    system_seconds: f64,
    voluntary_context_switches: i64,
    involuntary_context_switches: i64,
    minor_faults: i64,
    max_rss_kib: i64,
}

impl Report {
    /// The counters as they are now; `workers` is the size of the pool, 0 where there is none.
    ///
    /// # Errors
    /// The kernel has no accounts for us.
    pub fn of(counters: &Counters, mode: String, workers: usize, seconds: f64) -> io::Result<Self> {
        let load = |c: &AtomicU64| c.load(Ordering::Relaxed);
        Ok(Self {
            mode,
            pid: process::id(),
            seconds,
            connections: load(&counters.connections),
            bytes: load(&counters.bytes),
            errors: PROBLEMS.into_iter().zip(counters.problems.iter().map(load)).collect(),
            active: counters.active(),
            workers: counters.workers.iter().take(workers).map(WorkerReport::of).collect(),
            queue: QueueReport::of(&counters.queue),
            max_active: counters.max_active.load(Ordering::Relaxed),
            cut: counters.cut.load(Ordering::Relaxed),
            log_lines_dropped: load(&counters.log_lines_dropped),
            usage_self: Used::from(getrusage(UsageWho::RUSAGE_SELF)?),
            usage_children: Used::from(getrusage(UsageWho::RUSAGE_CHILDREN)?),
        })
    }
}

impl WorkerReport {
    fn of(worker: &WorkerCounters) -> Self {
        Self {
            accepted: worker.accepted.load(Ordering::Relaxed),
            active: worker.active.load(Ordering::Relaxed),
            bytes: worker.bytes.load(Ordering::Relaxed),
            restarts: worker.restarts.load(Ordering::Relaxed),
            spurious_wakeups: worker.spurious_wakeups.load(Ordering::Relaxed),
            loop_lag_max_ms: worker.lag_max_ms.load(Ordering::Relaxed),
        }
    }
}

impl QueueReport {
    fn of(queue: &QueueCounters) -> Self {
        let taken = queue.taken.load(Ordering::Relaxed);
        Self {
            depth: queue.depth.load(Ordering::Relaxed),
            max_depth: queue.max_depth.load(Ordering::Relaxed),
            taken,
            mean_wait_us: queue.waited_ns.load(Ordering::Relaxed) as f64 / taken.max(1) as f64 / 1e3,
            max_wait_us: queue.max_wait_ns.load(Ordering::Relaxed) as f64 / 1e3,
        }
    }
}

impl From<Usage> for Used {
    fn from(usage: Usage) -> Self {
        Self {
            user_seconds: usage.user_time().num_microseconds() as f64 / 1e6,
            system_seconds: usage.system_time().num_microseconds() as f64 / 1e6,
            voluntary_context_switches: usage.voluntary_context_switches(),
            involuntary_context_switches: usage.involuntary_context_switches(),
            minor_faults: usage.minor_page_faults(),
            max_rss_kib: usage.max_rss(),
        }
    }
}

/// The one-line summary at the end.
impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let cpu = |get: fn(&Used) -> f64| get(&self.usage_self) + get(&self.usage_children);
        write!(
            f,
            "served {} in {:.1} s: {} echoed, at most {} at a time, CPU {:.2} s user + {:.2} s system",
            units::plural(self.connections, "connection"),
            self.seconds,
            units::show_size(self.bytes),
            units::show_count(self.max_active.into()),
            cpu(|u| u.user_seconds),
            cpu(|u| u.system_seconds),
        )?;
        let problems: Vec<String> =
            self.errors.iter().filter(|(_, n)| **n > 0).map(|(name, n)| format!("{name} {n}")).collect();
        if !problems.is_empty() {
            write!(f, "; {}", problems.join(", "))?;
        }
        if self.cut > 0 {
            write!(
                f,
                "; {} cut when the drain time-out had passed",
                units::plural(self.cut.into(), "connection")
            )?;
        }
        Ok(())
    }
}

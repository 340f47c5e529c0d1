//! Counters that also work across processes, and the report made of them.
//!
//! They live in one shared mapping, so that a forked or executed handler counts in the same place as a thread does.
//! A connection adds its bytes once, when it ends: nothing is counted per request, and the bytes of a handler that
//! was killed are not known.

use std::collections::BTreeMap;
use std::fmt;
use std::os::fd::RawFd;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::{io, process};

use common::units;
use nix::sys::resource::{Usage, UsageWho, getrusage};
use nix::sys::time::TimeValLike;
use serde::Serialize;

use crate::sys::reap::Roll;
use crate::sys::shared::{self, SharedCounters};

/// The most workers that a pool may have: each has its own counter.
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
    /// Connections being served or waiting in a pool's queue.
    pub active: AtomicU32,
    max_active: AtomicU32,
    connections: AtomicU64,
    bytes: AtomicU64,
    problems: [AtomicU64; PROBLEMS.len()],
    accepted_by: [AtomicU64; WORKERS_MAX],
    cut: AtomicU32,
    /// A stop has been requested: for processes that were started too late to get the signal.
    pub draining: AtomicBool,
    /// Log lines thrown away because nobody read them.
    pub log_lines_dropped: AtomicU64,
    /// The processes that hold a seat.
    pub(crate) own_children: Roll,
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

    /// A connection was accepted; it counts as active until [`Counters::left`]. One thread accepts.
    pub fn entered(&self) {
        self.connections.fetch_add(1, Ordering::Relaxed);
        let active = self.active.fetch_add(1, Ordering::SeqCst) + 1;
        if active > self.max_active.load(Ordering::Relaxed) {
            self.max_active.store(active, Ordering::Relaxed);
        }
    }

    /// A connection has ended. Safe to call from a signal handler.
    pub fn left(&self) {
        self.active.fetch_sub(1, Ordering::SeqCst);
        common::signals::wake();
    }

    /// Connections were still open, or still waited, when the drain time-out had passed.
    pub fn cut(&self, connections: usize) {
        self.cut.fetch_add(u32::try_from(connections).unwrap_or(u32::MAX), Ordering::Relaxed);
    }

    /// How many connections are active now.
    pub fn active(&self) -> u32 {
        self.active.load(Ordering::SeqCst)
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

    /// This worker took a connection from the queue.
    pub fn accepted_by(&self, worker: usize) {
        if let Some(counter) = self.accepted_by.get(worker) {
            counter.fetch_add(1, Ordering::Relaxed);
        }
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
    /// Connections that each pool worker took; empty where there is no pool.
    pub accepted_per_worker: Vec<u64>,
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
            accepted_per_worker: counters.accepted_by.iter().take(workers).map(load).collect(),
            max_active: counters.max_active.load(Ordering::Relaxed),
            cut: counters.cut.load(Ordering::Relaxed),
            log_lines_dropped: load(&counters.log_lines_dropped),
            usage_self: Used::from(getrusage(UsageWho::RUSAGE_SELF)?),
            usage_children: Used::from(getrusage(UsageWho::RUSAGE_CHILDREN)?),
        })
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

//! The statistics (`--stats`, SIGUSR1) and the summary: what the counters say, for machines and in one line.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::{io, process};

use common::units;
use nix::sys::resource::{Usage, UsageWho, getrusage};
use nix::sys::time::TimeValLike;
use serde::Serialize;

use crate::stats::{Counters, PROBLEMS, QueueCounters, WorkerCounters};

/// The whole life of the server so far.
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

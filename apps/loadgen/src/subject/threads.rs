//! What each thread of a server has done so far: its CPU time and its context switches.
//!
//! How: `schedstat` and `status` of each live thread. Cost: two small reads for each of the server's threads. Where it
//! breaks: a thread that ends between two looks takes its figures with it, so of a server that makes a thread for each
//! connection and loses it in the measured time the switches are too low.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::Duration;

use super::tree::Whose;

/// One thread at one moment.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Thread {
    cpu: Duration,
    switches: u64,
}

/// All live threads, by their numbers.
#[must_use]
pub fn look(whose: &Whose) -> BTreeMap<i32, Thread> {
    let mut found = BTreeMap::new();
    for stat in whose.processes() {
        let Ok(tasks) = fs::read_dir(format!("/proc/{}/task", stat.pid)) else { continue };
        for task in tasks.flatten() {
            let Some(id) = task.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
            let thread = Thread {
                cpu: cpu(&task.path()).unwrap_or_default(),
                switches: fs::read_to_string(task.path().join("status")).map_or(0, |text| count(&text)),
            };
            found.insert(id, thread);
        }
    }
    found
}

/// The time of the thread that has worked most since `before`.
#[must_use]
pub fn busiest(before: &BTreeMap<i32, Thread>, after: &BTreeMap<i32, Thread>) -> Duration {
    let since = |(id, now): (&i32, &Thread)| now.cpu.saturating_sub(earlier(before, *id).cpu);
    after.iter().map(since).max().unwrap_or_default()
}

/// The context switches of all threads since `before`.
#[must_use]
pub fn switches(before: &BTreeMap<i32, Thread>, after: &BTreeMap<i32, Thread>) -> u64 {
    after.iter().map(|(id, now)| now.switches.saturating_sub(earlier(before, *id).switches)).sum()
}

/// A thread that was not there before began with nothing.
fn earlier(before: &BTreeMap<i32, Thread>, id: i32) -> Thread {
    before.get(&id).copied().unwrap_or_default()
}

/// Nanoseconds on a CPU: the first number of `schedstat`.
fn cpu(task: &Path) -> Option<Duration> {
    let text = fs::read_to_string(task.join("schedstat")).ok()?;
    text.split_whitespace().next()?.parse().ok().map(Duration::from_nanos)
}

/// Voluntary and involuntary ones, of a `status`.
fn count(status: &str) -> u64 {
    status
        .lines()
        .filter_map(|line| line.split_once("voluntary_ctxt_switches:"))
        .filter_map(|(_, number)| number.trim().parse::<u64>().ok())
        .sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_kinds_of_switches_count() {
        let status = "Name:\tx\nvoluntary_ctxt_switches:\t7\nnonvoluntary_ctxt_switches:\t30\n";
        assert_eq!(count(status), 37);
        assert_eq!(count("Name:\tx\n"), 0);
    }

    #[test]
    fn a_thread_that_is_new_counts_and_one_that_is_gone_does_not() {
        let of = |cpu, switches| Thread { cpu: Duration::from_nanos(cpu), switches };
        let before = BTreeMap::from([(1, of(100, 10)), (2, of(100, 10))]);
        let after = BTreeMap::from([(2, of(150, 14)), (3, of(70, 5))]);
        assert_eq!(switches(&before, &after), 9);
        assert_eq!(busiest(&before, &after), Duration::from_nanos(70));
    }
}

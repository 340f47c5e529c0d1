//! What a tree of processes has cost so far, seen from outside.
//!
//! How: CPU time is the kernel's own clock of each live process (nanoseconds) plus what each of them has inherited
//! from children that are dead and reaped (ticks of 10 ms). Memory is the proportional set size: pages that a fork
//! shares are counted once. Cost: a read of `/proc` for each process of the machine. Where it breaks: a child that
//! died and is not reaped yet is counted only when it is; [`settled`] waits for that.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use nix::time::{clock_getcpuclockid, clock_gettime};
use nix::unistd::Pid;
use procfs::process::{Stat, all_processes};

/// The longest wait for a server to become quiet.
const SETTLE: Duration = Duration::from_millis(200);
/// Between two looks.
const LOOK: Duration = Duration::from_millis(5);
/// A server that used less CPU time than this between two looks is quiet.
const QUIET: Duration = Duration::from_micros(50);

/// A tree of processes at one moment.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Sample {
    /// User and system time, dead children included.
    pub cpu: Duration,
    /// Live processes.
    pub processes: usize,
    /// Live threads, over all processes.
    pub threads: u64,
}

/// Takes a sample of `root` and all its descendants when they have become quiet, or after a short while.
#[must_use]
pub fn settled(root: u32) -> Sample {
    let end = Instant::now() + SETTLE;
    let mut last = take(root);
    loop {
        thread::sleep(LOOK);
        let now = take(root);
        let quiet = now.cpu.saturating_sub(last.cpu) < QUIET && now.threads == last.threads;
        if quiet || Instant::now() >= end {
            return now;
        }
        last = now;
    }
}

/// The CPU time of each live thread of `root` and all its descendants.
#[must_use]
pub fn threads(root: u32) -> BTreeMap<i32, Duration> {
    let mut found = BTreeMap::new();
    for stat in tree(root) {
        let Ok(tasks) = fs::read_dir(format!("/proc/{}/task", stat.pid)) else { continue };
        for task in tasks.flatten() {
            let Some(id) = task.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
            found.insert(id, thread_time(&task.path()).unwrap_or_default());
        }
    }
    found
}

/// The time of the thread that has worked most since `before`; one that has ended meanwhile is not seen.
#[must_use]
pub fn busiest(before: &BTreeMap<i32, Duration>, after: &BTreeMap<i32, Duration>) -> Duration {
    let since =
        |(id, time): (&i32, &Duration)| time.saturating_sub(before.get(id).copied().unwrap_or_default());
    after.iter().map(since).max().unwrap_or_default()
}

/// Nanoseconds on a CPU: the first number of `schedstat`.
fn thread_time(task: &Path) -> Option<Duration> {
    let text = fs::read_to_string(task.join("schedstat")).ok()?;
    text.split_whitespace().next()?.parse().ok().map(Duration::from_nanos)
}

/// Proportional set size of `root` and all its descendants, in bytes.
#[must_use]
pub fn memory(root: u32) -> Option<u64> {
    let sizes: Vec<u64> = tree(root).iter().filter_map(|stat| proportional_set_size(stat.pid)).collect();
    (!sizes.is_empty()).then(|| sizes.iter().sum())
}

fn take(root: u32) -> Sample {
    let mut sample = Sample::default();
    let ticks = procfs::ticks_per_second().max(1);
    for stat in tree(root) {
        let own = clock_getcpuclockid(Pid::from_raw(stat.pid)).and_then(clock_gettime);
        let dead = u64::try_from(stat.cutime + stat.cstime).unwrap_or(0);
        sample.cpu += own.map(Duration::from).unwrap_or_default();
        sample.cpu += Duration::from_nanos(dead * (1_000_000_000 / ticks));
        sample.processes += 1;
        sample.threads += u64::try_from(stat.num_threads).unwrap_or(0);
    }
    sample
}

/// `root` and its descendants. A process that vanishes while we look is simply not there.
fn tree(root: u32) -> Vec<Stat> {
    let Ok(processes) = all_processes() else { return Vec::new() };
    let mut others: Vec<Stat> = processes.flatten().filter_map(|process| process.stat().ok()).collect();
    let mut found: Vec<Stat> = Vec::new();
    let mut pids = BTreeSet::from([i32::try_from(root).unwrap_or(0)]);
    loop {
        let (mut ours, rest): (Vec<_>, Vec<_>) =
            others.into_iter().partition(|stat| pids.contains(&stat.pid) || pids.contains(&stat.ppid));
        if ours.is_empty() {
            return found;
        }
        pids.extend(ours.iter().map(|stat| stat.pid));
        found.append(&mut ours);
        others = rest;
    }
}

fn proportional_set_size(pid: i32) -> Option<u64> {
    let text = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("Pss:"))?;
    let kib: u64 = line.trim().trim_end_matches("kB").trim().parse().ok()?;
    Some(kib * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    #[test]
    fn a_tree_has_its_children_and_its_dead_childrens_time() {
        // the shell's own child burns; when it is dead and reaped, the shell has its time
        let script = "i=0; (while [ $i -lt 200000 ]; do i=$((i+1)); done); sleep 60 & echo done; wait";
        let mut shell =
            Command::new("sh").args(["-c", script]).stdout(std::process::Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        std::io::BufRead::read_line(&mut std::io::BufReader::new(shell.stdout.take().unwrap()), &mut line)
            .unwrap();
        let sample = settled(shell.id());
        let burnt = sample.cpu;
        let threads = threads(shell.id());
        let most = busiest(&BTreeMap::new(), &threads);
        let pss = memory(shell.id());
        for stat in tree(shell.id()).iter().rev() {
            nix::sys::signal::kill(Pid::from_raw(stat.pid), nix::sys::signal::Signal::SIGKILL).unwrap();
        }
        shell.wait().unwrap();
        assert_eq!(sample.processes, 2, "{sample:?}");
        assert!(burnt > Duration::from_millis(20), "{burnt:?}");
        assert_eq!(threads.len(), 2, "{threads:?}");
        assert!(most > Duration::ZERO && most <= burnt, "{most:?} {burnt:?}");
        assert_eq!(busiest(&threads, &threads), Duration::ZERO);
        assert!(pss.unwrap() > 50_000, "{pss:?}");
        assert_eq!(take(shell.id()).processes, 0);
    }
}

//! What a server's processes have cost so far, seen from outside: CPU time, page faults, and how many there are.
//!
//! How: CPU time is the kernel's own clock of each live process (nanoseconds) plus what each of them has inherited
//! from children that are dead and reaped (ticks of 10 ms); of a control group it is the group's own account. Cost: a
//! read of `/proc` for each process of the machine. Where it breaks: a child that died and is not reaped yet is counted
//! only when it is; [`settled`] waits for that.

use std::thread;
use std::time::{Duration, Instant};

use nix::time::{clock_getcpuclockid, clock_gettime};
use nix::unistd::Pid;
use procfs::process::Stat;

use super::tree::Whose;

/// The longest wait for a server to become quiet.
const SETTLE: Duration = Duration::from_millis(200);
/// Between two looks.
const LOOK: Duration = Duration::from_millis(5);
/// A server that used less CPU time than this between two looks is quiet.
const QUIET: Duration = Duration::from_micros(50);

/// A server's processes at one moment.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Sample {
    /// User and system time, dead children included.
    pub cpu: Duration,
    /// Minor and major page faults, likewise.
    pub faults: u64,
    /// Live processes.
    pub processes: usize,
    /// Live threads, over all processes.
    pub threads: u64,
}

/// Takes a sample when they have become quiet, or after a short while.
#[must_use]
pub fn settled(whose: &Whose) -> Sample {
    let end = Instant::now() + SETTLE;
    let mut last = take(whose);
    loop {
        thread::sleep(LOOK);
        let now = take(whose);
        let quiet = now.cpu.saturating_sub(last.cpu) < QUIET && now.threads == last.threads;
        if quiet || Instant::now() >= end {
            return now;
        }
        last = now;
    }
}

fn take(whose: &Whose) -> Sample {
    let mut sample = Sample::default();
    for stat in whose.processes() {
        let own = clock_getcpuclockid(Pid::from_raw(stat.pid)).and_then(clock_gettime);
        sample.cpu += own.map(Duration::from).unwrap_or_default() + of_dead_children(&stat);
        sample.faults += stat.minflt + stat.majflt + stat.cminflt + stat.cmajflt;
        sample.processes += 1;
        sample.threads += u64::try_from(stat.num_threads).unwrap_or(0);
    }
    if let Some(stat) = whose.inherited() {
        sample.cpu += of_dead_children(&stat);
        sample.faults += stat.cminflt + stat.cmajflt;
    }
    if let Some(cpu) = whose.added_up() {
        sample.cpu = cpu;
    }
    sample
}

fn of_dead_children(stat: &Stat) -> Duration {
    let ticks = u64::try_from(stat.cutime + stat.cstime).unwrap_or(0);
    Duration::from_nanos(ticks * (1_000_000_000 / procfs::ticks_per_second().max(1)))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::process::Command;

    use super::*;
    use crate::subject::tree::Root;
    use crate::subject::{memory, threads};

    #[test]
    fn a_tree_has_its_children_and_its_dead_childrens_time() {
        // the shell's own child burns; when it is dead and reaped, the shell has its time
        let script = "i=0; (while [ $i -lt 200000 ]; do i=$((i+1)); done); sleep 60 & echo done; wait";
        let mut shell =
            Command::new("sh").args(["-c", script]).stdout(std::process::Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        std::io::BufRead::read_line(&mut std::io::BufReader::new(shell.stdout.take().unwrap()), &mut line)
            .unwrap();
        let whose = Whose::Trees(vec![Root::of(shell.id().cast_signed()).unwrap()]);
        let sample = settled(&whose);
        let burnt = sample.cpu;
        let seen = threads::look(&whose);
        let most = threads::busiest(&BTreeMap::new(), &seen);
        let pss = memory::proportional(&whose);
        for stat in whose.processes().iter().rev() {
            nix::sys::signal::kill(Pid::from_raw(stat.pid), nix::sys::signal::Signal::SIGKILL).unwrap();
        }
        shell.wait().unwrap();
        assert_eq!(sample.processes, 2, "{sample:?}");
        assert!(burnt > Duration::from_millis(20), "{burnt:?}");
        assert!(sample.faults > 50, "{sample:?}");
        assert_eq!(seen.len(), 2, "{seen:?}");
        assert!(most > Duration::ZERO && most <= burnt, "{most:?} {burnt:?}");
        assert_eq!(threads::busiest(&seen, &seen), Duration::ZERO);
        assert!(threads::switches(&BTreeMap::new(), &seen) > 0, "{seen:?}");
        assert_eq!(threads::switches(&seen, &seen), 0);
        assert!(pss.unwrap() > 50_000, "{pss:?}");
        assert_eq!(take(&whose).processes, 0);
    }
}

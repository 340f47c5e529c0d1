//! A crash, and how long it takes until a new connection is served again.

use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use procfs::process::Stat;

use super::{Found, PATIENCE, Victim, order};
use crate::plan::Crash;
use crate::report::data::Figure;

/// The longest wait until an order has been obeyed.
const OBEY: Duration = Duration::from_millis(500);

/// Crashes, and asks for as long as the load lasts: where all workers are taken, its end frees them, and that is no
/// recovery.
pub(super) fn crash(crash: Crash, victim: &Victim, load_ends_in: Duration) -> Found {
    let begin = Instant::now();
    let done = match crash {
        Crash::Panic => order::obeyed(victim.address, b"!panic\n", OBEY),
        Crash::Abort => order::obeyed(victim.address, b"!abort\n", OBEY),
        Crash::Kill => kill_one(victim),
    };
    let patience = load_ends_in.saturating_sub(begin.elapsed()).min(PATIENCE);
    let mut found = Found::new();
    if !done {
        return found;
    }
    found.insert(Figure::Crashes, 1.0);
    if let Some(time) = order::served_again(victim.address, patience) {
        found.insert(Figure::RecoveredMs, time.as_secs_f64() * 1e3);
    }
    found
}

/// A worker if it has any, else the server itself; of several that which has worked most: one that serves somebody.
fn kill_one(victim: &Victim) -> bool {
    let worked =
        |process: &Stat| (process.pid != victim.pid, process.utime + process.stime, process.starttime);
    let busiest = victim.whose.processes().into_iter().max_by_key(worked);
    busiest.is_some_and(|process| kill(Pid::from_raw(process.pid), Signal::SIGKILL).is_ok())
}

//! A crash, and how long it takes until a new connection is served again.

use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::{Found, PATIENCE, Victim, order};
use crate::plan::Crash;
use crate::report::data::Figure;

/// The longest wait until an order has been obeyed.
const OBEY: Duration = Duration::from_millis(500);

/// Crashes, and asks.
pub(super) fn crash(crash: Crash, victim: &Victim) -> Found {
    let done = match crash {
        Crash::Panic => order::obeyed(victim.address, b"!panic\n", OBEY),
        Crash::Abort => order::obeyed(victim.address, b"!abort\n", OBEY),
        Crash::Kill => kill_one(victim),
    };
    let mut found = Found::new();
    if !done {
        return found;
    }
    found.insert(Figure::Crashes, 1.0);
    if let Some(time) = order::served_again(victim.address, PATIENCE) {
        found.insert(Figure::RecoveredMs, time.as_secs_f64() * 1e3);
    }
    found
}

/// The youngest of its processes: a worker if it has any, else the server itself.
fn kill_one(victim: &Victim) -> bool {
    let youngest = victim.whose.processes().iter().map(|process| (process.starttime, process.pid)).max();
    youngest.is_some_and(|(_, pid)| kill(Pid::from_raw(pid), Signal::SIGKILL).is_ok())
}

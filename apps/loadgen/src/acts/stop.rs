//! SIGTERM, and how long it takes until the server is gone.

use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::{Found, PATIENCE, Victim};
use crate::report::data::Figure;

/// Between two looks.
const LOOK: Duration = Duration::from_millis(1);

/// Asks the server to leave, and waits for that.
pub(super) fn stop(victim: &Victim) -> Found {
    let begin = Instant::now();
    let mut found = Found::new();
    if kill(Pid::from_raw(victim.pid), Signal::SIGTERM).is_err() {
        return found;
    }
    while begin.elapsed() < PATIENCE {
        if !runs(victim.pid) {
            found.insert(Figure::LeftAfterMs, begin.elapsed().as_secs_f64() * 1e3);
            break;
        }
        thread::sleep(LOOK);
    }
    found
}

/// Who has ended and is not waited for yet has left: its parent is busy with the load.
fn runs(pid: i32) -> bool {
    procfs::process::Process::new(pid)
        .and_then(|process| process.stat())
        .is_ok_and(|stat| !matches!(stat.state, 'Z' | 'X'))
}

//! Children: all that serve a connection at once.
//! The kernel keeps the list, so the server need not; only those that
//! it made itself are meant (see [`crate::sys::reap`]).

use std::fs;

use common::signals::NUDGE;
use nix::sys::signal::{SigSet, Signal, kill};
use nix::unistd::{Pid, getpid};

use crate::sys::reap;

/// Tells each of them that a stop was requested.
pub(crate) fn nudge() {
    signal(NUDGE);
}

/// Kills those that are left.
pub(crate) fn kill_all() {
    signal(Signal::SIGKILL);
}

fn signal(signal: Signal) {
    // while SIGCHLD is blocked no child is reaped, so no number on the list can belong to somebody else by now
    let mut child = SigSet::empty();
    child.add(Signal::SIGCHLD);
    let _ = child.thread_block();
    for pid in list().into_iter().filter(|pid| reap::is_own(*pid)) {
        let _ = kill(pid, signal);
    }
    let _ = child.thread_unblock();
}

/// The children of this process, which has one thread.
fn list() -> Vec<Pid> {
    let own = getpid();
    let numbers =
        |text: String| text.split_whitespace().filter_map(|n| n.parse().ok()).map(Pid::from_raw).collect();
    match fs::read_to_string(format!("/proc/self/task/{own}/children")) {
        Ok(text) => numbers(text),
        // a kernel without CONFIG_PROC_CHILDREN: ask every process for its parent
        Err(_) => {
            let Ok(all) = fs::read_dir("/proc") else { return Vec::new() };
            let pids =
                all.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok().map(Pid::from_raw));
            pids.filter(|pid| parent_of(*pid) == Some(own)).collect()
        }
    }
}

/// The parent of a process: the second field after the name, which stands in brackets and may hold anything.
fn parent_of(pid: Pid) -> Option<Pid> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.rsplit_once(") ")?.1.split(' ').nth(1)?.parse().ok().map(Pid::from_raw)
}

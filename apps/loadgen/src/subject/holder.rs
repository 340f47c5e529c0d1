//! Which process serves an address of this machine.
//!
//! How: the listening socket has an inode, and whoever may accept from it has a descriptor of that inode. Of several,
//! which is what workers of a prefork server are, the topmost is taken: the others are its descendants. Cost: a look
//! at every descriptor of every process, once a run. Where it breaks: descriptors of another user's process are not
//! readable; a container's server is found only where the port is its own and not forwarded.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::net::SocketAddr;

use procfs::process::{Stat, all_processes};

use super::listening::{self, Listener};
use super::tree::{Root, Whose};

/// The program that holds sockets for those that it starts.
const HOLDS_FOR_OTHERS: &str = "systemd";

/// A server that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Its processes.
    pub whose: Whose,
    /// The numbers of the topmost ones.
    pub pids: Vec<i32>,
    /// What the first of them is called.
    pub name: String,
}

/// The server of this address.
///
/// # Errors
/// Why it was not found, and what to do.
pub fn of_address(target: SocketAddr) -> Result<Found, String> {
    let listeners =
        listening::on_port(target.port()).ok_or("the kernel does not tell who listens (/proc/net/tcp)")?;
    let listeners = listening::of_target(&listeners, target);
    let Some(first) = listeners.first() else {
        return Err("no process of this machine listens there, as far as the kernel tells: \
                    name it with --server-pid PID or --cgroup PATH"
            .to_owned());
    };
    let stats = stats();
    let holders: BTreeSet<i32> = stats.keys().copied().filter(|pid| holds(*pid, &listeners)).collect();
    if holders.is_empty() {
        return Err(format!(
            "its process is not readable for this user: run loadgen as its user (number {}), \
             or name it with --server-pid PID",
            first.user
        ));
    }
    let own = i32::try_from(std::process::id()).unwrap_or(0);
    let pids = topmost(&holders, &stats, own);
    let named = |pid: &i32| stats.get(pid).map_or_else(String::new, |stat| stat.comm.clone());
    let roots: Vec<Root> = pids.iter().filter_map(|pid| Root::of(*pid)).collect();
    if roots.is_empty() {
        let which: Vec<String> = holders.iter().map(|pid| format!("{} (pid {pid})", named(pid))).collect();
        return Err(format!(
            "{} started this loadgen itself, so its cost would not be the server's alone",
            which.join(", ")
        ));
    }
    let name = pids.first().map(named).unwrap_or_default();
    Ok(Found { whose: Whose::Trees(roots), pids, name })
}

/// Whether one of these processes holds one of the sockets. A process whose descriptors are not readable may.
#[must_use]
pub fn holds_any(whose: &Whose, listeners: &[Listener]) -> bool {
    let readable = |pid: i32| fs::read_dir(format!("/proc/{pid}/fd")).is_ok();
    whose.processes().iter().any(|stat| holds(stat.pid, listeners) || !readable(stat.pid))
}

fn holds(pid: i32, listeners: &[Listener]) -> bool {
    let Ok(descriptors) = fs::read_dir(format!("/proc/{pid}/fd")) else { return false };
    descriptors.flatten().filter_map(|entry| fs::read_link(entry.path()).ok()).any(|link| {
        let inode = link.to_str().and_then(|l| l.strip_prefix("socket:[")?.strip_suffix(']')?.parse().ok());
        inode.is_some_and(|inode: u64| listeners.iter().any(|listener| listener.inode == inode))
    })
}

fn stats() -> BTreeMap<i32, Stat> {
    let all = all_processes().into_iter().flatten().flatten();
    all.filter_map(|process| process.stat().ok()).map(|stat| (stat.pid, stat)).collect()
}

/// Of the holders those that descend from no other. Who started us, and who only holds sockets for others, is left
/// out.
fn topmost(holders: &BTreeSet<i32>, stats: &BTreeMap<i32, Stat>, own: i32) -> Vec<i32> {
    let parent = |pid: &i32| stats.get(pid).map(|stat| stat.ppid).filter(|parent| *parent > 0);
    let above = |pid: i32| std::iter::successors(parent(&pid), parent).take(stats.len());
    let ours: BTreeSet<i32> = above(own).chain([own]).collect();
    let mut left: BTreeSet<i32> = holders.difference(&ours).copied().collect();
    let serves = |pid: &i32| stats.get(pid).is_some_and(|stat| stat.comm != HOLDS_FOR_OTHERS);
    if left.iter().any(serves) {
        left.retain(serves);
    }
    left.iter().copied().filter(|pid| !above(*pid).any(|other| left.contains(&other))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;

    #[test]
    fn who_started_this_program_is_not_taken_for_the_server() {
        // what runs this test is the test itself, which is no server of its own
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let why = of_address(listener.local_addr().unwrap()).unwrap_err();
        assert!(why.contains("started this loadgen itself"), "{why}");
        let closed = listener.local_addr().unwrap();
        drop(listener);
        assert!(of_address(closed).unwrap_err().contains("no process of this machine listens there"));
    }

    #[test]
    fn of_workers_that_share_a_socket_the_one_above_is_the_server() {
        let own = stats()[&std::process::id().cast_signed()].clone();
        let of = |pid, ppid, comm: &str| {
            let mut stat = own.clone();
            (stat.pid, stat.ppid, stat.comm) = (pid, ppid, comm.to_owned());
            (pid, stat)
        };
        let stats = BTreeMap::from([
            of(1, 0, "systemd"),
            of(10, 1, "nginx"),
            of(11, 10, "nginx"),
            of(20, 1, "sh"),
            of(21, 20, "other"),
            of(30, 21, "loadgen"),
        ]);
        let of = |holders: &[i32]| topmost(&holders.iter().copied().collect(), &stats, 30);
        assert_eq!(of(&[10, 11]), [10]);
        assert_eq!(of(&[1, 10, 11]), [10]);
        assert_eq!(of(&[11, 21]), [11]);
        assert!(of(&[21]).is_empty());
    }
}

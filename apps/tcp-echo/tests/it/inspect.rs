//! What the kernel says about a process: looked at from outside, through `/proc`.

use std::fs;
use std::net::SocketAddr;

use crate::server::eventually;
use std::time::Duration;

/// One line of the process table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Process {
    pub(crate) pid: i32,
    pub(crate) parent: i32,
    pub(crate) state: char,
    /// CPU time used, in ticks of 1/100 s.
    pub(crate) ticks: u64,
    /// When it began: with the number, this names a process for ever.
    began: u64,
}

/// This process; `None` if it is gone.
pub(crate) fn process(pid: i32) -> Option<Process> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // the name stands in brackets and may hold anything
    let fields: Vec<&str> = stat.rsplit_once(") ")?.1.split(' ').collect();
    let number = |i: usize| fields[i].parse::<u64>().unwrap();
    Some(Process {
        pid,
        state: fields[0].chars().next()?,
        parent: fields[1].parse().ok()?,
        ticks: number(11) + number(12),
        began: number(19),
    })
}

impl Process {
    /// It has not ended. (A zombie has.)
    pub(crate) fn lives(&self) -> bool {
        process(self.pid).is_some_and(|now| now.began == self.began && now.state != 'Z')
    }
}

/// The children of a process, zombies included.
pub(crate) fn children(of: i32) -> Vec<Process> {
    numbers_in("/proc").into_iter().filter_map(process).filter(|p| p.parent == of).collect()
}

/// Threads of its own. Those that the kernel lends to a ring whose requests had to wait (`iou-wrk-…`) are not the program's:
/// they come and go as the kernel likes, and the last one stays.
pub(crate) fn threads(pid: i32) -> usize {
    let lent = |thread: &i32| {
        let name = fs::read_to_string(format!("/proc/{pid}/task/{thread}/comm")).unwrap_or_default();
        name.starts_with("iou-")
    };
    numbers_in(&format!("/proc/{pid}/task")).iter().filter(|thread| !lent(thread)).count()
}

/// The numbers of its open descriptors. Not those of files under `/sys`: the C library looks there for a moment, when a thread asks
/// for memory for the first time.
pub(crate) fn descriptors(pid: i32) -> Vec<i32> {
    let folder = format!("/proc/{pid}/fd");
    let mut all = numbers_in(&folder);
    all.retain(|number| {
        fs::read_link(format!("{folder}/{number}")).is_ok_and(|file| !file.starts_with("/sys"))
    });
    all.sort_unstable();
    all
}

/// Memory of its own that a process and its children have, in KiB, shared pages divided among those who share them.
/// (Without the program's text: how many share that depends on the other tests.)
pub(crate) fn memory_of_tree(pid: i32) -> u64 {
    let pss = |pid: i32| {
        let rollup = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).unwrap_or_default();
        let line = rollup.lines().find_map(|line| line.strip_prefix("Pss_Anon:")).unwrap_or("0");
        line.split_whitespace().next().unwrap().parse::<u64>().unwrap()
    };
    pss(pid) + children(pid).iter().map(|child| pss(child.pid)).sum::<u64>()
}

/// Whether the socket of this port that talks to that one has been shut down for writing, while bytes of it are still
/// under way (the state FIN_WAIT1).
pub(crate) fn is_finishing(server: SocketAddr, client: SocketAddr) -> bool {
    let table = if server.is_ipv6() { "/proc/net/tcp6" } else { "/proc/net/tcp" };
    // "number: address:port address:port state ...", ours first, all but the number in hexadecimal
    let (ours, theirs) = (format!(":{:04X} ", server.port()), format!(":{:04X} 04 ", client.port()));
    let table = fs::read_to_string(table).unwrap();
    table.lines().any(|line| line.contains(&theirs) && line.contains(&ours))
}

fn numbers_in(folder: &str) -> Vec<i32> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect()
}

/// What a server has while it serves nobody.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Footprint {
    pub(crate) threads: usize,
    pub(crate) descriptors: usize,
    pub(crate) children: usize,
    pub(crate) zombies: usize,
}

impl Footprint {
    pub(crate) fn of(pid: i32) -> Self {
        let children = children(pid);
        Self {
            threads: threads(pid),
            descriptors: descriptors(pid).len(),
            children: children.len(),
            zombies: children.iter().filter(|child| child.state == 'Z').count(),
        }
    }
}

/// Waits until all of these have ended.
pub(crate) fn assert_gone(processes: &[Process], within: Duration) {
    let gone = eventually(within, || !processes.iter().any(Process::lives));
    let left: Vec<&Process> = processes.iter().filter(|p| p.lives()).collect();
    assert!(gone, "left behind: {left:?}");
}

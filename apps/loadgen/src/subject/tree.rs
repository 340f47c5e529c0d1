//! Whose cost is counted: some processes and all their descendants, or a control group.
//!
//! How: descendants are found by parent pid in one look over `/proc`. Cost: a read of `/proc/PID/stat` for each process
//! of the machine. Where it breaks: a descendant whose parent has died belongs to somebody else from then on, unless a
//! keeper ([`super::keeper`]) takes it in.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use procfs::process::{Process, Stat, all_processes};

/// Control groups below a group that are looked into.
const GROUPS_MAX: usize = 4096;

/// A process that cannot be taken for a later one of the same number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Root {
    /// Its number.
    pub pid: i32,
    began: u64,
}

/// Whose cost is counted. This program is never part of it, whoever started it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Whose {
    /// These processes and all their descendants.
    Trees(Vec<Root>),
    /// All descendants of this process, and what it inherited from those that are dead; not itself.
    Below(i32),
    /// All processes of this control group, version 2, and of those below it.
    Group(PathBuf),
}

impl Root {
    /// The process of this number; `None`: there is none, or it is dead and waits to be reaped.
    #[must_use]
    pub fn of(pid: i32) -> Option<Self> {
        let stat = Process::new(pid).ok()?.stat().ok()?;
        (stat.state != 'Z').then_some(Self { pid, began: stat.starttime })
    }
}

impl Whose {
    /// The live processes. One that vanishes while we look is simply not there.
    #[must_use]
    pub fn processes(&self) -> Vec<Stat> {
        let Ok(all) = all_processes() else { return Vec::new() };
        let own = i32::try_from(std::process::id()).unwrap_or(0);
        let all: Vec<Stat> = all.flatten().filter_map(|process| process.stat().ok()).collect();
        match self {
            Self::Trees(roots) => descend(all, roots.iter().map(|root| root.pid).collect(), own),
            Self::Below(pid) => {
                let mut found = descend(all, BTreeSet::from([*pid]), own);
                found.retain(|stat| stat.pid != *pid);
                found
            }
            Self::Group(path) => {
                let pids = members(path);
                all.into_iter().filter(|stat| pids.contains(&stat.pid) && stat.pid != own).collect()
            }
        }
    }

    /// What nobody alive has any more: the account of the dead children of a process that is itself not counted.
    #[must_use]
    pub fn inherited(&self) -> Option<Stat> {
        match self {
            Self::Below(pid) => Process::new(*pid).ok()?.stat().ok(),
            Self::Trees(_) | Self::Group(_) => None,
        }
    }

    /// The CPU time that the kernel itself has added up for all of them, if it does.
    #[must_use]
    pub fn added_up(&self) -> Option<Duration> {
        match self {
            Self::Group(path) => usage(path),
            Self::Trees(_) | Self::Below(_) => None,
        }
    }

    /// Why there is nothing left to measure; `None`: it is all there.
    #[must_use]
    pub fn gone(&self) -> Option<String> {
        match self {
            Self::Trees(roots) => {
                let dead = roots.iter().find(|root| Root::of(root.pid) != Some(**root))?;
                Some(format!("the server's process {} ended", dead.pid))
            }
            Self::Group(path) => {
                members(path).is_empty().then(|| format!("no process is left in {}", path.display()))
            }
            // its keeper is waited for
            Self::Below(_) => None,
        }
    }
}

/// These and their descendants, without `except` and its own.
fn descend(mut others: Vec<Stat>, mut pids: BTreeSet<i32>, except: i32) -> Vec<Stat> {
    others.retain(|stat| stat.pid != except);
    let mut found: Vec<Stat> = Vec::new();
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

/// The processes of a control group and of those below it.
#[must_use]
pub fn members(group: &Path) -> BTreeSet<i32> {
    let mut pids = BTreeSet::new();
    let mut folders = vec![group.to_owned()];
    for _ in 0..GROUPS_MAX {
        let Some(folder) = folders.pop() else { break };
        let text = fs::read_to_string(folder.join("cgroup.procs")).unwrap_or_default();
        pids.extend(text.lines().filter_map(|line| line.parse::<i32>().ok()));
        let entries = fs::read_dir(&folder).into_iter().flatten().flatten();
        folders.extend(
            entries.filter(|e| e.file_type().is_ok_and(|kind| kind.is_dir())).map(|entry| entry.path()),
        );
    }
    pids
}

/// `usage_usec` of a control group's `cpu.stat`; `None`: it is no control group of version 2.
#[must_use]
pub fn usage(group: &Path) -> Option<Duration> {
    let text = fs::read_to_string(group.join("cpu.stat")).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("usage_usec "))?;
    line.trim().parse().ok().map(Duration::from_micros)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_known_by_its_number_and_its_beginning() {
        let mut child = std::process::Command::new("sleep").arg("60").spawn().unwrap();
        let pid = child.id().cast_signed();
        let root = Root::of(pid).unwrap();
        let whose = Whose::Trees(vec![root]);
        assert_eq!(whose.gone(), None);
        let later = Whose::Trees(vec![Root { began: root.began + 1, ..root }]);
        assert!(later.gone().unwrap().contains(&pid.to_string()));
        child.kill().unwrap();
        // also while it waits to be reaped
        while Root::of(pid).is_some() {
            std::thread::yield_now();
        }
        assert!(whose.gone().is_some());
        child.wait().unwrap();
        assert!(whose.processes().is_empty());
    }

    #[test]
    fn a_group_is_read_with_those_below_it() {
        let group = tempfile::tempdir().unwrap();
        fs::write(group.path().join("cpu.stat"), "usage_usec 1500\nuser_usec 1000\n").unwrap();
        fs::write(group.path().join("cgroup.procs"), "11\n12\n").unwrap();
        fs::create_dir(group.path().join("below")).unwrap();
        fs::write(group.path().join("below/cgroup.procs"), "13\n").unwrap();
        assert_eq!(usage(group.path()), Some(Duration::from_micros(1500)));
        assert_eq!(members(group.path()), BTreeSet::from([11, 12, 13]));
        // version 1 has a file of the same name with other contents
        fs::write(group.path().join("cpu.stat"), "nr_periods 0\n").unwrap();
        assert_eq!(usage(group.path()), None);
    }
}

//! `--server-pid`, `--cgroup`, `--no-server-cost`: whose cost `run` counts.

use std::path::{Path, PathBuf};

use clap::Args;
use common::exit::Failure;

use crate::plan::Costs;
use crate::subject::tree::{self, Root};

/// Processes that may be named.
const PIDS_MAX: usize = 1024;

#[derive(Debug, Args)]
pub(super) struct CostOptions {
    /// Count the CPU, switches, faults and memory of this process and all its descendants as the server's; may be repeated
    /// [default: on this machine, the process that listens at HOST:PORT]
    #[arg(long, value_name = "PID", conflicts_with_all = ["cgroup", "no_server_cost"])]
    server_pid: Vec<i32>,
    /// Count those of this control group (version 2) as the server's: a folder under /sys/fs/cgroup
    #[arg(long, value_name = "PATH", conflicts_with = "no_server_cost")]
    cgroup: Option<PathBuf>,
    /// Do not look for the server's process
    #[arg(long)]
    no_server_cost: bool,
}

impl CostOptions {
    /// Checks that they are there.
    pub(super) fn understand(self) -> Result<Costs, Failure> {
        if let Some(path) = self.cgroup {
            return group(&path);
        }
        if self.no_server_cost {
            return Ok(Costs::OfNobody);
        }
        if self.server_pid.is_empty() {
            return Ok(Costs::OfWhoListens);
        }
        if self.server_pid.len() > PIDS_MAX {
            return Err(Failure::usage(format!("--server-pid: at most {PIDS_MAX} processes can be named")));
        }
        match self.server_pid.iter().find(|pid| Root::of(**pid).is_none()) {
            Some(pid) => Err(Failure::usage(format!(
                "--server-pid {pid}: there is no such process: `pgrep NAME` shows those of a name"
            ))),
            None => Ok(Costs::OfProcesses(self.server_pid)),
        }
    }
}

fn group(path: &Path) -> Result<Costs, Failure> {
    let wrong = |why: &str| Err(Failure::usage(format!("--cgroup {}: {why}", path.display())));
    if tree::usage(path).is_none() {
        return wrong(
            "there is no cpu.stat with usage_usec in it: name a folder of the cgroup v2 tree, \
             for example /sys/fs/cgroup/system.slice/redis.service",
        );
    }
    let members = tree::members(path);
    if members.contains(&std::process::id().cast_signed()) {
        return wrong("this loadgen runs in it itself, so its own CPU would count as the server's");
    }
    if members.is_empty() {
        return wrong("no process is in it");
    }
    Ok(Costs::OfGroup(path.to_owned()))
}

//! The last steps of a server's start, done by this program in the new process: pin it, bind its life to loadgen's,
//! and turn into it.
//!
//! How: `loadgen become --parent PID --cpus 0,1 -- PROGRAM …` is what `compare` starts. A death signal and an
//! affinity outlive `exec`, so whatever happens to loadgen, even `kill -9`, no server is left behind, and nothing has
//! to run between `fork` and `exec`. Cost: one more `exec` before the server's life begins. A server that is not ours gets
//! a keeper above it ([`super::keeper`]), which starts it likewise.

use std::os::unix::process::CommandExt;
use std::process::Command;

use clap::Args;
use common::exit::Failure;
use nix::sched::{CpuSet, sched_setaffinity};
use nix::sys::prctl;
use nix::sys::signal::{SigSet, Signal};
use nix::unistd::{Pid, getppid};

/// What to become, and how.
#[derive(Debug, Args)]
pub struct Order {
    /// The process that started this one; if it is gone already, there is nothing to do
    #[arg(long)]
    pub(super) parent: i32,
    /// The CPUs to run on; all if none is named
    #[arg(long, value_delimiter = ',')]
    cpus: Vec<usize>,
    /// The program and its arguments
    #[arg(last = true, required = true)]
    command: Vec<std::ffi::OsString>,
}

impl Order {
    /// The same order for a child of this process.
    pub fn pass_on(&self, command: &mut Command) {
        let cpus: Vec<String> = self.cpus.iter().map(ToString::to_string).collect();
        command.arg("become").arg("--parent").arg(std::process::id().to_string());
        if !cpus.is_empty() {
            command.arg("--cpus").arg(cpus.join(","));
        }
        command.arg("--").args(&self.command);
    }
}

/// Becomes the server. Returns only if that failed.
#[must_use]
pub fn become_server(order: &Order) -> Failure {
    let failure = |what: &str, why: &dyn std::fmt::Display| Failure::failed(format!("{what}: {why}"));
    let mut set = CpuSet::new();
    if !order.cpus.is_empty() {
        let pinned = order.cpus.iter().try_for_each(|cpu| set.set(*cpu));
        if let Err(e) = pinned.and_then(|()| sched_setaffinity(Pid::from_raw(0), &set)) {
            return failure("cannot pin the server", &e);
        }
    }
    if let Err(e) = prctl::set_pdeathsig(Signal::SIGKILL) {
        return failure("cannot bind the server's life to loadgen's", &e);
    }
    // a keeper blocks what it waits for, and that would outlive `exec` as well
    if let Err(e) = SigSet::empty().thread_set_mask() {
        return failure("cannot start the server", &e);
    }
    // the parent may have died before the line above took effect
    if getppid().as_raw() != order.parent {
        return failure("cannot start the server", &"loadgen is gone");
    }
    let Some((program, arguments)) = order.command.split_first() else {
        return failure("cannot start the server", &"no program was named");
    };
    let error = Command::new(program).args(arguments).exec();
    failure(&format!("cannot execute {}", program.display()), &error)
}

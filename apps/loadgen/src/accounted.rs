//! Whose cost `run` counts: those that were named, or whoever listens where the load is sent.

use std::net::SocketAddr;

use procfs::process::Process;

use crate::plan::Costs;
use crate::report::data::Accounting;
use crate::subject::holder;
use crate::subject::tree::{Root, Whose};

/// The processes, and what the report says of them; neither where none was asked for.
#[must_use]
pub fn of(costs: &Costs, target: SocketAddr) -> (Option<Whose>, Option<Accounting>) {
    match costs {
        Costs::OfNobody => (None, None),
        Costs::OfWhoListens if !is_here(target) => (None, None),
        Costs::OfWhoListens => match holder::of_address(target) {
            Ok(found) => {
                let how = "found by its listening socket".to_owned();
                let accounting = Accounting::Counted { pids: found.pids, name: found.name, how };
                (Some(found.whose), Some(accounting))
            }
            Err(why) => (None, Some(Accounting::NotCounted(why))),
        },
        Costs::OfProcesses(pids) => {
            // they were there when the command line was understood; who has died since is missing
            let roots: Vec<Root> = pids.iter().filter_map(|pid| Root::of(*pid)).collect();
            (Some(Whose::Trees(roots)), Some(counted(pids.clone(), "named with --server-pid".to_owned())))
        }
        Costs::OfGroup(path) => {
            let whose = Whose::Group(path.clone());
            let pids = whose.processes().iter().map(|stat| stat.pid).collect();
            (Some(whose), Some(counted(pids, format!("in {}", path.display()))))
        }
    }
}

/// Whether it is this machine for sure.
fn is_here(target: SocketAddr) -> bool {
    let ip = target.ip().to_canonical();
    ip.is_loopback() || ip.is_unspecified()
}

fn counted(pids: Vec<i32>, how: String) -> Accounting {
    let stat = pids.first().and_then(|pid| Process::new(*pid).ok()?.stat().ok());
    Accounting::Counted { pids, name: stat.map_or_else(String::new, |stat| stat.comm), how }
}

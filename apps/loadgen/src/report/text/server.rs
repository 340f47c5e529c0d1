//! What a server cost, in one line, and whose cost it is.

use std::time::Duration;

use common::units::{plural, show_count, show_duration, show_size};

use crate::report::data::{Accounting, Cost};

/// `pid 1234 redis-server (found by its listening socket): CPU 3.21 us/request, …`; `None`: there is nothing to say.
#[must_use]
pub(in crate::report) fn line(
    accounting: Option<&Accounting>,
    cost: Option<&Cost>,
    seconds: f64,
) -> Option<String> {
    match (accounting?, cost) {
        (Accounting::NotCounted(why), _) => Some(format!("its cost is not known: {why}")),
        (counted, None) => Some(format!("{}: no figures", who(counted))),
        (counted, Some(cost)) => Some(format!("{}: {}", who(counted), figures(cost, seconds))),
    }
}

fn who(accounting: &Accounting) -> String {
    let Accounting::Counted { pids, name, how } = accounting else { return String::new() };
    let who = match pids.as_slice() {
        [one] => format!("pid {one} {name}"),
        [first, others @ ..] => format!("pid {first} {name} and {} more", others.len()),
        [] => "no process".to_owned(),
    };
    format!("{who} ({how})")
}

fn figures(cost: &Cost, seconds: f64) -> String {
    let mut parts = Vec::new();
    let micros = Duration::from_nanos((cost.cpu_us_per_request * 1e3).round() as u64);
    parts.push(format!("CPU {}/request", show_duration(micros)));
    if let Some(switches) = cost.context_switches_per_request {
        parts.push(format!("{switches:.2} switches/request"));
    }
    if let Some(faults) = cost.page_faults_per_request {
        parts.push(format!("{faults:.2} faults/request"));
    }
    let threads = plural(cost.threads, "thread");
    parts.push(match cost.processes {
        1 => threads,
        processes => format!("{threads} in {} processes", show_count(processes as u64)),
    });
    parts.extend(memory(cost));
    let busy = cost.cpu_seconds / seconds.max(1e-9) * 100.0;
    parts.push(format!("busy {busy:.0} % of a CPU"));
    parts.join(", ")
}

fn memory(cost: &Cost) -> Option<String> {
    let size = |bytes: f64| show_size(bytes.round() as u64);
    let own = cost.memory_per_connection.map(|bytes| format!("{}/connection", size(bytes)));
    // the kernel books in steps: nothing seen is not nothing needed
    let kernel = cost
        .kernel_memory_per_connection
        .filter(|bytes| *bytes > 0.0)
        .map(|bytes| format!("kernel {}/connection", size(bytes)));
    let each: Vec<String> = own.into_iter().chain(kernel).collect();
    match (cost.memory_bytes, each.as_slice()) {
        (None, []) => None,
        (None, each) => Some(each.join(", ")),
        (Some(all), []) => Some(show_size(all)),
        (Some(all), each) => Some(format!("{} ({})", show_size(all), each.join(", "))),
    }
}

//! The machine as a whole: how busy it is, what it dropped, and what it is.

use std::fs;

use nix::sys::resource::{Resource, getrlimit};
use nix::sys::utsname::uname;
use procfs::{Current, CurrentSI, KernelStats};
use serde::Serialize;

/// Counters of the whole machine at one moment.
#[derive(Debug, Clone, Copy, Default)]
pub struct Counters {
    busy: u64,
    total: u64,
    overflows: u64,
}

/// What happened on the machine between two moments.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct Between {
    /// The share of all CPUs that was not idle, from 0 to 1.
    pub busy: f64,
    /// Connections that a full listen queue dropped; each costs its client a second.
    pub listen_overflows: u64,
}

/// Reads the counters; what cannot be read is zero.
#[must_use]
pub fn counters() -> Counters {
    let (busy, total) = KernelStats::current().map_or((0, 0), |stats| {
        let t = stats.total;
        // guest time is contained in user time
        let busy =
            t.user + t.nice + t.system + t.irq.unwrap_or(0) + t.softirq.unwrap_or(0) + t.steal.unwrap_or(0);
        (busy, busy + t.idle + t.iowait.unwrap_or(0))
    });
    let overflows =
        fs::read_to_string("/proc/net/netstat").ok().and_then(|text| overflows(&text)).unwrap_or(0);
    Counters { busy, total, overflows }
}

/// What happened since `before`.
#[must_use]
pub fn between(before: Counters, after: Counters) -> Between {
    let total = after.total.saturating_sub(before.total);
    Between {
        busy: after.busy.saturating_sub(before.busy) as f64 / total.max(1) as f64,
        listen_overflows: after.overflows.saturating_sub(before.overflows),
    }
}

/// `ListenOverflows` of `/proc/net/netstat`: a line of names, then a line of numbers.
fn overflows(netstat: &str) -> Option<u64> {
    let mut lines = netstat.lines().filter(|line| line.starts_with("TcpExt:"));
    let (names, numbers) = (lines.next()?, lines.next()?);
    let at = names.split_whitespace().position(|name| name == "ListenOverflows")?;
    numbers.split_whitespace().nth(at)?.parse().ok()
}

/// What a measurement was made on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Platform {
    /// Kernel name and release.
    pub kernel: String,
    /// The CPU's name.
    pub cpu: String,
    /// CPUs of the machine that are online.
    pub cpus_online: usize,
    /// CPUs that this program may use.
    pub cpus_allowed: Vec<usize>,
    /// How the clock rate is chosen, where the kernel tells.
    pub governor: Option<String>,
    /// The longest listen queue that the kernel allows.
    pub somaxconn: Option<String>,
    /// The local ports that connections may use.
    pub local_ports: Option<String>,
    /// The limit on open descriptors.
    pub descriptors: u64,
    /// This program's version.
    pub loadgen: String,
}

/// Describes this machine; what cannot be read is left out.
#[must_use]
pub fn platform() -> Platform {
    let read = |path: &str| {
        let text = fs::read_to_string(path).ok()?;
        Some(text.split_whitespace().collect::<Vec<_>>().join("-"))
    };
    let kernel = uname().map_or_else(
        |_| "unknown".to_owned(),
        |u| format!("{} {}", u.sysname().to_string_lossy(), u.release().to_string_lossy()),
    );
    let info = procfs::CpuInfo::current().ok();
    let cpu = info.as_ref().and_then(|info| info.model_name(0).map(str::to_owned));
    Platform {
        kernel,
        cpu: cpu.unwrap_or_else(|| std::env::consts::ARCH.to_owned()),
        cpus_online: info.map_or(0, |info| info.num_cores()),
        cpus_allowed: super::placement::allowed_cpus(),
        governor: read("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"),
        somaxconn: read("/proc/sys/net/core/somaxconn"),
        local_ports: read("/proc/sys/net/ipv4/ip_local_port_range"),
        descriptors: getrlimit(Resource::RLIMIT_NOFILE).map_or(0, |(soft, _)| soft),
        loadgen: env!("CARGO_PKG_VERSION").to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn overflows_are_found_by_name() {
        let text = "TcpExt: A ListenOverflows B\nTcpExt: 1 17 3\nIpExt: X\nIpExt: 5\n";
        assert_eq!(overflows(text), Some(17));
        assert_eq!(overflows("TcpExt: A\nTcpExt: 1\n"), None);
    }
}

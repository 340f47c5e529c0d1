//! The machine as a whole: how busy it is, what it dropped, and what it is.

use std::fs;

use nix::sys::resource::{Resource, getrlimit};
use nix::sys::utsname::uname;
use procfs::{Current, CurrentSI, KernelStats};
use serde::{Deserialize, Serialize};

use crate::drive::Moment;

/// Counters of the whole machine at one moment.
#[derive(Debug, Clone, Copy, Default)]
pub struct Counters {
    busy: u64,
    total: u64,
    overflows: u64,
    sent: u64,
    sent_again: u64,
}

/// What happened on the machine between two moments.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Between {
    /// The share of all CPUs that was not idle, from 0 to 1.
    pub busy: f64,
    /// Connects that full listen queues of the whole machine dropped while ours were made; each costs its client a
    /// second.
    pub listen_overflows: u64,
    /// TCP segments that this machine sent in the measured time, to whomever.
    #[serde(default)]
    pub segments_sent: u64,
    /// Those of them that were sent again; on loopback there should be none.
    #[serde(default)]
    pub segments_sent_again: u64,
}

/// The counters at the turning points of a trial.
#[derive(Debug, Clone, Copy)]
pub struct Watched {
    before: Counters,
    connected: Option<Counters>,
    start: Option<Counters>,
    end: Option<Counters>,
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
    let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
    let (netstat, snmp) = (read("/proc/net/netstat"), read("/proc/net/snmp"));
    let counter = |text: &str, table: &str, name: &str| counter(text, table, name).unwrap_or(0);
    Counters {
        busy,
        total,
        overflows: counter(&netstat, "TcpExt:", "ListenOverflows"),
        sent: counter(&snmp, "Tcp:", "OutSegs"),
        sent_again: counter(&snmp, "Tcp:", "RetransSegs"),
    }
}

impl Watched {
    /// Before the first connect.
    #[must_use]
    pub fn begin() -> Self {
        Self { before: counters(), connected: None, start: None, end: None }
    }

    /// Takes the counters that belong to this moment.
    pub fn look(&mut self, moment: Moment<'_>) {
        match moment {
            Moment::Connected => self.connected = Some(counters()),
            Moment::Start => self.start = Some(counters()),
            Moment::End => self.end = Some(counters()),
            Moment::Tick(_) | Moment::Interval(_) => {}
        }
    }

    /// What happened in the measured time. Listen queues belong to anybody on the machine, so their overflows count
    /// only for as long as we made connects: to the end if `connecting`, else until all connections were open.
    #[must_use]
    pub fn between(&self, connecting: bool) -> Between {
        let busy = self.start.zip(self.end).map_or(0.0, |(start, end)| {
            let total = end.total.saturating_sub(start.total);
            end.busy.saturating_sub(start.busy) as f64 / total.max(1) as f64
        });
        let last = if connecting { self.end.or(self.connected) } else { self.connected };
        let overflows = last.map_or(0, |last| last.overflows.saturating_sub(self.before.overflows));
        let measured = |of: fn(&Counters) -> u64| {
            self.start.zip(self.end).map_or(0, |(start, end)| of(&end).saturating_sub(of(&start)))
        };
        Between {
            busy,
            listen_overflows: overflows,
            segments_sent: measured(|counters| counters.sent),
            segments_sent_again: measured(|counters| counters.sent_again),
        }
    }
}

/// A number of `/proc/net/netstat` or `/proc/net/snmp`: a line of names, then a line of numbers.
fn counter(text: &str, table: &str, name: &str) -> Option<u64> {
    let mut lines = text.lines().filter(|line| line.starts_with(table));
    let (names, numbers) = (lines.next()?, lines.next()?);
    let at = names.split_whitespace().position(|other| other == name)?;
    numbers.split_whitespace().nth(at)?.parse().ok()
}

/// What a measurement was made on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
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
    fn overflows_count_only_while_connects_are_made() {
        let at = |busy: u64, overflows: u64| Counters {
            busy,
            total: 2 * busy,
            overflows,
            sent: 100 * busy,
            sent_again: busy,
        };
        let quiet = |busy: f64, listen_overflows: u64, sent: u64| Between {
            busy,
            listen_overflows,
            segments_sent: sent,
            segments_sent_again: sent / 100,
        };
        let watched = Watched {
            before: at(0, 10),
            connected: Some(at(10, 13)),
            start: Some(at(20, 17)),
            end: Some(at(30, 31)),
        };
        assert_eq!(watched.between(false), quiet(0.5, 3, 1000));
        assert_eq!(watched.between(true), quiet(0.5, 21, 1000));
        let broken_off = Watched { start: None, end: None, ..watched };
        assert_eq!(broken_off.between(true), quiet(0.0, 3, 0));
    }

    #[test]
    fn counters_are_found_by_name() {
        let text = "TcpExt: A ListenOverflows B\nTcpExt: 1 17 3\nIpExt: X\nIpExt: 5\n";
        assert_eq!(counter(text, "TcpExt:", "ListenOverflows"), Some(17));
        assert_eq!(counter(text, "IpExt:", "X"), Some(5));
        assert_eq!(counter("TcpExt: A\nTcpExt: 1\n", "TcpExt:", "ListenOverflows"), None);
    }
}

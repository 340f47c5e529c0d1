//! What a server spent in a trial: from looks at its processes at the edges to figures for each request.
//!
//! How: nothing is in flight at the edges, so what was spent between them was spent for the requests between them.
//! Cost: nothing in between. Where it breaks: threads and processes that died in between and were reaped by nobody who
//! counts are missing.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::drive::Moment;
use crate::plan::Load;
use crate::report::Report;
use crate::report::bystanders::BystandersReport;
use crate::report::data::{Client, Cost};
use crate::subject::cpu::{self, Sample};
use crate::subject::threads::{self, Thread};
use crate::subject::tree::Whose;
use crate::subject::{memory, placement::Placement};

/// What was seen of a server at the edges of a trial.
#[derive(Debug)]
pub struct Account {
    whose: Whose,
    /// Connections that come and go have no memory of their own.
    kept: bool,
    before: Memory,
    connected: Memory,
    start: Option<Sample>,
    end: Option<Sample>,
    threads: BTreeMap<i32, Thread>,
    busiest: Duration,
    switches: u64,
}

#[derive(Debug, Clone, Copy, Default)]
struct Memory {
    own: Option<u64>,
    kernel: Option<u64>,
}

impl Memory {
    fn look(whose: &Whose) -> Self {
        Self { own: memory::proportional(whose), kernel: memory::kernel_buffers() }
    }
}

impl Account {
    /// Before the first connect.
    #[must_use]
    pub fn open(whose: Whose, load: &Load) -> Self {
        let before = Memory::look(&whose);
        Self {
            whose,
            kept: !load.churns(),
            before,
            connected: Memory::default(),
            start: None,
            end: None,
            threads: BTreeMap::new(),
            busiest: Duration::ZERO,
            switches: 0,
        }
    }

    /// Looks at the edges of the measured time; the edge itself is as close to it as can be.
    pub fn look(&mut self, moment: Moment<'_>) {
        match moment {
            Moment::Connected | Moment::Tick(_) | Moment::Interval(_) => {}
            Moment::Start => {
                let settled = cpu::settled(&self.whose);
                self.connected = Memory::look(&self.whose);
                self.threads = threads::look(&self.whose);
                self.start = Some(settled);
            }
            Moment::End => {
                self.end = Some(cpu::settled(&self.whose));
                let threads = threads::look(&self.whose);
                self.busiest = threads::busiest(&self.threads, &threads);
                self.switches = threads::switches(&self.threads, &threads);
            }
        }
    }

    /// Why there is nothing left to look at.
    #[must_use]
    pub fn gone(&self) -> Option<String> {
        self.whose.gone()
    }

    /// The figures; `None`: there was nothing to divide by.
    #[must_use]
    pub fn cost(&self, client: &Client, report: &Report) -> Option<Cost> {
        let (start, end) = (self.start?, self.end?);
        if client.requests.ok == 0 {
            return None;
        }
        let requests = client.requests.ok as f64;
        let cpu_seconds = end.cpu.saturating_sub(start.cpu).as_secs_f64();
        let cpus = report.placement.server_cpus(&report.platform.cpus_allowed);
        Some(Cost {
            cpu_seconds,
            cpu_us_per_request: cpu_seconds * 1e6 / requests,
            busy: cpu_seconds / client.seconds.max(1e-9) / cpus as f64,
            busiest_thread: self.busiest.as_secs_f64() / client.seconds.max(1e-9),
            context_switches_per_request: Some(self.switches as f64 / requests),
            page_faults_per_request: Some(end.faults.saturating_sub(start.faults) as f64 / requests),
            memory_per_connection: self.growth(|memory| memory.own, client),
            processes: start.processes,
            threads: start.threads,
            left_cleanly: None,
            memory_bytes: self.connected.own,
            kernel_memory_per_connection: self.growth(|memory| memory.kernel, client),
        })
    }

    /// What the server's own memory and the kernel's buffers grew by until all connections were open, in bytes.
    #[must_use]
    pub fn grown(&self) -> [Option<u64>; 2] {
        let grown =
            |of: fn(&Memory) -> Option<u64>| Some(of(&self.connected)?.saturating_sub(of(&self.before)?));
        [grown(|memory| memory.own), grown(|memory| memory.kernel)]
    }

    fn growth(&self, of: fn(&Memory) -> Option<u64>, client: &Client) -> Option<f64> {
        let grown = of(&self.connected)?.saturating_sub(of(&self.before)?);
        self.kept.then(|| per_connection(grown as f64, sharers(client))).flatten()
    }
}

/// Who was served, measured or not.
fn sharers(client: &Client) -> usize {
    client.connections.served + client.bystanders.as_ref().map_or(0, BystandersReport::held)
}

/// Connections that wait in the listen queue cost the server nothing: only those that were served have a share.
fn per_connection(bytes: f64, served: usize) -> Option<f64> {
    (served > 0).then(|| bytes / served as f64)
}

/// Where a server that was not started here may run, if that is not everywhere: what limits it depends on that.
#[must_use]
pub fn place(whose: &Whose, placement: Placement, online: usize) -> Placement {
    let cpus =
        whose.processes().first().map_or_else(Vec::new, |stat| crate::subject::placement::cpus_of(stat.pid));
    let server = if cpus.len() < online { cpus } else { Vec::new() };
    Placement { server, ..placement }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_divided_by_the_connections_that_were_served() {
        assert_eq!(per_connection(8192.0, 2), Some(4096.0));
        assert_eq!(per_connection(8192.0, 0), None);
    }
}

//! `loadgen run` and the checks that both commands share.

use std::net::{SocketAddr, ToSocketAddrs};
use std::time::Duration;

use clap::Args;
use common::exit::Failure;
use common::units;

use super::Common;
use super::bystanders;
use super::costs::CostOptions;
use super::message::SIZE_MAX;
use crate::ping::Protocol;
use crate::ping::framing::Expect;
use crate::plan::{Load, Pin, RunPlan, Stop};

/// Bounds of one load. Generous, but everything has one.
const CONNECTIONS_MAX: u64 = 100_000;
/// Numbers of connections in a list.
const SWEEP_MAX: usize = 32;
const THREADS_MAX: u64 = 128;
const DEPTH_MAX: u64 = 65_536;
/// All messages of all connections together.
const MEMORY_MAX: u64 = 1 << 30;

/// Put a load on a server that is running already: an echo server, or any other with -m and --expect
#[derive(Debug, Args)]
pub(super) struct RunOptions {
    /// The server: a name or an address, and a port; for IPv6 `[::1]:12000`
    #[arg(value_name = "HOST:PORT")]
    target: String,
    /// How long to measure [default: 5s]
    #[arg(short = 'd', long, value_name = "TIME", value_parser = units::duration)]
    duration: Option<Duration>,
    /// Measure this many requests instead of a time
    #[arg(short = 'n', long, value_name = "N", conflicts_with = "duration", value_parser = units::count)]
    requests: Option<u64>,
    /// Load before the measuring, not counted
    #[arg(short = 'w', long, value_name = "TIME", default_value = "1s", value_parser = units::duration)]
    warmup: Duration,
    /// Replace each connection after this many replies; 1 = a new connection for every request
    #[arg(long, value_name = "N", value_parser = units::count)]
    reconnect: Option<u64>,
    /// How often to repeat the measurement
    #[arg(short = 'x', long, value_name = "N", default_value = "1", value_parser = units::count)]
    trials: u64,
    #[command(flatten)]
    costs: CostOptions,
    #[command(flatten)]
    common: Common,
}

impl RunOptions {
    /// An open loop whose rate is found later, `duration` long if nothing else was said.
    pub(super) fn at_some_rate(mut self, duration: Duration) -> Result<RunPlan, Failure> {
        self.common.rate.find()?;
        if self.requests.is_none() {
            self.duration.get_or_insert(duration);
        }
        self.plan()
    }

    pub(super) fn plan(self) -> Result<RunPlan, Failure> {
        let stop = match self.requests {
            Some(0) => {
                return Err(Failure::usage("-n 0: nothing would be measured; write for example -n 10k"));
            }
            Some(requests) => Stop::Requests(requests),
            None => Stop::After(self.duration.unwrap_or(Duration::from_secs(5))),
        };
        let seed = self.common.seed();
        let name = match self.reconnect {
            Some(1) => "churn",
            // what differs between the loads is enough to tell them apart
            _ if self.common.connections.len() > 1 => "",
            _ => "persistent",
        };
        let mut loads = Vec::new();
        for connections in sweep(&self.common)? {
            let load = load(&self.common, connections, stop, self.warmup, self.reconnect, seed)?;
            loads.push((swept(name, connections, &self.common), load));
        }
        let manner = self.common.manner(self.trials, Pin::Auto, None)?;
        if matches!(&manner.pin, Pin::At { server, .. } if !server.is_empty()) {
            return Err(Failure::usage(
                "--pin server=…: run does not start its server and cannot place it: write --pin client=LIST, and start the server with taskset -c LIST",
            ));
        }
        let costs = self.costs.understand()?;
        let (name, addresses) = resolve(&self.target)?;
        Ok(RunPlan { name, addresses, loads, costs, manner })
    }
}

/// Checks what can be checked without doing anything.
pub(super) fn load(
    common: &Common,
    connections: u64,
    stop: Stop,
    warmup: Duration,
    reconnect: Option<u64>,
    seed: u64,
) -> Result<Load, Failure> {
    let connections = within("-c", connections, CONNECTIONS_MAX)?;
    let threads = within("-t", common.threads, THREADS_MAX)?;
    let depth = within("-P", common.pipeline, DEPTH_MAX)?;
    let protocol = common.message.protocol(depth)?;
    let (size, named) = match &protocol {
        Protocol::Pattern => (within("-s", common.size, SIZE_MAX)?, "-s "),
        Protocol::Dialogue(dialogue) => (dialogue.longest(), "messages of "),
    };
    if threads > connections {
        return Err(Failure::usage(format!(
            "-t {threads}: more threads than connections (-c {connections}): some would have nothing to do"
        )));
    }
    let asked = common.bystanders.understand()?;
    if bystanders::memory(&asked, size) > MEMORY_MAX {
        return Err(Failure::usage(format!(
            "--idle and --slow × -s {size}: their messages would fill more than 1 GiB: make one of them smaller"
        )));
    }
    if (connections * depth) as u64 * (size as u64 + 16) > MEMORY_MAX {
        return Err(Failure::usage(format!(
            "-c {connections} × -P {depth} × {named}{size}: the messages would fill more than 1 GiB: make one of them smaller"
        )));
    }
    if stop == Stop::After(Duration::ZERO) {
        return Err(Failure::usage("-d 0: nothing would be measured; write for example -d 5s"));
    }
    if common.timeout < Duration::from_millis(1) {
        return Err(Failure::usage("-T is too short: at least 1ms; write for example -T 5s"));
    }
    if reconnect == Some(0) {
        return Err(Failure::usage(
            "--reconnect 0: a connection carries at least 1 request; leave it out to keep connections",
        ));
    }
    if common.interval < Duration::from_millis(100) {
        return Err(Failure::usage("-i is too short: at least 100ms; write for example -i 1s"));
    }
    let reconnect = match &protocol {
        Protocol::Dialogue(dialogue) if dialogue.expect == Expect::Close => match reconnect {
            None | Some(1) => Some(1),
            Some(more) => {
                return Err(Failure::usage(format!(
                    "--reconnect {more}: with --expect close each connection carries 1 request; leave it out"
                )));
            }
        },
        _ => reconnect,
    };
    let arrivals = common.rate.arrivals(seed, matches!(stop, Stop::After(_)))?;
    Ok(Load {
        connections,
        stop,
        threads,
        size,
        protocol,
        depth,
        warmup,
        reconnect,
        timeout: common.timeout,
        arrivals,
        bystanders: asked,
        ramp: common.connecting.ramp(connections)?,
        sources: common.connecting.sources()?,
        interval: common.interval,
    })
}

/// The numbers of connections, each once.
pub(super) fn sweep(common: &Common) -> Result<Vec<u64>, Failure> {
    let mut numbers: Vec<u64> = Vec::new();
    for number in &common.connections {
        if !numbers.contains(number) {
            numbers.push(*number);
        }
    }
    if numbers.len() > SWEEP_MAX {
        return Err(Failure::usage(format!("-c: a list has at most {SWEEP_MAX} numbers")));
    }
    Ok(numbers)
}

/// The name of a load, with its number of connections if there are several.
pub(super) fn swept(name: &str, connections: u64, common: &Common) -> String {
    if common.connections.len() > 1 {
        let connections = units::plural(connections, "connection");
        if name.is_empty() { connections } else { format!("{name}, {connections}") }
    } else {
        name.to_owned()
    }
}

fn within(option: &str, value: u64, max: u64) -> Result<usize, Failure> {
    if (1..=max).contains(&value) {
        Ok(value as usize)
    } else {
        Err(Failure::usage(format!("{option} {value}: must be from 1 to {}", units::show_count(max))))
    }
}

/// The name without its scheme, and its addresses. IPv4 first: that is what the servers here listen on.
fn resolve(name: &str) -> Result<(String, Vec<SocketAddr>), Failure> {
    let plain = name.strip_prefix("tcp://").unwrap_or(name);
    if let Some((scheme, _)) = plain.split_once("://") {
        return Err(Failure::usage(format!(
            "{name}: {scheme} is not spoken here: write HOST:PORT of a TCP server"
        )));
    }
    if !plain.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok_and(|port| port > 0)) {
        return Err(Failure::usage(format!(
            "{name}: a port is missing or wrong: write for example 127.0.0.1:12000"
        )));
    }
    let mut addresses: Vec<SocketAddr> = match plain.to_socket_addrs() {
        Ok(addresses) => addresses.collect(),
        Err(e) if plain.matches(':').count() > 1 && !plain.contains('[') => {
            return Err(Failure::usage(format!(
                "{name}: {e}: write an IPv6 address in brackets, [::1]:12000"
            )));
        }
        Err(e) => return Err(Failure::failed(format!("cannot find {name}: {e}: is the name right?"))),
    };
    if addresses.is_empty() {
        return Err(Failure::failed(format!("cannot find {name}: the name has no address")));
    }
    addresses.sort_by_key(SocketAddr::is_ipv6);
    Ok((plain.to_owned(), addresses))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_needs_a_port_and_a_known_scheme() {
        assert_eq!(resolve("[::1]:80").unwrap().1, ["[::1]:80".parse().unwrap()]);
        assert_eq!(resolve("tcp://127.0.0.1:80").unwrap().0, "127.0.0.1:80");
        for wrong in ["127.0.0.1", "127.0.0.1:0", "127.0.0.1:http", "http://127.0.0.1:80", "::1:80:x"] {
            assert_eq!(resolve(wrong).unwrap_err().code, common::exit::USAGE, "{wrong}");
        }
    }
}

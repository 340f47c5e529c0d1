//! One line a trial, for spreadsheets. Times are in microseconds; an empty field means "not known".

use std::fmt::Write;

use super::data::Client;
use super::{Report, Trial};
use crate::plan::{Arrivals, Load, Spacing};

const COLUMNS: &str = "workload,subject,trial,verdict,seconds,requests_per_second,requests,errors,requested,established,\
served,p50_us,p90_us,p99_us,p999_us,p9999_us,max_us,connect_p50_us,connect_p99_us,client_busy,server_cpu_us_per_request,\
context_switches_per_request,page_faults_per_request,memory_per_connection_bytes,processes,threads,limited_by,reasons,\
server_memory_bytes,kernel_memory_per_connection_bytes,server_busiest_thread,offered_per_second,due,unsent,\
uncorrected_p50_us,uncorrected_p99_us,lag_p99_us,jain,slowest_connection_replies,fastest_connection_replies,never_served,\
client_threads,message_bytes,pipeline,reconnect_after,rate_from,rate_to,spacing,idle,slow,greedy,idle_served,idle_closed,\
slow_established,slow_closed,slow_bytes,greedy_requests_per_second,greedy_bytes_per_second,bystanders_cpu_seconds";

/// A head line and a line for each trial.
#[must_use]
pub fn render(report: &Report) -> String {
    let mut out = format!("{COLUMNS}\n");
    for trial in &report.trials {
        let _ = writeln!(out, "{}", line(trial, load(report, trial)));
    }
    out
}

/// The load of a trial.
fn load<'a>(report: &'a Report, trial: &Trial) -> Option<&'a Load> {
    report.workloads.iter().find(|workload| workload.name == trial.workload).map(|workload| &workload.load)
}

fn number(value: Option<f64>) -> String {
    value.map_or_else(String::new, |value| format!("{value:.3}"))
}

fn micros(nanos: Option<u64>) -> String {
    number(nanos.map(|nanos| nanos as f64 / 1e3))
}

fn count(value: Option<u64>) -> String {
    value.map_or_else(String::new, |value| value.to_string())
}

/// The trials of several reports, each line with the name of its report in front.
#[must_use]
pub fn render_all<'a>(reports: impl ExactSizeIterator<Item = (&'a str, &'a Report)>) -> String {
    if reports.len() == 1 {
        return reports.map(|(_, report)| render(report)).collect();
    }
    let mut out = format!("report,{COLUMNS}\n");
    for (name, report) in reports {
        for trial in &report.trials {
            let _ = writeln!(out, "{},{}", text(name), line(trial, load(report, trial)));
        }
    }
    out
}

fn line(trial: &Trial, load: Option<&Load>) -> String {
    let (client, server) = (trial.client.as_ref(), trial.server.as_ref());
    let reply = client.map(|c| &c.reply);
    let connect = client.and_then(|c| c.connect.as_ref());
    let connections = client.map(|c| &c.connections);
    let fields = [
        text(&trial.workload),
        text(&trial.subject),
        trial.trial.to_string(),
        trial.verdict.level.word().to_owned(),
        number(client.map(|c| c.seconds)),
        number(client.map(|c| c.requests_per_second)),
        count(client.map(|c| c.requests.ok)),
        count(client.map(|c| c.errors.iter().map(|error| error.connections).sum())),
        count(connections.map(|c| c.requested as u64)),
        count(connections.map(|c| c.established as u64)),
        count(connections.map(|c| c.served as u64)),
        micros(reply.map(|r| r.p50)),
        micros(reply.map(|r| r.p90)),
        micros(reply.map(|r| r.p99)),
        micros(reply.map(|r| r.p999)),
        micros(reply.map(|r| r.p9999)),
        micros(reply.map(|r| r.max)),
        micros(connect.map(|c| c.p50)),
        micros(connect.map(|c| c.p99)),
        number(client.and_then(|c| c.busy)),
        number(server.map(|s| s.cpu_us_per_request)),
        number(server.and_then(|s| s.context_switches_per_request)),
        number(server.and_then(|s| s.page_faults_per_request)),
        number(server.and_then(|s| s.memory_per_connection)),
        count(server.map(|s| s.processes as u64)),
        count(server.map(|s| s.threads)),
        trial.limited_by.map_or_else(String::new, |limit| limit.word().to_owned()),
        text(&trial.verdict.words()),
        count(server.and_then(|s| s.memory_bytes)),
        number(server.and_then(|s| s.kernel_memory_per_connection)),
        number(server.map(|s| s.busiest_thread)),
    ];
    [fields.join(","), schedule(client), fairness(client), load_fields(load), bystanders(client)].join(",")
}

/// Those that were there as well.
fn bystanders(client: Option<&Client>) -> String {
    let others = client.and_then(|c| c.bystanders.as_ref());
    let fields = [
        count(others.map(|b| b.idle.served as u64)),
        count(others.map(|b| (b.idle.closed + b.idle.reset) as u64)),
        count(others.map(|b| (b.dribblers.established + b.never_readers.established) as u64)),
        count(others.map(|b| b.slow_closed() as u64)),
        count(others.map(|b| b.dribbled_bytes + b.taken_bytes)),
        number(others.and_then(|b| b.greedy_requests_per_second)),
        number(others.and_then(|b| b.greedy_bytes_per_second)),
        number(others.and_then(|b| b.cpu_seconds)),
    ];
    fields.join(",")
}

/// What only an open loop has.
fn schedule(client: Option<&Client>) -> String {
    let open = client.and_then(|c| c.open.as_ref());
    let fields = [
        number(open.map(|o| o.offered_per_second)),
        count(open.map(|o| o.due)),
        count(open.map(|o| o.unsent)),
        micros(open.map(|o| o.uncorrected.p50)),
        micros(open.map(|o| o.uncorrected.p99)),
        micros(open.map(|o| o.lag.p99)),
    ];
    fields.join(",")
}

fn fairness(client: Option<&Client>) -> String {
    let fairness = client.and_then(|c| c.fairness);
    let fields = [
        number(fairness.map(|f| f.jain)),
        count(fairness.map(|f| f.slowest)),
        count(fairness.map(|f| f.fastest)),
        count(fairness.map(|f| f.never_served as u64)),
    ];
    fields.join(",")
}

/// What was asked for, beside the number of connections.
fn load_fields(load: Option<&Load>) -> String {
    let rate = load.and_then(|load| match load.arrivals {
        Arrivals::AtRate(rate) => Some(rate),
        _ => None,
    });
    let spacing = rate.map_or_else(String::new, |rate| match rate.spacing {
        Spacing::Uniform => "uniform".to_owned(),
        Spacing::Poisson => "poisson".to_owned(),
        Spacing::Burst(size) => format!("burst of {size}"),
    });
    let size = |of: fn(&Load) -> usize| count(load.map(|load| of(load) as u64));
    let fields = [
        size(|load| load.threads),
        size(|load| load.size),
        size(|load| load.depth),
        count(load.and_then(|load| load.reconnect)),
        number(rate.map(|rate| rate.from)),
        number(rate.map(|rate| rate.to)),
        spacing,
        size(|load| load.bystanders.idle),
        size(|load| load.bystanders.slow),
        size(|load| load.bystanders.greedy),
    ];
    fields.join(",")
}

/// Quotes a text where a comma, a quote or a line break would be misread.
fn text(value: &str) -> String {
    if value.contains([',', '"', '\n', '\r']) {
        format!("\"{}\"", value.replace('"', "\"\""))
    } else {
        value.to_owned()
    }
}

//! `loadgen compare`: starts each server, measures it, stops it; in shuffled turns, so that a slow drift of the
//! machine hits all of them alike.
//!
//! A server that cannot be started, dies or answers wrongly costs its own row only. Results are saved after each
//! trial: whatever happens later, what was measured is kept.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use common::exit::Failure;
use common::signals;

use crate::drive::{self, Ending, Moment};
use crate::pace::random::Random;
use crate::plan::{ComparePlan, Contender, Load, Serves, Target, Workload};
use crate::progress::Progress;
use crate::report::data::{Client, Cost, NamedLoad, Report, Subject};
use crate::report::{Trial, save};
use crate::run;
use crate::subject::machine::Watched;
use crate::subject::placement;
use crate::subject::sample::{self, Sample};
use crate::subject::server::Server;
use crate::trial::{Label, Seen};

/// What a trial takes beside its load: start, settle, stop. For the time left only.
const OVERHEAD: Duration = Duration::from_millis(150);

/// Measures all servers under all loads and returns the report.
///
/// # Errors
/// A result could not be saved.
pub fn compare(plan: &ComparePlan, mut report: Report) -> Result<Report, Failure> {
    let cpus = placement::allowed_cpus();
    report.placement = placement::place(plan.manner.pin, &cpus);
    report.seed = Some(plan.seed);
    report.workloads = plan
        .workloads
        .iter()
        .map(|w| NamedLoad { name: w.name.clone(), scenario: None, load: w.load.clone() })
        .collect();
    report.subjects = plan.contenders.iter().map(|contender| subject(plan, contender)).collect();
    let turns = turns(plan);
    let whole = turns.iter().map(|turn| run::span(&turn.workload.load) + OVERHEAD).sum();
    let progress = Progress::new(plan.manner.quiet, whole);
    let begin = Instant::now();
    for (index, turn) in turns.iter().enumerate() {
        let Turn { trial, workload, contender } = *turn;
        progress.begin(&format!("{}/{} {} · {}", index + 1, turns.len(), contender.name, workload.name));
        let label = Label { trial, workload: workload.name.clone(), subject: contender.name.clone() };
        let trial = measure(plan, &report, turn, label, || progress.reach(begin.elapsed(), whole));
        report.interrupted = signals::stop_requested().is_some();
        if let Some(trial) = trial {
            report.add(trial);
        }
        save::save(&report, &plan.manner.outputs).inspect_err(|_| progress.finish())?;
        if report.interrupted {
            break;
        }
    }
    progress.finish();
    Ok(report)
}

fn subject(plan: &ComparePlan, contender: &Contender) -> Subject {
    let mut command_line = vec![plan.server.display().to_string()];
    command_line.extend(contender.arguments.iter().cloned());
    Subject { name: contender.name.clone(), command_line: Some(command_line), workers: contender.workers }
}

#[derive(Clone, Copy)]
struct Turn<'a> {
    trial: u32,
    workload: &'a Workload,
    contender: &'a Contender,
}

/// Trial by trial, load by load, the servers in a new order each time.
fn turns(plan: &ComparePlan) -> Vec<Turn<'_>> {
    let mut turns = Vec::new();
    let mut random = Random::new(plan.seed);
    for trial in 1..=plan.manner.trials {
        for workload in &plan.workloads {
            let mut order: Vec<&Contender> = plan.contenders.iter().collect();
            random.shuffle(&mut order);
            turns.extend(order.into_iter().map(|contender| Turn { trial, workload, contender }));
        }
    }
    turns
}

/// The edges of the measured time, as the server and the machine saw them.
struct Edges {
    machine: Watched,
    memory_before: Option<u64>,
    memory: Option<u64>,
    start: Option<Sample>,
    end: Option<Sample>,
    threads: BTreeMap<i32, Duration>,
    busiest: Duration,
    death: Option<String>,
}

impl Edges {
    /// Before the first connect.
    fn before(server: &Server) -> Self {
        Self {
            machine: Watched::begin(),
            memory_before: sample::memory(server.pid()),
            memory: None,
            start: None,
            end: None,
            threads: BTreeMap::new(),
            busiest: Duration::ZERO,
            death: None,
        }
    }
}

/// One trial. `None`: interrupted before there was anything to tell.
fn measure(
    plan: &ComparePlan,
    report: &Report,
    turn: &Turn<'_>,
    label: Label,
    tick: impl Fn(),
) -> Option<Trial> {
    let load = &turn.workload.load;
    let started = Server::start(&plan.server, &turn.contender.arguments, &report.placement.server);
    let mut server = match started {
        Ok(server) => server,
        Err(_) if signals::stop_requested().is_some() => return None,
        Err(why) => return Some(label.failed(&format!("could not be started: {why}"))),
    };
    let serves = turn.contender.workers.map_or(Serves::All, Serves::AtATime);
    let target = Target { name: server.address.to_string(), address: server.address, serves };
    let mut edges = Edges::before(&server);
    let outcome = drive::run(&target, load, &report.placement.client, &mut |moment| {
        watch(&mut server, &mut edges, load, moment, &tick)
    });
    if edges.death.is_none() {
        edges.death = server.gone();
    }
    let left = server.stop();
    let outcome = match outcome {
        Ok(outcome) if outcome.ending == Ending::Interrupted && outcome.measured.ok == 0 => return None,
        Ok(outcome) => outcome,
        Err(failure) => return Some(label.failed(edges.death.as_ref().unwrap_or(&failure.message))),
    };
    let client = Client::of(&outcome, load);
    let mut cost = cost(&edges, &client, load, report);
    if let Some(cost) = &mut cost {
        let life = client.replies_of_whole_life().max(1) as f64;
        cost.context_switches_per_request = Some(left.context_switches as f64 / life);
        cost.page_faults_per_request = Some(left.faults as f64 / life);
        cost.left_cleanly = Some(left.cleanly.is_ok());
    }
    let troubles: Vec<String> = match (&edges.death, left.cleanly) {
        (Some(death), _) => vec![format!("died in the run: {death}")],
        (None, Err(why)) => vec![format!("did not leave cleanly: {why}")],
        (None, Ok(())) => Vec::new(),
    };
    Some(label.judged(load, report, Seen { client, server: cost, machine: edges.machine, troubles }))
}

/// Looks at the server at the edges; `false`: it is gone, so there is nothing left to measure.
fn watch(server: &mut Server, edges: &mut Edges, load: &Load, moment: Moment<'_>, tick: &impl Fn()) -> bool {
    // at the start last, at the end first: looking at the server is none of the measured time's work
    if moment != Moment::Start {
        edges.machine.look(moment);
    }
    match moment {
        Moment::Connected => {}
        Moment::Start => {
            let settled = sample::settled(server.pid());
            edges.memory = (!load.churns()).then(|| sample::memory(server.pid())).flatten();
            edges.threads = sample::threads(server.pid());
            edges.start = Some(settled);
            edges.machine.look(moment);
        }
        Moment::End => {
            edges.end = Some(sample::settled(server.pid()));
            edges.busiest = sample::busiest(&edges.threads, &sample::threads(server.pid()));
        }
        Moment::Tick => tick(),
        Moment::Interval(_) => {}
    }
    edges.death = server.gone();
    edges.death.is_none()
}

fn cost(edges: &Edges, client: &Client, load: &Load, report: &Report) -> Option<Cost> {
    let (start, end) = (edges.start?, edges.end?);
    if client.requests.ok == 0 || edges.death.is_some() {
        return None;
    }
    let cpu_seconds = end.cpu.saturating_sub(start.cpu).as_secs_f64();
    let cpus = report.placement.server_cpus(&report.platform.cpus_allowed);
    let growth = match (edges.memory_before, edges.memory) {
        (Some(before), Some(connected)) if !load.churns() => Some(connected.saturating_sub(before) as f64),
        _ => None,
    };
    Some(Cost {
        cpu_seconds,
        cpu_us_per_request: cpu_seconds * 1e6 / client.requests.ok as f64,
        busy: cpu_seconds / client.seconds.max(1e-9) / cpus as f64,
        busiest_thread: edges.busiest.as_secs_f64() / client.seconds.max(1e-9),
        context_switches_per_request: None,
        page_faults_per_request: None,
        memory_per_connection: growth.and_then(|bytes| per_connection(bytes, client.connections.served)),
        processes: start.processes,
        threads: start.threads,
        left_cleanly: None,
    })
}

/// Connections that wait in the listen queue cost the server nothing: only those that were served have a share.
fn per_connection(bytes: f64, served: usize) -> Option<f64> {
    (served > 0).then(|| bytes / served as f64)
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

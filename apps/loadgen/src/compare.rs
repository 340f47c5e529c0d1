//! `loadgen compare`: starts each server, measures it, stops it; in shuffled turns, so that a slow drift of the
//! machine hits all of them alike.
//!
//! A server that cannot be started, dies or answers wrongly costs its own row only. Results are saved after each
//! trial: whatever happens later, what was measured is kept.

use std::time::{Duration, Instant};

use common::exit::Failure;
use common::signals;

use crate::account::Account;
use crate::drive::{self, Ending, Moment};
use crate::pace::random::Random;
use crate::plan::{ComparePlan, Contender, Serves, Target, Workload};
use crate::progress::Progress;
use crate::report::data::{Client, NamedLoad, Report, Subject};
use crate::report::{Trial, save};
use crate::run;
use crate::subject::machine::Watched;
use crate::subject::placement;
use crate::subject::server::{Launch, Server};
use crate::trial::{Label, Seen};

/// What a trial takes beside its load: start, settle, stop. For the time left only.
const OVERHEAD: Duration = Duration::from_millis(150);

/// Measures all servers under all loads and returns the report.
///
/// # Errors
/// A result could not be saved.
pub fn compare(plan: &ComparePlan, mut report: Report) -> Result<Report, Failure> {
    let cpus = placement::allowed_cpus();
    report.placement = placement::place(&plan.manner.pin, &cpus);
    report.seed = Some(plan.seed);
    report.workloads = plan
        .workloads
        .iter()
        .map(|w| NamedLoad { name: w.name.clone(), scenario: None, load: w.load.clone() })
        .collect();
    report.subjects = plan.contenders.iter().map(subject).collect();
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

fn subject(contender: &Contender) -> Subject {
    let mut command_line = vec![contender.program.display().to_string()];
    command_line.extend(contender.arguments.iter().cloned());
    Subject {
        name: contender.name.clone(),
        command_line: Some(command_line),
        workers: contender.workers,
        accounting: None,
    }
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

/// One trial. `None`: interrupted before there was anything to tell.
fn measure(
    plan: &ComparePlan,
    report: &Report,
    turn: &Turn<'_>,
    label: Label,
    tick: impl Fn(),
) -> Option<Trial> {
    let Turn { workload: Workload { load, .. }, contender, .. } = turn;
    let mut server = match Server::start(&launch(plan, contender, &report.placement.server)) {
        Ok(server) => server,
        Err(_) if signals::stop_requested().is_some() => return None,
        Err(why) => return Some(label.failed(&format!("could not be started: {why}"))),
    };
    let target = Target {
        name: server.address.to_string(),
        address: server.address,
        serves: match contender.workers {
            Some(workers) => Serves::AtATime(workers),
            None if contender.ours => Serves::All,
            None => Serves::Unknown,
        },
    };
    let mut seen =
        Watch { machine: Watched::begin(), account: Account::open(server.whose(), load), death: None };
    let outcome = drive::run(&target, load, &report.placement.client, &mut |moment| {
        seen.look(&mut server, moment, &tick)
    });
    let Watch { machine, account, death } = seen;
    let death = death.or_else(|| server.gone());
    let left = server.stop();
    let outcome = match outcome {
        Ok(outcome) if outcome.ending == Ending::Interrupted && outcome.measured.ok == 0 => return None,
        Ok(outcome) => outcome,
        Err(failure) => return Some(label.failed(death.as_ref().unwrap_or(&failure.message))),
    };
    let client = Client::of(&outcome, load);
    let mut cost = account.cost(&client, report).filter(|_| death.is_none());
    if let Some(cost) = &mut cost {
        // here nothing is lost of threads and processes that lived shorter than the trial
        let life = client.replies_of_whole_life().max(1) as f64;
        cost.context_switches_per_request = Some(left.context_switches as f64 / life);
        cost.page_faults_per_request = Some(left.faults as f64 / life);
        cost.left_cleanly = Some(left.cleanly.is_ok());
    }
    let troubles: Vec<String> = match (&death, left.cleanly) {
        (Some(death), _) => vec![format!("died in the run: {death}")],
        // how others leave when they are asked to is their own affair
        (None, Err(why)) if contender.ours => vec![format!("did not leave cleanly: {why}")],
        (None, _) => Vec::new(),
    };
    Some(label.judged(load, report, Seen { client, server: cost, machine, troubles }))
}

fn launch<'a>(plan: &ComparePlan, contender: &'a Contender, cpus: &'a [usize]) -> Launch<'a> {
    Launch {
        program: &contender.program,
        arguments: &contender.arguments,
        ours: contender.ours,
        cpus,
        ready_within: plan.ready_within,
    }
}

/// The edges of the measured time, as the server and the machine saw them.
struct Watch {
    machine: Watched,
    account: Account,
    death: Option<String>,
}

impl Watch {
    /// Looks at the edges; `false`: the server is gone, so there is nothing left to measure.
    fn look(&mut self, server: &mut Server, moment: Moment<'_>, tick: &impl Fn()) -> bool {
        // at the start last, at the end first: looking at the server is none of the measured time's work
        if moment != Moment::Start {
            self.machine.look(moment);
        }
        self.account.look(moment);
        if moment == Moment::Start {
            self.machine.look(moment);
        }
        if moment == Moment::Tick {
            tick();
        }
        self.death = server.gone();
        self.death.is_none()
    }
}

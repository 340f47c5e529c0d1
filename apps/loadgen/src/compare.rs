//! `loadgen compare`: starts each server, measures it, stops it; in shuffled turns, so that a slow drift of the
//! machine hits all of them alike.
//!
//! A server that cannot be started, dies or answers wrongly costs its own row only. Results are saved after each
//! trial: whatever happens later, what was measured is kept.

use std::collections::BTreeMap;
use std::time::Duration;

use common::signals;

use crate::account::Account;
use crate::acts::{Acting, Victim};
use crate::drive::{self, Ending, Moment};
use crate::live::Live;
use crate::pace::random::Random;
use crate::plan::{Arrivals, ComparePlan, Contender, Scenario, Serves, Target, Workload};
use crate::report::data::{Client, Fairness, Figure, NamedLoad, Report, Subject};
use crate::report::{Trial, save};
use crate::subject::machine::Watched;
use crate::subject::placement;
use crate::subject::server::{Launch, Server};
use crate::subject::workers::StatisticsFile;
use crate::trial::{Label, Seen};
use crate::{run, scenarios};

/// What a trial takes beside its load: start, settle, stop. For the time left only.
const OVERHEAD: Duration = Duration::from_millis(150);

/// Measures all servers under all loads and returns the report.
///
#[must_use]
pub fn compare(plan: &ComparePlan, mut report: Report, live: &mut Live) -> Report {
    let cpus = placement::allowed_cpus();
    report.placement = placement::place(&plan.manner.pin, &cpus);
    report.seed = Some(plan.seed);
    report.workloads = plan
        .workloads
        .iter()
        .map(|w| NamedLoad {
            name: w.name.clone(),
            scenario: Some(w.scenario.name().to_owned()),
            load: w.load.clone(),
        })
        .collect();
    report.subjects = plan.contenders.iter().map(subject).collect();
    let turns = turns(plan);
    let whole = turns.iter().map(|turn| run::span(&turn.workload.load) + OVERHEAD).sum();
    live.start(&report, whole);
    for (index, turn) in turns.iter().enumerate() {
        let Turn { trial, workload, contender } = *turn;
        let label = Label { trial, workload: workload.name.clone(), subject: contender.name.clone() };
        let what = format!("{}/{} {} · {}", index + 1, turns.len(), contender.name, workload.name);
        live.begin(&what, label.clone(), &workload.load);
        let trial = measure(plan, &report, turn, label, live);
        report.interrupted = signals::stop_requested().is_some();
        if let Some(trial) = trial {
            live.ended(&trial);
            report.add(trial);
            scenarios::conclude(&mut report, &plan.scenarios);
        }
        // what cannot be written now is tried again at the end, and told then
        let _ = save::save(&report, &plan.manner.outputs);
        if report.interrupted {
            break;
        }
    }
    report
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

/// Trial by trial, load by load: the servers in a new order in each odd trial, and in the reverse of that order in the
/// even one after it. So no server is before another one in all trials by chance (of five shuffled orders of two that
/// happens once in sixteen times), and an even drift of the machine cancels out.
fn turns(plan: &ComparePlan) -> Vec<Turn<'_>> {
    let mut turns = Vec::new();
    let mut random = Random::new(plan.seed);
    let mut orders: Vec<Vec<&Contender>> = vec![plan.contenders.iter().collect(); plan.workloads.len()];
    for trial in 1..=plan.manner.trials {
        for (workload, order) in plan.workloads.iter().zip(&mut orders) {
            if trial % 2 == 1 {
                random.shuffle(order);
            } else {
                order.reverse();
            }
            let taking_part = order.iter().filter(|contender| takes_part(workload, contender));
            turns.extend(taking_part.map(|contender| Turn { trial, workload, contender }));
        }
    }
    turns
}

/// Whether this load says anything of this server.
fn takes_part(workload: &Workload, contender: &Contender) -> bool {
    workload.accepts == contender.accepts && (contender.ours || !workload.ours_only)
}

/// What a server did in a closed loop: its last trial of the load before those that are relative to it.
fn knee(report: &Report, workload: &Workload, subject: &str) -> Option<f64> {
    let closed = |name: &str| {
        let of = |load: &&NamedLoad| {
            load.name == name && load.scenario.as_deref() == Some(workload.scenario.name())
        };
        report.workloads.iter().find(of).is_some_and(|load| !load.load.open_loop())
    };
    let trial = report.trials.iter().rfind(|trial| trial.subject == subject && closed(&trial.workload))?;
    trial.client.as_ref().map(|client| client.requests_per_second).filter(|rate| *rate > 0.0)
}

/// One trial. `None`: interrupted before there was anything to tell.
fn measure(
    plan: &ComparePlan,
    report: &Report,
    turn: &Turn<'_>,
    label: Label,
    live: &mut Live,
) -> Option<Trial> {
    let Turn { workload, contender, .. } = turn;
    let load = &match (workload.load.arrivals, knee(report, workload, &contender.name)) {
        (Arrivals::OfKnee { .. }, None) => {
            return Some(label.failed("what it can do was not found out before"));
        }
        (_, knee) => workload.load.at_knee(knee.unwrap_or(0.0)),
    };
    let statistics = StatisticsFile::new(report.trials.len());
    let arguments = arguments(workload, contender, &statistics);
    let mut server = match Server::start(&launch(plan, contender, &arguments, &report.placement.server)) {
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
    let victim = Victim { address: server.address, pid: server.pid(), whose: server.whose() };
    let acting = Acting::plan(workload.act, victim, load);
    let mut seen = Watch {
        machine: Watched::begin(),
        account: Account::open(server.whose(), load),
        acting,
        death: None,
    };
    let outcome = drive::run(&target, load, &report.placement.client, &mut |moment| {
        seen.look(&mut server, moment, live)
    });
    let Watch { machine, account, acting, death } = seen;
    let provoked = acting.provokes();
    let death = death.or_else(|| server.gone()).filter(|_| !provoked);
    let lives = server.gone().is_none();
    let left = server.stop();
    let outcome = match outcome {
        Ok(outcome) if outcome.ending == Ending::Interrupted && outcome.measured.ok == 0 => return None,
        Ok(outcome) => outcome,
        Err(failure) => return Some(label.failed(death.as_ref().unwrap_or(&failure.message))),
    };
    let client = Client::of(&outcome, load);
    let mut figures = acting.figures(&client);
    figures.extend(scenario_figures(workload, &client, &account, &statistics));
    let mut cost = account.cost(&client, report).filter(|_| death.is_none() && lives);
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
        (None, Err(why)) if contender.ours && !provoked => vec![format!("did not leave cleanly: {why}")],
        (None, _) => Vec::new(),
    };
    let mut trial = label.judged(load, report, Seen { client, server: cost, machine, troubles, provoked });
    trial.figures = figures;
    Some(trial)
}

/// Our own servers get the load's arguments, too; others are as they are.
fn arguments(workload: &Workload, contender: &Contender, statistics: &StatisticsFile) -> Vec<String> {
    let mut arguments = contender.arguments.clone();
    if contender.ours {
        arguments.extend(workload.server.iter().cloned());
    }
    if contender.accepts {
        arguments.extend(["--stats".to_owned(), statistics.path().display().to_string()]);
    }
    arguments
}

/// What only some experiments measure, of what every trial sees.
fn scenario_figures(
    workload: &Workload,
    client: &Client,
    account: &Account,
    statistics: &StatisticsFile,
) -> BTreeMap<Figure, f64> {
    let mut figures = BTreeMap::new();
    if let Some(open) = &client.open {
        figures.insert(Figure::OfferedPerSecond, open.offered_per_second);
        figures.insert(Figure::UnsentPercent, open.unsent as f64 / (open.due.max(1)) as f64 * 100.0);
    }
    if workload.scenario == Scenario::C10k {
        let [own, kernel] = account.grown();
        let idle = client.bystanders.as_ref().map_or(0, |bystanders| bystanders.idle.held());
        figures.insert(Figure::IdleHeld, idle as f64);
        figures.extend(own.map(|bytes| (Figure::ServerBytes, bytes as f64)));
        figures.extend(kernel.map(|bytes| (Figure::KernelBytes, bytes as f64)));
    }
    if let Some(accepted) = statistics.accepted() {
        let most = accepted.iter().max().copied().unwrap_or(0) as f64;
        let all = accepted.iter().sum::<u64>().max(1) as f64;
        figures.extend(Fairness::of(&accepted).map(|fairness| (Figure::WorkersJain, fairness.jain)));
        figures.insert(Figure::BusiestWorkerShare, most / all);
    }
    figures
}

fn launch<'a>(
    plan: &ComparePlan,
    contender: &'a Contender,
    arguments: &'a [String],
    cpus: &'a [usize],
) -> Launch<'a> {
    Launch {
        program: &contender.program,
        arguments,
        ours: contender.ours,
        cpus,
        ready_within: plan.ready_within,
    }
}

/// The edges of the measured time, as the server and the machine saw them.
struct Watch {
    machine: Watched,
    account: Account,
    acting: Acting,
    death: Option<String>,
}

impl Watch {
    /// Looks at the edges; `false`: the server is gone, so there is nothing left to measure.
    fn look(&mut self, server: &mut Server, moment: Moment<'_>, live: &mut Live) -> bool {
        // at the start last, at the end first: looking at the server is none of the measured time's work
        if moment != Moment::Start {
            self.machine.look(moment);
        }
        self.account.look(moment);
        if moment == Moment::Start {
            self.machine.look(moment);
        }
        match moment {
            Moment::Start => self.acting.begin(),
            Moment::Tick(_) => self.acting.look(),
            Moment::Connected | Moment::End | Moment::Interval(_) => {}
        }
        live.tell(moment);
        self.death = server.gone();
        // a death that was provoked is what the load is about: it goes on to see who else loses what
        self.death.is_none() || self.acting.provokes()
    }
}

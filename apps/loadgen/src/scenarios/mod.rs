//! The experiments of `loadgen compare`: each a file that says what it shows, what theory expects and why, which loads
//! it needs, and what its figures mean.
//!
//! How: an [`Experiment`] is data and two pure functions: from the loads that the user chose to those of the experiment,
//! and from the rows that were measured to sentences. `compare` runs the loads and knows none of them by name.

mod accept;
mod block;
mod c10k;
mod churn;
mod cpu;
mod crash;
mod greedy;
mod overload;
mod persistent;
mod shutdown;
mod slow;
mod stevens;
mod words;

use std::time::Duration;

use crate::plan::{Act, Load, Scenario, Workload};
use crate::report::data::{self, Report};
use crate::report::summary::Row;

/// What an experiment is.
pub struct Experiment {
    /// What it shows, in a sentence or two.
    pub shows: &'static str,
    /// What theory expects, and why.
    pub expects: &'static str,
    /// Its loads, made from what the user asked for.
    pub workloads: fn(&Base) -> Vec<Workload>,
    /// What its rows say, in sentences; it may add figures that follow from several rows.
    pub conclude: fn(&mut [Row]) -> Vec<String>,
}

/// What the user asked for.
#[derive(Debug, Clone)]
pub struct Base {
    /// The load.
    pub load: Load,
    /// Whether it shall be over soon.
    pub quick: bool,
    /// Connections that a process of this machine may have.
    pub room: usize,
    /// What random arrivals are made from.
    pub seed: u64,
}

/// The experiment of this name.
#[must_use]
pub fn experiment(scenario: Scenario) -> &'static Experiment {
    match scenario {
        Scenario::Persistent => &persistent::EXPERIMENT,
        Scenario::Churn => &churn::EXPERIMENT,
        Scenario::Stevens => &stevens::EXPERIMENT,
        Scenario::C10k => &c10k::EXPERIMENT,
        Scenario::Cpu => &cpu::EXPERIMENT,
        Scenario::Block => &block::EXPERIMENT,
        Scenario::Slow => &slow::EXPERIMENT,
        Scenario::Greedy => &greedy::EXPERIMENT,
        Scenario::Overload => &overload::EXPERIMENT,
        Scenario::Crash => &crash::EXPERIMENT,
        Scenario::Shutdown => &shutdown::EXPERIMENT,
        Scenario::Accept => &accept::EXPERIMENT,
    }
}

/// The loads of these experiments, in this order.
#[must_use]
pub fn workloads(scenarios: &[Scenario], base: &Base) -> Vec<Workload> {
    scenarios.iter().flat_map(|scenario| (experiment(*scenario).workloads)(base)).collect()
}

/// The same for several numbers of connections: a load that differs between them says so in its name.
#[must_use]
pub fn sweep(scenarios: &[Scenario], bases: &[Base]) -> Vec<Workload> {
    let of_each: Vec<Vec<Workload>> = bases.iter().map(|base| workloads(scenarios, base)).collect();
    let Some((first, others)) = of_each.split_first() else { return Vec::new() };
    let mut all = Vec::new();
    for (index, workload) in first.iter().enumerate() {
        let same =
            others.iter().all(|other| other.get(index).is_some_and(|other| other.load == workload.load));
        for each in if same { &of_each[..1] } else { &of_each[..] } {
            let Some(mut workload) = each.get(index).cloned() else { continue };
            if !same {
                let connections = common::units::plural(workload.load.connections as u64, "connection");
                workload.name = format!("{}, {connections}", workload.name);
            }
            all.push(workload);
        }
    }
    all
}

/// Brings what a report says of its experiments up to date.
pub fn conclude(report: &mut Report, scenarios: &[Scenario]) {
    report.scenarios.clear();
    for scenario in scenarios {
        let experiment = experiment(*scenario);
        let own: Vec<&str> = report
            .workloads
            .iter()
            .filter(|workload| workload.scenario.as_deref() == Some(scenario.name()))
            .map(|workload| workload.name.as_str())
            .collect();
        let (mut rows, others): (Vec<Row>, Vec<Row>) =
            report.summary.drain(..).partition(|row| own.contains(&row.workload.as_str()));
        let measured = if rows.is_empty() { Vec::new() } else { (experiment.conclude)(&mut rows) };
        report.summary = others;
        report.summary.append(&mut rows);
        report.scenarios.push(data::Scenario {
            name: scenario.name().to_owned(),
            shows: experiment.shows.to_owned(),
            expects: experiment.expects.to_owned(),
            measured,
        });
    }
}

impl Workload {
    /// A load of an experiment, named after it or, if it has several, with what tells it apart.
    #[must_use]
    pub fn of(scenario: Scenario, what: &str, load: Load) -> Self {
        let name = match what {
            "" => scenario.name().to_owned(),
            what => format!("{}: {what}", scenario.name()),
        };
        Self { name, scenario, load, server: Vec::new(), ours_only: false, act: Act::Watch, accepts: false }
    }

    /// Our own servers get these arguments; without them there is nothing to see.
    #[must_use]
    pub fn only_with(self, arguments: &[&str]) -> Self {
        Self { ours_only: true, ..self.with_server(arguments) }
    }

    /// Our own servers get these arguments as well.
    #[must_use]
    pub fn with_server(self, arguments: &[&str]) -> Self {
        Self { server: arguments.iter().map(|argument| (*argument).to_owned()).collect(), ..self }
    }
}

/// The measured time, but no shorter than this.
fn at_least(load: &Load, span: Duration) -> crate::plan::Stop {
    match load.stop {
        crate::plan::Stop::After(asked) => crate::plan::Stop::After(asked.max(span)),
        requests @ crate::plan::Stop::Requests(_) => requests,
    }
}

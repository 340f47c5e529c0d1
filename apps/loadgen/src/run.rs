//! `loadgen run`: one server that is there already. Its processes are looked at where they can be found or are named;
//! otherwise it is seen from the client's side only.

use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use common::exit::Failure;
use common::{signals, units};

use crate::account::{self, Account};
use crate::accounted;
use crate::drive::{self, Ending, Moment};
use crate::live::Live;
use crate::plan::{Load, Pin, RunPlan, Serves, Stop, Target};
use crate::report::data::{Client, NamedLoad, Report, Subject};
use crate::report::{Trial, save};
use crate::subject::machine::Watched;
use crate::subject::placement;
use crate::subject::tree::Whose;
use crate::trial::{Label, Seen};

/// Measures and returns the report.
///
/// # Errors
/// Nothing could be measured at all.
pub fn run(plan: &RunPlan, mut report: Report, live: &mut Live) -> Result<Report, Failure> {
    let site = Site::find(plan, &mut report);
    live.start(&report, plan.loads.iter().map(|(_, load)| span(load)).sum::<Duration>() * plan.manner.trials);
    for number in 1..=plan.manner.trials {
        for (name, load) in &plan.loads {
            let label = Label { trial: number, workload: name.clone(), subject: plan.name.clone() };
            live.begin(&step(plan, number, name), label.clone(), load);
            let trial = site.measure(load, label.clone(), &report, live);
            let trial = match trial {
                // nothing was measured at all: a report would only say so at length
                Err(failure) if report.trials.is_empty() => return Err(failure),
                Err(failure) => label.failed(&failure.message),
                Ok(trial) => trial,
            };
            // also between two trials, or in one that was over too soon to notice
            report.interrupted = signals::stop_requested().is_some();
            if report.trials.is_empty() || !has_nothing(&trial) {
                live.ended(&trial);
                report.add(trial);
                // what cannot be written now is tried again at the end, and told then
                let _ = save::save(&report, &plan.manner.outputs);
            }
            if report.interrupted {
                return Ok(report);
            }
        }
    }
    Ok(report)
}

/// What is measured now, for the eyes of who waits.
fn step(plan: &RunPlan, number: u32, name: &str) -> String {
    let mut text = plan.name.clone();
    if plan.loads.len() > 1 {
        text.push_str(&format!(", {name}"));
    }
    if plan.manner.trials > 1 {
        text.push_str(&format!(" (trial {number} of {})", plan.manner.trials));
    }
    text
}

/// Interrupted before it had anything to tell.
fn has_nothing(trial: &Trial) -> bool {
    trial
        .client
        .as_ref()
        .is_some_and(|client| client.ending == Ending::Interrupted && client.requests.ok == 0)
}

/// A server that is there already.
#[derive(Debug)]
pub struct Site {
    target: Target,
    /// Its processes, if they are known.
    whose: Option<Whose>,
}

impl Site {
    /// Looks for it and says in the report what was found: placement, loads, the server.
    #[must_use]
    pub fn find(plan: &RunPlan, report: &mut Report) -> Self {
        report.placement = placement::place(&plan.manner.pin, &placement::allowed_cpus());
        // the server is not ours to place; and more threads than CPUs would only stand in each other's way
        report.placement.server.clear();
        let named = matches!(plan.manner.pin, Pin::At { .. });
        let threads = plan.loads.iter().map(|(_, load)| load.threads).max().unwrap_or(1);
        if report.placement.client.len() < threads && !named {
            report.placement.client.clear();
        }
        let timeout = plan.loads.first().map_or(Duration::from_secs(5), |(_, load)| load.timeout);
        let address = choose(&plan.addresses, timeout);
        let named_load = |(name, load): &(String, Load)| NamedLoad {
            name: name.clone(),
            scenario: None,
            load: load.clone(),
        };
        report.workloads = plan.loads.iter().map(named_load).collect();
        let (whose, accounting) = accounted::of(&plan.costs, address);
        if let Some(whose) = &whose {
            report.placement = account::place(whose, report.placement.clone(), report.platform.cpus_online);
        }
        report.subjects =
            vec![Subject { name: plan.name.clone(), command_line: None, workers: None, accounting }];
        Self { target: Target { name: plan.name.clone(), address, serves: Serves::Unknown }, whose }
    }

    /// One trial.
    ///
    /// # Errors
    /// Nothing could be measured.
    pub fn measure(
        &self,
        load: &Load,
        label: Label,
        report: &Report,
        live: &mut Live,
    ) -> Result<Trial, Failure> {
        let mut machine = Watched::begin();
        let mut account = self.whose.as_ref().map(|whose| Account::open(whose.clone(), load));
        let mut death = None;
        let outcome = drive::run(&self.target, load, &report.placement.client, &mut |moment| {
            // looking at the server is none of the measured time's work
            if moment != Moment::Start {
                machine.look(moment);
            }
            if let Some(account) = &mut account {
                account.look(moment);
                death = account.gone();
            }
            if moment == Moment::Start {
                machine.look(moment);
            }
            live.tell(moment);
            death.is_none()
        })?;
        death = death.or_else(|| account.as_ref().and_then(Account::gone));
        let client = Client::of(&outcome, load);
        let server = account.filter(|_| death.is_none()).and_then(|account| account.cost(&client, report));
        let troubles = death.map(|why| format!("died in the run: {why}")).into_iter().collect();
        let seen = Seen { client, server, machine, troubles, provoked: false };
        Ok(label.judged(load, report, seen))
    }
}

/// The first address that accepts a connection; the only one, or else the first one, unseen: the trial itself will
/// tell why it does not answer.
fn choose(addresses: &[SocketAddr], timeout: Duration) -> SocketAddr {
    let first = addresses.first().copied().unwrap_or_else(|| ([127, 0, 0, 1], 0).into());
    if addresses.len() <= 1 {
        return first;
    }
    addresses.iter().copied().find(|a| TcpStream::connect_timeout(a, timeout).is_ok()).unwrap_or(first)
}

/// About how long a load takes; a total number of requests is taken for some seconds.
#[must_use]
pub fn span(load: &Load) -> Duration {
    load.ramp.unwrap_or_default()
        + load.warmup
        + match load.stop {
            Stop::After(span) => span,
            Stop::Requests(_) => Duration::from_secs(5),
        }
}

/// Why this report is a failure, in one line; `None`: it is none.
#[must_use]
pub fn complaint(report: &Report) -> Option<String> {
    if let Some(check) = report.checks.iter().find(|check| check.passed == Some(false)) {
        return Some(format!(
            "{} must be {}, but is {}: is something else busy on this machine? see the report",
            check.name, check.expected, check.measured
        ));
    }
    let bad: Vec<_> = report.summary.iter().filter(|row| row.verdict.level.is_failure()).collect();
    // of equally bad ones the first
    let first = bad.iter().rev().max_by_key(|row| row.verdict.level)?;
    let reason = first.verdict.reasons.first().map_or("", |reason| reason.text.as_str());
    let more = if bad.len() > 1 {
        format!("; {} of {} rows failed", bad.len(), units::show_count(report.summary.len() as u64))
    } else {
        String::new()
    };
    Some(format!("{} ({}): {reason}{more}: see the report", first.subject, first.workload))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;

    #[test]
    fn of_a_names_addresses_the_one_that_answers_is_taken() {
        let bound = || TcpListener::bind("127.0.0.1:0").unwrap();
        let open = bound();
        // bound but closed again: nobody listens there now
        let closed = bound().local_addr().unwrap();
        let address = open.local_addr().unwrap();
        assert_eq!(choose(&[closed, address], Duration::from_secs(1)), address);
        assert_eq!(choose(&[closed, closed], Duration::from_secs(1)), closed);
    }
}

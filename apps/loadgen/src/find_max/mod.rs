//! `loadgen find-max`: the highest rate at which a server keeps its promises, such as `p99<5ms`.
//!
//! How: a closed loop first finds about what the server can do; then open loops at one rate after the other
//! ([`search`]), and at the end the rate that was found once more, for longer. A rate is kept if all promises are, if all
//! that was due was sent, and if loadgen itself was in time. Cost: some ten short runs. Where it breaks: what lasts
//! longer than a run (a collection of garbage once a minute) is not in it; -d makes the runs longer.

pub mod search;

use common::exit::{FAILED, Failure};
use common::signals;

use self::search::{Search, TRIES};
use crate::gates::BROKEN;
use crate::live::Live;
use crate::measure::verdict::Level;
use crate::plan::{Arrivals, FindMaxPlan, Load, Rate, Stop};
use crate::report::data::{Found, NamedLoad, Report};
use crate::report::text;
use crate::run::{self, Site};
use crate::stats::slo;
use crate::trial::Label;

/// The first load: what the server does when it is asked as fast as it answers.
const CLOSED: &str = "closed loop";
/// How much longer than a try the confirmation is.
const CONFIRMED: u32 = 3;
/// So often a rate is lowered that was not confirmed.
const CONFIRMATIONS: usize = 5;
/// The share of requests that may be unsent or unanswered at a rate that counts as kept.
const SHORT: f64 = 0.005;

/// Searches and returns the report.
///
/// # Errors
/// Nothing could be measured at all.
pub fn find_max(plan: &FindMaxPlan, mut report: Report, live: &mut Live) -> Result<Report, Failure> {
    let Some((_, load)) = plan.run.loads.first() else { return Ok(report) };
    let site = Site::find(&plan.run, &mut report);
    report.workloads.clear();
    let one = run::span(load);
    live.start(&report, one * 14);
    Seeker { plan, site, load, live }.seek(&mut report)?;
    Ok(report)
}

struct Seeker<'a> {
    plan: &'a FindMaxPlan,
    site: Site,
    load: &'a Load,
    live: &'a mut Live,
}

impl Seeker<'_> {
    fn seek(&mut self, report: &mut Report) -> Result<(), Failure> {
        let closed = Load { arrivals: Arrivals::AfterReply, ..self.load.clone() };
        self.measure(CLOSED, &closed, report)?;
        let ceiling = report
            .trials
            .last()
            .and_then(|trial| trial.client.as_ref())
            .map_or(0.0, |c| c.requests_per_second);
        let mut search = Search::new(ceiling / 2.0, self.plan.precision);
        for _ in 0..TRIES {
            let Some(rate) = search.next().filter(|_| !report.interrupted) else { break };
            let kept = self.keeps(rate, 1, report)?;
            search.tell(rate, kept);
        }
        let mut found = search.kept;
        for _ in 0..CONFIRMATIONS {
            let Some(rate) = found.filter(|_| !report.interrupted) else { break };
            if self.keeps(rate, CONFIRMED, report)? {
                break;
            }
            found = Some(search.below(rate)).filter(|lower| *lower < rate);
        }
        let confirmed = report.trials.last().is_some_and(|trial| trial.workload.ends_with(LONGER));
        let promises = &self.plan.run.manner.gates.promises;
        report.found = Some(Found {
            rate: found.filter(|rate| confirmed && self.was_kept(*rate, report)),
            promises: promises.iter().map(|promise| promise.text.clone()).collect(),
            precision: self.plan.precision,
            confirmed_seconds: seconds(self.load) * f64::from(CONFIRMED),
        });
        Ok(())
    }

    /// Whether the last trial is one of this rate, and a good one.
    fn was_kept(&self, rate: f64, report: &Report) -> bool {
        let name = name(rate, CONFIRMED);
        report.trials.last().is_some_and(|trial| trial.workload == name) && self.good(&name, report)
    }

    /// Tries a rate, `times` as long as usual.
    fn keeps(&mut self, rate: f64, times: u32, report: &mut Report) -> Result<bool, Failure> {
        let Arrivals::AtRate(asked) = self.load.arrivals else { return Ok(false) };
        let stop = match self.load.stop {
            Stop::After(span) => Stop::After(span * times),
            requests @ Stop::Requests(_) => requests,
        };
        let arrivals = Arrivals::AtRate(Rate { from: rate, to: rate, ..asked });
        let name = name(rate, times);
        self.measure(&name, &Load { arrivals, stop, ..self.load.clone() }, report)?;
        Ok(self.good(&name, report))
    }

    fn measure(&mut self, name: &str, load: &Load, report: &mut Report) -> Result<(), Failure> {
        let label = Label { trial: 1, workload: name.to_owned(), subject: self.plan.run.name.clone() };
        self.live.begin(&format!("{}: {name}", self.plan.run.name), label.clone(), load);
        let trial = match self.site.measure(load, label.clone(), report, self.live) {
            Err(failure) if report.trials.is_empty() => return Err(failure),
            Err(failure) => label.failed(&failure.message),
            Ok(trial) => trial,
        };
        report.interrupted = signals::stop_requested().is_some();
        report.workloads.push(NamedLoad { name: name.to_owned(), scenario: None, load: load.clone() });
        self.live.ended(&trial);
        report.add(trial);
        Ok(())
    }

    /// Whether all that was due was done, in time, and every promise kept.
    fn good(&self, name: &str, report: &Report) -> bool {
        let Some(client) = report.trials.iter().rfind(|t| t.workload == name).and_then(|t| t.client.as_ref())
        else {
            return false;
        };
        let Some(open) = &client.open else { return false };
        let all = client.requests.ok as f64 >= open.due as f64 * (1.0 - SHORT) && client.requests.ok > 0;
        let promises = &self.plan.run.manner.gates.promises;
        let kept = slo::outcomes(report, promises);
        all && kept.iter().filter(|outcome| outcome.workload == name).all(|outcome| outcome.kept)
    }
}

/// What the name of a confirmation ends with.
const LONGER: &str = "confirmed";

fn name(rate: f64, times: u32) -> String {
    let rate = format!("{}/s", text::show_rate(rate));
    if times == 1 { rate } else { format!("{rate}, {LONGER}") }
}

fn seconds(load: &Load) -> f64 {
    match load.stop {
        Stop::After(span) => span.as_secs_f64(),
        Stop::Requests(_) => 0.0,
    }
}

/// Why a search is a failure: it found nothing.
#[must_use]
pub fn failure(report: &Report) -> Option<Failure> {
    let failed = report.trials.first().filter(|trial| trial.verdict.level == Level::Failed);
    if let Some(reason) = failed.and_then(|trial| trial.verdict.reasons.first()) {
        return Some(Failure {
            message: format!("{}: {}: see the report", CLOSED, reason.text),
            code: FAILED,
        });
    }
    match &report.found {
        Some(found) if found.rate.is_none() => Some(Failure {
            message: format!(
                "there is no rate at which {} is kept: see the report",
                found.promises.join(", ")
            ),
            code: BROKEN,
        }),
        _ => None,
    }
}

//! From what was seen in a trial to what is said about it.

use std::collections::BTreeMap;
use std::time::Duration;

use common::units;

use crate::drive::Ending;
use crate::measure::verdict::{self, Busy, Level, Plausible, Side, Verdict};
use crate::measure::{Class, checks, room};
use crate::plan::{Arrivals, Load};
use crate::report::data::{Client, Cost, ErrorCount};
use crate::report::{Report, Trial};
use crate::subject::machine::{Between, Watched};

/// The share of an open loop's requests that may stay unsent at its end.
const UNSENT: f64 = 0.001;
/// So late the client may send itself, in 99 % of all cases, in nanoseconds.
const LAG: u64 = 1_000_000;

/// What was seen in a trial.
#[derive(Debug)]
pub struct Seen {
    /// The client's figures.
    pub client: Client,
    /// The server's; none if it is not ours.
    pub server: Option<Cost>,
    /// The machine's counters.
    pub machine: Watched,
    /// What went wrong with the server itself.
    pub troubles: Vec<String>,
    /// Whether the server was made to fail: then errors are what was to be seen.
    pub provoked: bool,
}

/// Which trial it is.
#[derive(Debug, Clone)]
pub struct Label {
    /// Counts from 1.
    pub trial: u32,
    /// Name of the load.
    pub workload: String,
    /// Name of the server.
    pub subject: String,
}

impl Label {
    /// A trial that could not even begin.
    #[must_use]
    pub fn failed(self, why: &str) -> Trial {
        let mut verdict = Verdict::ok();
        verdict.add(Level::Failed, why);
        self.trial(verdict)
    }

    /// A trial, judged.
    #[must_use]
    pub fn judged(self, load: &Load, report: &Report, seen: Seen) -> Trial {
        let Seen { client, server, machine, troubles, provoked } = seen;
        let machine = machine.between(load.churns() || client.connections.opened > 0);
        let mut verdict = Verdict::ok();
        for trouble in troubles {
            verdict.add(Level::Failed, trouble);
        }
        if provoked {
            return self.provoked(client, server, machine, verdict);
        }
        judge_ending(&mut verdict, &client, load);
        judge_connections(&mut verdict, &client, load);
        judge_schedule(&mut verdict, &client);
        if let Some(beside) = &client.bystanders {
            beside.judge(&mut verdict);
        }
        // a trial that was broken off before the measuring has nothing that could be doubted
        if client.requests.ok > 0 || client.ending == Ending::Completed {
            let cpus = report.platform.cpus_online;
            verdict::doubt(&mut verdict, figures(&client, server.as_ref(), machine, cpus));
        }
        let whole = client.requests.ok > 0 && client.ending == Ending::Completed;
        let busy = busy(&client, server.as_ref(), machine, report).filter(|_| whole);
        if whole {
            let of_client = busy.map(|busy| busy.client.thread.max(busy.client.all));
            check(&mut verdict, &client, load, machine, of_client);
        }
        let mut trial = self.trial(verdict);
        trial.limited_by = busy.map(verdict::limited_by);
        trial.client_headroom = busy.map(|busy| room::left(busy.client.thread.max(busy.client.all)));
        trial.why_not_double = busy.map(|busy| {
            let shares = room::Shares {
                client: Some(busy.client.thread.max(busy.client.all)),
                server: busy.server.map(|side| side.thread),
                server_all: busy.server.map(|side| side.all),
                machine: Some(busy.machine),
                open_loop: load.open_loop(),
            };
            room::why_not_double(verdict::limited_by(busy), shares)
        });
        trial.client = Some(client);
        trial.server = server;
        trial.machine = Some(machine);
        trial
    }

    /// A trial whose server was made to fail: only its books and this program itself can be wrong.
    fn provoked(self, client: Client, server: Option<Cost>, machine: Between, verdict: Verdict) -> Trial {
        let mut verdict = verdict;
        if client.ending == Ending::Interrupted {
            verdict.add(Level::Invalid, "interrupted: the figures are partial");
        }
        if !client.requests.balanced {
            verdict.add(Level::Invalid, "the books do not balance: this is a bug in loadgen");
        }
        let mut trial = self.trial(verdict);
        (trial.client, trial.server, trial.machine) = (Some(client), server, Some(machine));
        trial
    }

    fn trial(self, verdict: Verdict) -> Trial {
        Trial {
            trial: self.trial,
            workload: self.workload,
            subject: self.subject,
            verdict,
            limited_by: None,
            client_headroom: None,
            why_not_double: None,
            client: None,
            server: None,
            machine: None,
            figures: BTreeMap::new(),
        }
    }
}

/// The checks of a trial that came to its end.
fn check(verdict: &mut Verdict, client: &Client, load: &Load, machine: Between, busy: Option<f64>) {
    checks::doubt_client(verdict, busy, load.open_loop());
    // a rate that is asked to change does
    if !matches!(load.arrivals, Arrivals::AtRate(rate) if rate.from != rate.to) {
        checks::doubt_drift(verdict, &client.intervals);
    }
    checks::doubt_retransmits(verdict, machine.segments_sent_again, machine.segments_sent);
    let under_way = client.connections.served * load.under_way();
    checks::hint_at_replies(verdict, &client.reply, under_way as u64);
    if let Some(connect) = &client.connect {
        checks::hint_at_connects(verdict, connect);
    }
}

fn judge_ending(verdict: &mut Verdict, client: &Client, load: &Load) {
    let limit = units::show_duration(load.timeout);
    match client.ending {
        Ending::Completed if client.requests.ok > 0 => {}
        // what went wrong says more than that nothing went right
        Ending::Completed => {
            judge_errors(verdict, client);
            verdict.add(Level::Failed, "not one right reply came in the measured time");
            return;
        }
        Ending::Interrupted => verdict.add(Level::Invalid, "interrupted: the figures are partial"),
        Ending::NotServed if client.errors.iter().any(|error| error.class != Class::TimedOut) => {
            judge_errors(verdict, client);
            verdict.add(Level::Failed, format!("no right reply came within {limit}"));
            return;
        }
        Ending::NotServed if client.bystanders.as_ref().is_some_and(|beside| beside.held() > 0) => {
            verdict.add(Level::Failed, held_up(client, &limit));
        }
        Ending::NotServed => {
            verdict.add(
                Level::Failed,
                format!(
                    "connections were accepted, but nothing was answered within {limit}: {}",
                    load.protocol.doubt()
                ),
            );
        }
        Ending::Stalled => {
            verdict.add(Level::Failed, format!("it stalled: no reply came any more for twice {limit} (-T)"));
        }
        // the caller knows better than we why, and has said so
        Ending::ServerGone => {}
    }
    judge_errors(verdict, client);
}

/// Nobody that is measured was served, and there are others who may be why.
fn held_up(client: &Client, limit: &str) -> String {
    let (served, held) = client.bystanders.as_ref().map_or((0, 0), |beside| (beside.served(), beside.held()));
    let nobody = format!("nobody that is measured was answered within {limit}");
    if served > 0 {
        let connections = units::plural(served as u64, "connection");
        format!("{nobody}, but {connections} beside them: these hold every worker that the server has")
    } else {
        let connections = units::plural(held as u64, "connection");
        format!("{nobody}, beside {connections} that may hold every worker that the server has")
    }
}

fn judge_errors(verdict: &mut Verdict, client: &Client) {
    // what came back says more than that something did not: it is what the user is told in one line
    let wrong = |error: &&ErrorCount| matches!(error.class, Class::Corrupt | Class::Unexpected);
    let (first, others) = (client.errors.iter().filter(wrong), client.errors.iter().filter(|e| !wrong(e)));
    for error in first {
        let what = client.first_wrong.as_ref().map(|wrong| format!(": {wrong}")).unwrap_or_default();
        verdict.add(Level::Failed, format!("{}{what}", show_error(error)));
    }
    for error in others {
        let level = if error.class == Class::ClientSide { Level::Invalid } else { Level::Failed };
        verdict.add(level, show_error(error));
    }
    if !client.requests.balanced {
        verdict.add(Level::Invalid, "the books do not balance: this is a bug in loadgen");
    }
}

fn judge_connections(verdict: &mut Verdict, client: &Client, load: &Load) {
    let unanswered = client.connections.unanswered;
    if client.ending == Ending::Completed && unanswered > 0 {
        let (connections, limit) =
            (units::plural(unanswered as u64, "connection"), units::show_duration(load.timeout));
        verdict.add(
            Level::Suspect,
            format!(
                "{connections} had no reply within {limit} (-T): too few workers, or a server that hangs"
            ),
        );
    }
    let stuck = client.connections.stuck_at_end;
    if stuck > 0 {
        let connects = units::plural(stuck as u64, "connect");
        verdict.add(Level::Suspect, format!("{connects} still not accepted at the end"));
    }
}

/// Whether an open loop was one.
fn judge_schedule(verdict: &mut Verdict, client: &Client) {
    let Some(open) = &client.open else { return };
    if open.due > 0 && open.unsent as f64 > open.due as f64 * UNSENT {
        verdict.add(
            Level::Suspect,
            format!(
                "the server did not keep up: of {} due, {} could not be sent, because every connection still waited for \
                 its reply; at this rate the latency has no limit but the length of the run",
                units::plural(open.due, "request"),
                units::show_count(open.unsent)
            ),
        );
    }
    if open.lag.p99 > LAG {
        verdict.add(
            Level::Suspect,
            format!(
                "loadgen itself sent late: 1 % of the requests over {} after they were due (-t adds threads)",
                units::show_duration(Duration::from_nanos(open.lag.p99))
            ),
        );
    }
}

/// `3 connections reset by the server (connection reset by peer), 5 requests lost`.
#[must_use]
pub fn show_error(error: &ErrorCount) -> String {
    if error.class == Class::Unexpected {
        return format!("{} with an unexpected reply", units::plural(error.requests, "request"));
    }
    let mut text = format!("{} {}", units::plural(error.connections, "connection"), error.class.words());
    if let Some(meaning) = &error.meaning {
        text.push_str(&format!(" ({meaning})"));
    }
    if error.requests > 0 {
        text.push_str(&format!(", {} lost", units::plural(error.requests, "request")));
    }
    text
}

fn figures(client: &Client, server: Option<&Cost>, machine: Between, cpus: usize) -> Plausible {
    let whole = cpus as f64 * client.seconds;
    // what a client spent that was broken off is not known, so nobody knows what is left for others
    let ours =
        |cost: &Cost| Some(cost.cpu_seconds + client.all_cpu_seconds()? + client.conductor_cpu_seconds);
    // a total that is split over the connections leaves some of them idle before others
    let steady = client.errors.is_empty() && client.requests.ok > 0;
    let time = client.open.as_ref().map_or(client.reply.mean, |open| open.uncorrected.mean);
    Plausible {
        requested: client.connections.requested,
        established: client.connections.established,
        under_way: steady.then_some(client.under_way),
        rate: client.requests_per_second,
        mean: time / 1e9,
        drain: client.drain_seconds / client.seconds.max(1e-9),
        others: server.and_then(ours).map(|ours| machine.busy - ours / whole.max(1e-9)),
        listen_overflows: machine.listen_overflows,
    }
}

/// How busy both sides were; `None`: nobody's CPU time is known of a run that was broken off.
fn busy(client: &Client, server: Option<&Cost>, machine: Between, report: &Report) -> Option<Busy> {
    let (placement, allowed) = (&report.placement, report.platform.cpus_allowed.as_slice());
    let seconds = client.seconds.max(1e-9);
    let cpu_seconds = client.all_cpu_seconds()?;
    let together = |cost: &Cost| {
        let cpus = placement.shared_cpus(allowed)?;
        Some((cpu_seconds + cost.cpu_seconds) / seconds / cpus as f64)
    };
    Some(Busy {
        client: Side {
            thread: client.busy?,
            all: cpu_seconds / seconds / placement.client_cpus(allowed) as f64,
        },
        server: server.map(|cost| Side { thread: cost.busiest_thread, all: cost.busy }),
        together: server.and_then(together),
        machine: machine.busy,
    })
}

//! `loadgen selftest`: what this program can do on this machine, and whether its clock is right.
//!
//! How: it puts loads on an echo in its own process (`peer.rs`) whose every delay it knows, and compares what it reports
//! with what must come out. The ceilings are those of the client: the other end does next to nothing. Cost: some ten
//! seconds and two CPUs. Where it breaks: on one CPU, or beside other work, the two ends disturb each other, and the
//! ceilings are too low; the counts must be right all the same.

mod checks;
mod peer;

use std::time::Duration;

use common::exit::Failure;
use common::signals;

use self::peer::{Manner, Peer};
use crate::drive::{self, Ending, Outcome};
use crate::live::Live;
use crate::plan::{Arrivals, Bystanders, Load, Rate, SelftestPlan, Serves, Spacing, Stop, Target};
use crate::report::data::{Client, NamedLoad, Report, Subject};
use crate::subject::machine::Watched;
use crate::subject::placement;
use crate::trial::{Label, Seen};

/// The name of the other end in the report.
const SUBJECT: &str = "in-process peer";
/// Connections of the ceilings.
const CONNECTIONS: usize = 50;
/// Bytes of a message.
const SIZE: usize = 64;
/// Requests under way on each connection of the second ceiling.
const DEPTH: usize = 16;
/// Requests a second while one stall passes, and on how many connections.
const STALL_RATE: f64 = 200.0;
const STALL_CONNECTIONS: usize = 10;
/// The stall: how long after the first request, and how long.
const STALL_AFTER: Duration = Duration::from_millis(1000);
const STALL: Duration = Duration::from_secs(1);
/// How long the load with the stall lasts.
const STALL_RUN: Duration = Duration::from_secs(3);
/// A short delay: long enough that the client sleeps as it does in the long ones, and what it takes beside the delay is the
/// way there and back, waking up included.
const SHORT: Duration = Duration::from_micros(500);
const WAY: &str = "way there and back";
/// A delay that is told apart from the way there and back.
const DELAYS: [(&str, Duration); 2] =
    [("delay of 1.00 ms", Duration::from_millis(1)), ("delay of 10.0 ms", Duration::from_millis(10))];

/// One load of the self-test.
struct Step {
    name: &'static str,
    load: Load,
    manner: Manner,
}

/// Tests this program and returns the report.
///
/// # Errors
/// Nothing could be measured.
pub fn selftest(plan: &SelftestPlan, mut report: Report, live: &mut Live) -> Result<Report, Failure> {
    report.placement = placement::place(&plan.manner.pin, &placement::allowed_cpus());
    report.subjects =
        vec![Subject { name: SUBJECT.to_owned(), command_line: None, workers: None, accounting: None }];
    live.start(&report, plan.duration * 5 + STALL_RUN);
    for index in 0..steps(plan, None).len() {
        // the rate of an open loop depends on the ceiling that was found before it
        let ceiling = report.trials.first().and_then(|t| t.client.as_ref()).map(|c| c.requests_per_second);
        let Some(step) = steps(plan, ceiling).into_iter().nth(index) else { break };
        measure(&step, &mut report, live)?;
        report.interrupted = signals::stop_requested().is_some();
        if report.interrupted {
            break;
        }
    }
    Ok(report)
}

fn steps(plan: &SelftestPlan, ceiling: Option<f64>) -> Vec<Step> {
    let closed = Load {
        connections: CONNECTIONS,
        stop: Stop::After(plan.duration),
        threads: 1,
        size: SIZE,
        protocol: crate::ping::Protocol::Pattern,
        depth: 1,
        warmup: Duration::from_millis(200),
        reconnect: None,
        timeout: Duration::from_secs(5),
        arrivals: Arrivals::AfterReply,
        bystanders: Bystanders::default(),
        ramp: None,
        sources: None,
        interval: Duration::from_secs(1),
    };
    let at_rate =
        |rate| Arrivals::AtRate(Rate { from: rate, to: rate, spacing: Spacing::Uniform, seed: plan.seed });
    let half = (ceiling.unwrap_or(0.0) / 2.0).max(1.0);
    let mut steps = vec![
        Step { name: "ceiling", load: closed.clone(), manner: Manner::Echo },
        Step {
            name: "ceiling, pipelined",
            load: Load { depth: DEPTH, ..closed.clone() },
            manner: Manner::Echo,
        },
        Step {
            name: "half of the ceiling",
            load: Load { arrivals: at_rate(half), ..closed.clone() },
            manner: Manner::Echo,
        },
        Step { name: WAY, load: Load { connections: 1, ..closed.clone() }, manner: Manner::After(SHORT) },
    ];
    for (name, delay) in DELAYS {
        let load = Load { connections: 1, ..closed.clone() };
        steps.push(Step { name, load, manner: Manner::After(delay) });
    }
    steps.push(Step {
        name: "stall of 1.00 s",
        load: Load {
            connections: STALL_CONNECTIONS,
            stop: Stop::After(STALL_RUN),
            warmup: Duration::ZERO,
            arrivals: at_rate(STALL_RATE),
            ..closed
        },
        manner: Manner::StallOnce { after: STALL_AFTER, length: STALL },
    });
    steps
}

fn measure(step: &Step, report: &mut Report, live: &mut Live) -> Result<(), Failure> {
    let cannot =
        |e: std::io::Error| Failure::failed(format!("cannot start the other end of the self-test: {e}"));
    let peer = Peer::start(step.manner, &report.placement.server).map_err(cannot)?;
    let target = Target { name: SUBJECT.to_owned(), address: peer.address, serves: Serves::All };
    let label = Label { trial: 1, workload: step.name.to_owned(), subject: SUBJECT.to_owned() };
    live.begin(step.name, label.clone(), &step.load);
    let mut machine = Watched::begin();
    let outcome = drive::run(&target, &step.load, &report.placement.client, &mut |moment| {
        machine.look(moment);
        live.tell(moment);
        true
    })?;
    let echoed = peer.stop();
    report.workloads.push(NamedLoad { name: step.name.to_owned(), scenario: None, load: step.load.clone() });
    let client = Client::of(&outcome, &step.load);
    let whole = outcome.ending == Ending::Completed;
    if whole {
        check(step, &outcome, &client, echoed, report);
    }
    let seen = Seen { client, server: None, machine, troubles: Vec::new(), provoked: false };
    let trial = label.judged(&step.load, report, seen);
    live.ended(&trial);
    report.add(trial);
    Ok(())
}

/// What must have come out of this step.
fn check(step: &Step, outcome: &Outcome, client: &Client, echoed: u64, report: &mut Report) {
    let replies = client.replies_of_whole_life();
    report.checks.push(checks::counts(step.name, replies, echoed / SIZE as u64));
    match step.manner {
        Manner::Echo if client.open.is_some() => report.checks.extend(checks::lag(client)),
        Manner::Echo if step.load.connections > 1 => {
            report.checks.push(checks::ceiling(step.name, client, outcome));
        }
        Manner::Echo => {}
        Manner::After(SHORT) => {}
        Manner::After(delay) => {
            let short = report.trials.iter().find(|trial| trial.workload == WAY);
            let Some(short) = short.and_then(|trial| trial.client.as_ref()) else { return };
            let way = short.reply.p50.saturating_sub(u64::try_from(SHORT.as_nanos()).unwrap_or(0));
            report.checks.push(checks::delay(delay, way, client.reply.p50));
        }
        Manner::StallOnce { length, .. } => {
            report.checks.extend(checks::stall(length, STALL_RATE, STALL_CONNECTIONS, client));
        }
    }
}

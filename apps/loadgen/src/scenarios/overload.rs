//! More than the server can do: does it queue, shed or collapse?

use super::{Base, Experiment, words};
use crate::plan::{Arrivals, Load, Scenario, Spacing, Workload};
use crate::report::data::Figure;
use crate::report::summary::Row;

/// Offered load, in per cent of what the server did in a closed loop.
const STEPS: [u32; 5] = [50, 75, 100, 125, 150];
const STEPS_QUICK: [u32; 3] = [50, 100, 150];
/// What a request computes: enough that the server is the limit and not the client.
const WORK: &str = "cpu:100us";
const KNEE: &str = "knee";

pub(super) const EXPERIMENT: Experiment = Experiment {
    shows: "Load from half to one and a half times of what the server can do, arriving at random: what is done, and how \
            long it takes. Each server's own knee, found in a closed loop first, is its 100 %.",
    expects: "Below the knee the latency of a queue: at 50 % some service times, at 75 % a few more. At and above 100 % no \
              queue is long enough: what is not done waits, and latency is limited only by the length of the run. A good \
              server goes on doing 100 %; one that collapses does less the more is asked. A closed loop shows none of \
              that: it asks no faster than it is answered.",
    workloads,
    conclude,
};

fn workloads(base: &Base) -> Vec<Workload> {
    let steps: &[u32] = if base.quick { &STEPS_QUICK } else { &STEPS };
    let load = |arrivals| Load { depth: 1, arrivals, ..base.load.clone() };
    let work = ["--work", WORK];
    let knee = Workload::of(Scenario::Overload, KNEE, load(Arrivals::AfterReply)).with_server(&work);
    let at = |percent: &u32| {
        let share = f64::from(*percent) / 100.0;
        let arrivals = Arrivals::OfKnee { share, spacing: Spacing::Poisson, seed: base.seed };
        Workload::of(Scenario::Overload, &format!("{percent} %"), load(arrivals)).with_server(&work)
    };
    std::iter::once(knee).chain(steps.iter().map(at)).collect()
}

fn conclude(rows: &mut [Row]) -> Vec<String> {
    let mut sentences = Vec::new();
    for subject in words::subjects(rows) {
        let steps: Vec<String> = rows
            .iter()
            .filter(|row| row.subject == subject && !words::is(row, KNEE))
            .filter_map(|row| {
                let offered = words::figure(row, Figure::OfferedPerSecond)?;
                let done = row.requests_per_second?.median;
                // in per cent of the knee, as what was asked for: who goes on doing all that it can does 100
                let asked: f64 = words::what(row).trim_end_matches(" %").parse().ok()?;
                let did = done / offered * asked;
                Some(format!(
                    "asked for {asked:.0} % it did {did:.0} %, p99 {}",
                    words::nanos(row.p99?.median)
                ))
            })
            .collect();
        let knee = words::row(rows, &subject, KNEE).and_then(|row| row.requests_per_second);
        if let Some(knee) = knee {
            sentences.push(format!("{subject}, knee {}: {}.", words::rate(knee.median), steps.join("; ")));
        }
    }
    sentences
}

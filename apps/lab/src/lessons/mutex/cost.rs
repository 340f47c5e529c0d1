//! What an addition costs; how it is measured stands in `counting.rs`.

use common::exit::Failure;
use common::process::usable_cpus;
use common::units::{plural, show_count};

use super::counting::{Cost, measure_all};
use crate::lesson::{Example, Saw};
use crate::stage::Stage;

pub(super) const COST: Example = Example::new(
    "cost",
    "what an addition costs with a lock, an atomic, a sum of one's own and with nothing",
    &[30, 31],
    cost,
);

fn cost(stage: &Stage) -> Result<Saw, Failure> {
    let costs = measure_all()?;
    for cost in &costs {
        let Cost { label, one, two, .. } = cost;
        stage.says("main", format!("{label}: {one:.2} ns an addition with one thread, {two:.2} ns with two"));
    }
    let [racy, atomic, mutex, own] = &costs;
    let cpus = usable_cpus();
    let right = costs.iter().skip(1).all(|cost| cost.lost == 0);
    let counted =
        if right { "All but the first counted right" } else { "One that should count right did not" };
    let saw = costs.iter().fold(Saw::new(), |saw, cost| saw.fact(cost.name, cost));
    Ok(saw
        .fact("usable_cpus", cpus)
        .say(format!(
            "An addition under the lock took {:.1} ns with one thread and {:.1} ns with two, {:.1} and {:.1} times as long as one \
             without any care.",
            mutex.one, mutex.two, mutex.one / racy.one, mutex.two / racy.two
        ))
        .say(format!(
            "fetch_add took {:.1} and {:.1} ns. With a sum of one's own for each thread, added up at the end, two threads took \
             {:.2} ns: {:.0} additions in the time of one under the lock.",
            atomic.one,
            atomic.two,
            own.two,
            mutex.two / own.two
        ))
        .say(format!("{counted}; the one without care lost {} additions, on {}.", show_count(racy.lost), plural(cpus as u64, "CPU")))
        .shown(right))
}

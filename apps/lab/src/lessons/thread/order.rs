//! In which order threads run.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::thread;

use common::exit::Failure;

use super::lock;
use crate::lesson::{Example, Saw};
use crate::lessons::together::together;
use crate::stage::Stage;

/// So often two threads say their three words each; more often if they are in the same order each time.
const RUNS: usize = 50;
const RUNS_MAX: usize = 2000;
/// So many of the orders are listed.
const LISTED: usize = 6;

pub(super) const ORDER: Example = Example::new("order", "the order is another one each time", &[20], order);

fn order(stage: &Stage) -> Result<Saw, Failure> {
    let mut orders: BTreeMap<String, usize> = BTreeMap::new();
    let mut runs = 0;
    while runs < RUNS || (orders.len() < 2 && runs < RUNS_MAX) {
        *orders.entry(one_order()?).or_default() += 1;
        runs += 1;
    }
    let distinct = orders.len();
    let mut often: Vec<(String, usize)> = orders.into_iter().collect();
    often.sort_by_key(|(_, times)| std::cmp::Reverse(*times));
    for (order, times) in often.iter().take(LISTED) {
        stage.says("main", format_args!("{order}: {times} times"));
    }
    let (first, times) = often.into_iter().next().unwrap_or_default();
    Ok(Saw::new()
        .fact("runs", runs)
        .fact("distinct", distinct)
        .fact("most_frequent", &first)
        .say(format!("The same two threads, {runs} times: {distinct} different orders; {first} came {times} times."))
        .note("S: a word of the one that sings, D: of the one that dances; 20 orders are possible. Who needs an order has to make it.")
        .shown(distinct > 1))
}

/// In which order two threads say three words each.
fn one_order() -> Result<String, Failure> {
    let said = Mutex::new(String::new());
    together(2, |number| {
        for _ in 0..3 {
            lock(&said).push(['S', 'D'][number]);
            thread::yield_now();
        }
    })?;
    Ok(said.into_inner().unwrap_or_else(PoisonError::into_inner))
}

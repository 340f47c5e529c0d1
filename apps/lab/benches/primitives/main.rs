//! The primitives of `lab` beside Python's, in the same run: `cargo bench -p lab`.
//!
//! The rounds of all are interleaved, so that a drift of the machine hits all; the figures are medians. This process has one
//! thread: it forks.

#![allow(clippy::unwrap_used, reason = "a benchmark may stop at the first surprise")]

mod pipe;
mod pool;
mod python;
mod queue;
mod start;

use std::process::ExitCode;
use std::time::Duration;

use common::process;
use python::Python;

/// How often each is measured.
const ROUNDS: usize = 7;

/// One line of the table: something of ours, and what Python calls the same.
struct Contest {
    name: &'static str,
    /// So many of something, in so long.
    ours: fn() -> (usize, Duration),
    /// The name of the function in `python.rs`.
    theirs: &'static str,
}

const CONTESTS: &[Contest] = &[
    Contest { name: "Queue, 100-byte messages", ours: queue::round, theirs: "queue" },
    Contest { name: "Pipe, 100-byte messages", ours: pipe::round, theirs: "pipe" },
    Contest { name: "Pool(2).map, empty tasks", ours: pool::map, theirs: "pool_map" },
    Contest { name: "Pool(2).apply, one by one", ours: pool::apply, theirs: "pool_apply" },
];

fn main() -> ExitCode {
    if let Some(code) = process::spawned(start::ENTRIES) {
        return ExitCode::from(u8::try_from(code).unwrap_or(1));
    }
    pool::start();
    let mut python = Python::start();
    if let Err(why) = &python {
        println!("python3 is left out: {why}");
    }
    let mut rates = vec![(Vec::new(), Vec::new()); CONTESTS.len()];
    for round in 0..=ROUNDS {
        for (contest, (ours, theirs)) in CONTESTS.iter().zip(&mut rates) {
            let our_rate = rate((contest.ours)());
            let their_rate = python.as_mut().ok().map(|python| rate(python.round(contest.theirs)));
            // the first round warms up
            if round > 0 {
                ours.push(our_rate);
                theirs.extend(their_rate);
            }
        }
    }
    println!("{:<30}{:>16}{:>16}{:>8}", "medians", "lab /s", "Python /s", "ratio");
    for (contest, (ours, theirs)) in CONTESTS.iter().zip(rates) {
        let ours = median(ours);
        match theirs.is_empty() {
            true => println!("{:<30}{ours:>16.0}", contest.name),
            false => {
                let theirs = median(theirs);
                println!("{:<30}{ours:>16.0}{theirs:>16.0}{:>8.1}", contest.name, ours / theirs);
            }
        }
    }
    start::table();
    ExitCode::SUCCESS
}

fn rate((count, took): (usize, Duration)) -> f64 {
    count as f64 / took.as_secs_f64()
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

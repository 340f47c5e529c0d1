//! What an addition costs, in each of four ways: measured for lesson mutex.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use common::exit::Failure;
use serde::Serialize;

use crate::lessons::together::together;

/// Each way is measured so often, in turn with the others, so that what else the machine does meets all of them; the median counts.
const ROUNDS: usize = 5;
/// So long each time. With all ways, for one thread and for two: half a second in all.
const ROUND: Duration = Duration::from_millis(12);
/// Additions between two looks at the clock.
const BATCH: u64 = 1000;

/// What one way of counting costs.
#[derive(Debug, Serialize)]
pub(crate) struct Cost {
    #[serde(skip)]
    pub(crate) name: &'static str,
    #[serde(skip)]
    pub(crate) label: &'static str,
    /// Nanoseconds until the sum is one higher, whoever does it: with one thread.
    #[serde(rename = "one_thread_ns")]
    pub(crate) one: f64,
    /// The same with two threads.
    #[serde(rename = "two_threads_ns")]
    pub(crate) two: f64,
    /// Additions that were made and were not in the sum.
    pub(crate) lost: u64,
}

/// What the threads count in.
#[derive(Default)]
struct Numbers {
    shared: Line,
    locked: Mutex<u64>,
    own: [Line; 2],
}

/// A number away from all others (two cache lines: processors fetch them in pairs), so that nobody else's writing slows it down.
#[derive(Default)]
#[repr(align(128))]
struct Line(AtomicU64);

struct Way {
    name: &'static str,
    label: &'static str,
    /// A batch of additions by this thread.
    add: fn(&Numbers, usize),
}

/// The first one is wrong with more than one thread, and the base for the others.
const WAYS: [Way; 4] = [
    Way {
        name: "racy",
        label: "load and store, without care",
        add: |numbers, _| repeat(|| load_and_store(&numbers.shared)),
    },
    Way {
        name: "fetch_add",
        label: "fetch_add",
        add: |numbers, _| repeat(|| _ = numbers.shared.0.fetch_add(1, Ordering::Relaxed)),
    },
    Way {
        name: "mutex",
        label: "Mutex",
        add: |numbers, _| repeat(|| *numbers.locked.lock().unwrap_or_else(PoisonError::into_inner) += 1),
    },
    Way {
        name: "own_sum",
        label: "a sum of one's own for each thread",
        add: |numbers, thread| {
            let own = &numbers.own[thread];
            repeat(|| load_and_store(own));
        },
    },
];

/// Measures all: load and store, `fetch_add`, mutex, a sum of one's own.
pub(crate) fn measure_all() -> Result<[Cost; 4], Failure> {
    let mut spans: [[Vec<f64>; 2]; WAYS.len()] = Default::default();
    let mut lost = [0; WAYS.len()];
    for _ in 0..ROUNDS {
        for (number, way) in WAYS.iter().enumerate() {
            for threads in 1..=2 {
                let (span, missing) = measure(way, threads)?;
                spans[number][threads - 1].push(span);
                lost[number] += missing;
            }
        }
    }
    Ok(std::array::from_fn(|number| {
        let Way { name, label, .. } = WAYS[number];
        let [one, two] = [0, 1].map(|threads| median(&mut spans[number][threads]));
        Cost { name, label, one, two, lost: lost[number] }
    }))
}

/// Nanoseconds an addition, and how many additions are missing in the sum.
fn measure(way: &Way, threads: usize) -> Result<(f64, u64), Failure> {
    let mut numbers = Numbers::default();
    let done = together(threads, |thread| {
        let (begin, mut batches) = (Instant::now(), 0);
        while begin.elapsed() < ROUND {
            (way.add)(&numbers, thread);
            batches += 1;
        }
        (batches * BATCH, begin.elapsed())
    })?;
    let made: u64 = done.iter().map(|(made, _)| made).sum();
    let span = done.iter().map(|(_, span)| *span).max().unwrap_or(ROUND);
    let own: u64 = numbers.own.iter_mut().map(|line| *line.0.get_mut()).sum();
    let sum =
        own + *numbers.shared.0.get_mut() + *numbers.locked.get_mut().unwrap_or_else(PoisonError::into_inner);
    Ok((span.as_secs_f64() * 1e9 / made as f64, made.saturating_sub(sum)))
}

fn repeat(add: impl Fn()) {
    for _ in 0..BATCH {
        add();
    }
}

fn load_and_store(number: &Line) {
    number.0.store(number.0.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
}

fn median(figures: &mut [f64]) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures[figures.len() / 2]
}

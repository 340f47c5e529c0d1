//! Our pool, two workers: 100,000 empty tasks by `map`, and as many as are waited for one by one.

use std::time::{Duration, Instant};

use lab::mp::pool::Pool;

/// Given to `map` at once.
const TASKS: u32 = 100_000;
/// Waited for one by one.
const APPLIED: u32 = 2_000;
/// As Python's. (A pool is made for each round, before the clock starts: its memory is as cold as it gets.)
const WORKERS: usize = 2;

fn pool() -> Pool<'static, u32, ()> {
    let pool = Pool::new(WORKERS, |_: u32| ()).unwrap();
    // both workers are there
    pool.map(0..8).unwrap();
    pool
}

pub(crate) fn map() -> (usize, Duration) {
    let pool = pool();
    let start = Instant::now();
    let done = pool.map(0..TASKS).unwrap().len();
    (done, start.elapsed())
}

pub(crate) fn apply() -> (usize, Duration) {
    let pool = pool();
    let start = Instant::now();
    (0..APPLIED).for_each(|task| pool.apply(task).unwrap());
    (APPLIED as usize, start.elapsed())
}

//! Our pool, two workers: 100,000 empty tasks by `map`, and as many as are waited for one by one.

use std::time::{Duration, Instant};

use lab::mp::pool::Pool;

/// Given to `map` at once.
const TASKS: u32 = 100_000;
/// Waited for one by one.
const APPLIED: u32 = 2_000;
/// As Python's.
const WORKERS: usize = 2;

thread_local! {
    /// Kept from round to round, as Python's is.
    static POOL: Pool<'static, u32, ()> = Pool::new(WORKERS, |_: u32| ()).unwrap();
}

/// Starts the workers. Before Python is there: they would keep copies of the pipe to it, and it would wait for ever for its end.
pub(crate) fn start() {
    POOL.with(|pool| drop(pool.map(0..8).unwrap()));
}

pub(crate) fn map() -> (usize, Duration) {
    POOL.with(|pool| {
        let start = Instant::now();
        let done = pool.map(0..TASKS).unwrap().len();
        (done, start.elapsed())
    })
}

pub(crate) fn apply() -> (usize, Duration) {
    POOL.with(|pool| {
        let start = Instant::now();
        (0..APPLIED).for_each(|task| pool.apply(task).unwrap());
        (APPLIED as usize, start.elapsed())
    })
}

//! More tasks than workers: the tasks wait, and when the queue is full, so does the parent.

use std::collections::BTreeMap;
use std::process::id;
use std::time::{Duration, Instant};

use common::exit::Failure;

use super::until;
use crate::lesson::{Example, Saw};
use crate::mp::pool::{Pool, PoolError};
use crate::stage::Stage;

const TASKS: u32 = 10;
/// So many tasks may wait in this pool's queue.
const PLACES: u32 = 5;

pub(super) const QUEUEING: Example = Example::new(
    "queueing",
    "more tasks than workers: they wait in a queue, and the parent when it is full",
    &[44],
    queueing,
);

fn queueing(stage: &Stage) -> Result<Saw, Failure> {
    let builder = Pool::builder().workers(3).capacity(PLACES);
    let pool = builder.start(|task: u32| {
        stage.says(&format!("task {task}"), "begins");
        stage.pause(Duration::from_secs(3));
        // (the machine may be so busy that a task is over before the parent has given the next one)
        until(|| stage.first_of("parent").is_some());
        id()
    });
    let pool = pool.map_err(Failure::failed)?;
    let (mut handles, mut waited, mut longest) = (Vec::new(), Vec::new(), Duration::ZERO);
    for task in 0..TASKS {
        let start = Instant::now();
        let handle = match pool.try_apply_async(task) {
            Err(PoolError::Full) => {
                stage.says("parent", format_args!("the queue is full: task {task} waits outside"));
                let handle = pool.apply_async(task);
                waited.push(micros(start.elapsed()));
                handle
            }
            handle => {
                longest = longest.max(start.elapsed());
                handle
            }
        };
        handles.push(handle.map_err(Failure::failed)?);
    }
    stage.says("parent", format_args!("all are given, {} wait in the queue", pool.waiting()));
    let mut of_pid = BTreeMap::<u32, usize>::new();
    for handle in handles {
        *of_pid.entry(handle.get().map_err(Failure::failed)?).or_default() += 1;
    }
    let at_once = TASKS as usize - waited.len();
    let done: usize = of_pid.values().sum();
    Ok(Saw::new()
        .fact("given_at_once", at_once)
        .fact("longest_us", micros(longest))
        .fact("waited_us", &waited)
        .fact("capacity", pool.capacity())
        .fact("tasks_of_pid", &of_pid)
        .say(format!(
            "{at_once} tasks for 3 workers were taken at once, {} µs at most for each: adding a task does not wait for a worker. For \
             {} more the parent waited, because the queue of this pool has {} places.",
            micros(longest),
            waited.len(),
            pool.capacity()
        ))
        .say(format!("All were done by {} processes, so many tasks each: {:?}.", of_pid.len(), of_pid.values()))
        .note("The queue of Python's pool has no bound: adding a task never waits there, and memory is the limit.")
        .shown(at_once >= PLACES as usize && !waited.is_empty() && of_pid.len() <= 3 && done == TASKS as usize))
}

fn micros(span: Duration) -> u64 {
    u64::try_from(span.as_micros()).unwrap_or(u64::MAX)
}

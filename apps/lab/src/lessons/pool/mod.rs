//! A pool of processes: a few workers for many tasks.

mod basic;
mod callback;
mod killed;
mod queueing;
mod sleep;
pub(crate) mod unjoined;

use std::time::{Duration, Instant};

use crate::lesson::Lesson;
use crate::stage::Stage;

pub(crate) const LESSON: Lesson = Lesson {
    name: "pool",
    title: "a pool of processes: a few workers for many tasks",
    about: "A process for each of many small tasks costs more than the tasks. A pool has a fixed number of workers, which take \
            one task after the other from a queue.",
    look_for: "The process numbers: few, and always the same ones. When tasks begin: as soon as a worker is free. What becomes of \
               a task whose worker is killed, and of tasks that nobody waits for.",
    file: file!(),
    examples: &[
        basic::BASIC,
        queueing::QUEUEING,
        callback::CALLBACK,
        sleep::SLEEP,
        sleep::CLOSE,
        killed::KILLED,
        unjoined::UNJOINED,
    ],
};

/// Longer than any of these tasks takes, however busy the machine is.
const LIMIT: Duration = Duration::from_secs(20);

/// Waits until it is so, at most [`LIMIT`].
fn until(is_so: impl Fn() -> bool) {
    let end = Instant::now() + LIMIT;
    while !is_so() && Instant::now() < end {
        std::thread::sleep(Duration::from_millis(1));
    }
}

fn begun(stage: &Stage) -> usize {
    stage.events().iter().filter(|event| event.what.starts_with("begins")).count()
}

fn ended(stage: &Stage) -> usize {
    stage.events().iter().filter(|event| event.what.starts_with("ends")).count()
}

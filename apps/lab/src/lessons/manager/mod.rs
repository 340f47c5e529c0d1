//! A manager: a process that has dicts, lists, queues and locks for others.

mod lost_update;
mod queue;
mod shared;

use std::time::Duration;

use common::exit::Failure;
use common::process::Process;

use crate::lesson::Lesson;

pub(crate) const LESSON: Lesson = Lesson {
    name: "manager",
    title: "a manager: a process that has dicts, lists, queues and locks for others",
    about: "Processes share no memory. A manager is a process that keeps objects for others: each call of one of their proxies is a \
            question to it and its answer. Proxies can be sent to any process, to the workers of a pool for example.",
    look_for: "What is there before the writers have ended. What two calls of two processes do to each other. That a reader \
               ends because the queue has ended, not because some time has passed.",
    file: file!(),
    examples: &[shared::SHARED, lost_update::LOST_UPDATE, queue::QUEUE, queue::POOL_QUEUE],
};

/// Longer than any of these calls takes, however busy the machine is.
const LIMIT: Duration = Duration::from_secs(60);

fn exit_codes(children: &[Process]) -> Result<Vec<Option<i32>>, Failure> {
    Ok(children.iter().map(|child| child.join(Some(LIMIT))).collect::<Result<_, _>>()?)
}

//! Queues: between threads in three orders, between processes, with a bound and with an end.

mod bounded;
mod drain;
mod ordered;
mod orders;
mod process;
mod sides;

use std::collections::BTreeMap;
use std::time::Duration;

use common::exit::Failure;
use common::process::{Builder, ExitValue, Process};
use serde::{Deserialize, Serialize};

use crate::lesson::Lesson;

pub(crate) const LESSON: Lesson = Lesson {
    name: "queue",
    title: "queues: between threads in three orders, between processes, with a bound and with an end",
    about: "Whoever puts an item into a queue gives it away; whoever gets it owns it; nobody needs a lock. A queue with a bound \
            makes the faster side wait for the slower one. The end of the work is said, not guessed from an empty queue.",
    look_for: "In which order items come out; who waits for whom; what is lost where the tutorials ask first and act then.",
    file: file!(),
    examples: &[
        orders::FIFO,
        orders::LIFO,
        orders::PRIORITY,
        bounded::BOUNDED,
        process::PROCESS,
        process::VALUE,
        drain::DRAIN,
    ],
};

/// What the tutorials put into one queue: in Rust the possible kinds are named.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
enum Value {
    Str(String),
    Int(i64),
    Map(BTreeMap<String, i64>),
}

impl Value {
    fn three() -> [Self; 3] {
        [Self::Str("11".to_owned()), Self::Int(22), Self::map("num", 100)]
    }

    fn map(key: &str, number: i64) -> Self {
        Self::Map([(key.to_owned(), number)].into())
    }
}

/// No example waits longer for what its children have to say.
const LIMIT: Duration = Duration::from_secs(60);

/// A child that does not outlive the example.
fn child<T: ExitValue>(name: &str, target: impl FnOnce() -> T) -> Result<Process, Failure> {
    Builder::new().name(name).daemon(true).fork(target).map_err(Failure::failed)
}

fn order(fine: bool, words: &str) -> String {
    if fine { words.to_owned() } else { format!("NOT {words}") }
}

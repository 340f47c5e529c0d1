//! A global variable: one for all threads, and one for each process.

mod process;
pub(crate) mod spawn;
mod thread;

use std::ptr;
use std::sync::atomic::{AtomicU32, Ordering};

use serde::{Deserialize, Serialize};

use crate::lesson::{Lesson, Saw};
use crate::stage::Stage;

/// The global begins with this, as in the tutorials.
const INITIAL: u32 = 22;
static AGE: AtomicU32 = AtomicU32::new(INITIAL);

pub(crate) const LESSON: Lesson = Lesson {
    name: "globals",
    title: "a global variable: one for all threads, and one for each process",
    about: "The threads of a process have the same memory. A forked process begins with a copy of its parent's, a spawned one \
            with what the program starts with; from then on each changes its own.",
    look_for: "The values, and the addresses beside them: the same address in two processes is not the same memory.",
    file: file!(),
    examples: &[thread::THREAD, process::PROCESS, spawn::SPAWN],
};

/// The global, as somebody sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Seen {
    age: u32,
    address: usize,
}

fn look(stage: &Stage, who: &str) -> Seen {
    let seen = Seen { age: AGE.load(Ordering::Relaxed), address: ptr::from_ref(&AGE).addr() };
    stage.says(who, format_args!("age {} at {:#x}", seen.age, seen.address));
    seen
}

/// A year later.
fn grow(stage: &Stage, who: &str) -> Seen {
    AGE.fetch_add(1, Ordering::Relaxed);
    look(stage, who)
}

fn facts(our_name: &str, ours: Seen, their_name: &str, theirs: Seen) -> Saw {
    Saw::new()
        .fact(&format!("{our_name}_age"), ours.age)
        .fact(&format!("{their_name}_age"), theirs.age)
        .fact("same_address", ours.address == theirs.address)
}

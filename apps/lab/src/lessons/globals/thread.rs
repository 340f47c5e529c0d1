//! A thread changes the global of all.

use std::sync::atomic::Ordering;
use std::thread;

use common::exit::Failure;

use super::{AGE, INITIAL, facts, grow, look};
use crate::lesson::{Example, Saw};
use crate::stage::Stage;

pub(super) const THREAD: Example =
    Example::new("thread", "a thread changes the global of all", &[4, 7, 27], in_a_thread);

fn in_a_thread(stage: &Stage) -> Result<Saw, Failure> {
    AGE.store(INITIAL, Ordering::Relaxed);
    look(stage, "main");
    let theirs = thread::scope(|threads| {
        let thread = thread::Builder::new().spawn_scoped(threads, || grow(stage, "thread"))?;
        thread.join().map_err(|_| Failure::failed("the thread panicked"))
    })?;
    let ours = look(stage, "main");
    let place = if theirs.address == ours.address { "the same address" } else { "another address" };
    Ok(facts("main", ours, "thread", theirs)
        .say(format!("The thread made it {}, and main sees {} at {place}.", theirs.age, ours.age))
        .note("Nothing was sent: both have the same memory. (When both change it at once, see race/lost.)")
        .shown(theirs == ours && ours.age == INITIAL + 1))
}

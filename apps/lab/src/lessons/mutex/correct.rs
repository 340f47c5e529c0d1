//! The count of the race, with a lock.

use std::sync::{Mutex, PoisonError};

use common::exit::Failure;
use common::units::show_count;

use crate::lesson::{Example, Saw};
use crate::lessons::together::together;
use crate::stage::Stage;

const EACH: u64 = 1_000_000;
const EXPECTED: u64 = 2 * EACH;

pub(super) const CORRECT: Example =
    Example::new("correct", "two threads add a million each, with a lock", &[30], correct);

fn correct(stage: &Stage) -> Result<Saw, Failure> {
    let number = Mutex::new(0_u64);
    together(2, |thread| {
        for _ in 0..EACH {
            *number.lock().unwrap_or_else(PoisonError::into_inner) += 1;
        }
        let reads = *number.lock().unwrap_or_else(PoisonError::into_inner);
        let what = format!("my million is done; the number is {}", show_count(reads));
        stage.says(&format!("thread {}", thread + 1), what);
    })?;
    let got = number.into_inner().unwrap_or_else(PoisonError::into_inner);
    let all = if got == EXPECTED { "nothing is lost" } else { "that is wrong" };
    Ok(Saw::new()
        .fact("expected", EXPECTED)
        .fact("got", got)
        .say(format!("{} of {}: {all}.", show_count(got), show_count(EXPECTED)))
        .note(
            "In Rust the number is inside the lock: without holding it nobody can reach it, and the guard gives it back when it \
             goes out of scope. An acquire without its release cannot be written by mistake.",
        )
        .shown(got == EXPECTED))
}

//! Two threads count in the same place without a lock, and updates are lost.
//!
//! A real data race does not compile in safe Rust: two threads cannot both have a `&mut u64`. What `g_num += 1` means can
//! still be written down in its two steps, a load and a store, each one atomic; what happens between them is the race.

use std::sync::atomic::{AtomicU64, Ordering};

use common::exit::Failure;
use common::units::show_count;

use crate::lesson::{Example, Lesson, Saw};
use crate::lessons::together::together;
use crate::stage::Stage;

/// What each of the two threads adds: what the tutorials' program adds. (Their text says 10.)
const EACH: u64 = 1_000_000;
const EXPECTED: u64 = 2 * EACH;
/// So often it is tried until an update is lost: a few seconds. (With one CPU the scheduler has to change threads between the two
/// steps; some ten attempts are enough then.) At the bound the example says that nothing was lost.
const ATTEMPTS: u64 = 1000;

pub(crate) const LESSON: Lesson = Lesson {
    name: "race",
    title: "lost updates: two threads add to the same number without a lock",
    about: "Two threads add to the same number. Adding is a load, a sum and a store; if another thread stores in between, what \
            it added is gone.",
    look_for: "How many of the two million are missing, and that it is another number each time. The compiler does not allow a \
               real data race; two atomic steps where one would be needed lose updates all the same.",
    file: file!(),
    examples: &[LOST],
};

const LOST: Example =
    Example::new("lost", "two threads add a million each, with a load and a store", &[27, 28], lost);

fn lost(stage: &Stage) -> Result<Saw, Failure> {
    let (mut got, mut attempts) = (EXPECTED, 0);
    while got == EXPECTED && attempts < ATTEMPTS {
        attempts += 1;
        let read;
        (got, read) = count()?;
        // of the attempts in which nothing was lost, a few are told
        if got != EXPECTED || [1, 10, 100].contains(&attempts) {
            for (who, read) in ["thread 1", "thread 2"].into_iter().zip(read) {
                stage.says(who, format!("my million is done; the number is {}", show_count(read)));
            }
            stage
                .says("main", format!("attempt {attempts}: {} of {}", show_count(got), show_count(EXPECTED)));
        }
    }
    let missing = EXPECTED.saturating_sub(got);
    let percent = missing as f64 * 100.0 / EXPECTED as f64;
    let what = if missing > 0 {
        let first =
            if attempts == 1 { "at the first attempt".into() } else { format!("at attempt {attempts}") };
        format!(
            "{} of {} updates were lost ({percent:.1} %), {first}.",
            show_count(missing),
            show_count(EXPECTED)
        )
    } else {
        format!(
            "Nothing was lost in {attempts} attempts. That is luck and no promise: run it again, or with more CPUs."
        )
    };
    let saw = Saw::new()
        .fact("expected", EXPECTED)
        .fact("got", got)
        .fact("lost", missing)
        .fact("lost_percent", percent)
        .fact("attempts", attempts);
    Ok(saw
        .say(what)
        .note(
            "The tutorials' text adds 10 each, their code 1,000,000. On CPython 3.10 and later that code loses nothing: its \
             interpreter changes threads only at calls and backward jumps, and there is none between its load and its store.",
        )
        .note(
            "In safe Rust a real data race does not compile; here load and store are atomic each, and still not one step \
             together. `fetch_add` is one step, and so is what a lock protects (mutex/correct).",
        )
        .shown(missing > 0))
}

/// Both threads begin together; gives what they have counted, and what each read when it had done its own.
fn count() -> Result<(u64, Vec<u64>), Failure> {
    let number = AtomicU64::new(0);
    let read = together(2, |_| {
        for _ in 0..EACH {
            let seen = number.load(Ordering::Relaxed);
            number.store(seen + 1, Ordering::Relaxed);
        }
        number.load(Ordering::Relaxed)
    })?;
    Ok((number.into_inner(), read))
}

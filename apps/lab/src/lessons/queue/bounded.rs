//! A queue with three places: its two sides wait for each other, or ask first and act then, as the tutorials do.

use std::time::Duration;

use common::exit::Failure;

use super::sides::{ASK_AND_ACT, NUMBERS, WAIT, both_sides};
use crate::lesson::{Example, Saw};
use crate::mp::error::{GetError, PutError};
use crate::mp::queue::Queue;
use crate::stage::Stage;

pub(super) const BOUNDED: Example =
    Example::new("bounded", "three places: waiting, and asking first and acting then", &[43], bounded);

fn bounded(stage: &Stage) -> Result<Saw, Failure> {
    let refusals = refusals(stage)?;
    let (put, got) = both_sides(stage, "waiting", WAIT)?;
    let (asked_put, asked_got) = both_sides(stage, "asking first", ASK_AND_ACT)?;
    let all: Vec<u32> = (0..NUMBERS).collect();
    let lost = all.len() - asked_got.numbers.len();
    let ms = |us: u64| us / 1000;
    let fine = got.numbers == all && put.blocked_us > 0;
    Ok(Saw::new()
        .fact("refusals", refusals)
        .fact("waiting", (&put, &got))
        .fact("asking", (&asked_put, &asked_got))
        .fact("lost_by_asking", lost)
        .say(format!(
            "With calls that wait {} of {NUMBERS} numbers arrived; the producer waited {} ms for room, the consumer {} ms for \
             numbers, and its process used {} ms of CPU.",
            got.numbers.len(), ms(put.blocked_us), ms(got.blocked_us), ms(got.cpu_us)
        ))
        .say(format!(
            "Asking \"full?\" and putting only if not lost {lost} of them; asking \"empty?\" looked {} times in vain and used {} \
             ms of CPU.",
            asked_got.looks, ms(asked_got.cpu_us)
        ))
        .shown(fine && refusals == [true; 4] && lost > 0 && asked_got.looks > 0))
}

/// A queue of three: the fourth item is refused at once and after a time limit; an empty one gives nothing, at once and after one.
fn refusals(stage: &Stage) -> Result<[bool; 4], Failure> {
    let queue = Queue::bounded(3).map_err(Failure::failed)?;
    (1..=3).try_for_each(|n| queue.try_put(n)).map_err(Failure::failed)?;
    let span = stage.paced(Duration::from_millis(200));
    let full = matches!(queue.try_put(4), Err(PutError::Full(4)));
    let still_full = queue.is_full() && matches!(queue.put_within(4, span), Err(PutError::Full(4)));
    let told = |refused: bool, name: &'static str| if refused { name } else { "done" };
    let (at_once, later) = (told(full, "Full"), told(still_full, "Full"));
    let ms = span.as_millis();
    stage.says(
        "main",
        format_args!("3 are in it. A fourth, at once: {at_once}; with a limit of {ms} ms: {later}"),
    );
    (1..=3).try_for_each(|_| queue.try_get().map(drop)).map_err(Failure::failed)?;
    let empty = matches!(queue.try_get(), Err(GetError::Empty));
    let still_empty = queue.is_empty() && matches!(queue.get_within(span), Err(GetError::Empty));
    let (at_once, later) = (told(empty, "Empty"), told(still_empty, "Empty"));
    stage.says(
        "main",
        format_args!("None is in it. Get, at once: {at_once}; with a limit of {ms} ms: {later}"),
    );
    Ok([full, still_full, empty, still_empty])
}

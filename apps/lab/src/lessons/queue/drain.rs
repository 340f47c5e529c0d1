//! A child is waited for before its queue is emptied.

use std::time::Duration;

use common::exit::Failure;

use super::{child, order};
use crate::lesson::{Example, Saw};
use crate::mp::queue::Queue;
use crate::stage::Stage;

/// More than fits into the pipe of Python's queue.
const MANY: usize = 2000;

pub(super) const DRAIN: Example =
    Example::new("drain", "waiting for a child before its queue is emptied", &[14], drain);

fn drain(stage: &Stage) -> Result<Saw, Failure> {
    let put_all = |queue: &Queue<String>| (0..MANY).try_for_each(|n| queue.put(format!("{n:100}")));
    let roomy = Queue::bounded(MANY).map_err(Failure::failed)?;
    let writer = child("writer", || put_all(&roomy))?;
    let unread = writer.join(None).map_err(Failure::failed)?;
    stage.says(
        "parent",
        format_args!("joined before reading: exit code {}, {} items wait", code(unread), roomy.len()),
    );

    let narrow = Queue::bounded(10).map_err(Failure::failed)?;
    let writer = child("writer", || put_all(&narrow))?;
    let span = stage.paced(Duration::from_secs(1));
    let in_time = writer.join(Some(span)).map_err(Failure::failed)?;
    let span = span.as_millis();
    stage.says(
        "parent",
        format_args!(
            "a queue of 10: after {span} ms exit code {}, the queue is full: {}",
            code(in_time),
            narrow.is_full()
        ),
    );
    let got = (0..MANY).map_while(|_| narrow.get().ok()).count();
    let drained = writer.join(None).map_err(Failure::failed)?;
    stage.says("parent", format_args!("after reading {got}: exit code {}", code(drained)));
    Ok(Saw::new()
        .fact("joined_before_reading", unread)
        .fact("items_left_behind", roomy.len())
        .fact("bounded_joined_in_time", in_time)
        .fact("bounded_after_reading", drained)
        .say(format!(
            "A child that had put {} items {}.",
            roomy.len(), order(unread == Some(0), "could end before anybody read them")
        ))
        .say(format!(
            "With room for 10 only, a join with a limit of {span} ms {}. After {got} items were read, the exit code was {}.",
            if in_time.is_none() { "did not see its end" } else { "saw its end" },
            code(drained)
        ))
        .note("Read first, then join: a child that waits for room does not end. In Python it does not end in the first case either, for its feeder thread waits for the reader.")
        .shown((unread, roomy.len(), in_time, got, drained) == (Some(0), MANY, None, MANY, Some(0))))
}

fn code(code: Option<i32>) -> String {
    code.map_or_else(|| "none".to_owned(), |code| code.to_string())
}

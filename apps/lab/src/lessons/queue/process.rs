//! A queue between processes, and how its reader hears of the end.

use std::time::Duration;

use common::exit::Failure;

use super::{LIMIT, Value, child, order};
use crate::lesson::{Example, Saw};
use crate::mp::error::GetError;
use crate::mp::queue::Queue;
use crate::stage::Stage;

pub(super) const PROCESS: Example =
    Example::new("process", "a writing and a reading process, and the end of the stream", &[5], process);

/// The tutorials' reader guesses the end from an empty queue, which may only mean that the writer is slow.
fn process(stage: &Stage) -> Result<Saw, Failure> {
    let queue = Queue::bounded(10).map_err(Failure::failed)?;
    queue.put(0).map_err(Failure::failed)?;
    let at_once = (queue.len(), queue.is_empty(), queue.try_get().is_ok());
    stage.says("parent", format_args!("right after put: qsize {}, empty {}", at_once.0, at_once.1));
    let writer = child("writer", || {
        for n in 1..=3 {
            // slow, and nobody takes that for the end
            stage.pause(Duration::from_millis(100));
            queue.put(n).map_err(|e| e.to_string())?;
        }
        stage.says("writer", "all written");
        queue.close().map_err(|e| e.to_string())
    })?;
    let results: Queue<(Vec<i32>, bool)> = Queue::bounded(1).map_err(Failure::failed)?;
    let reader = child("reader", || {
        let mut got = Vec::new();
        let end = loop {
            match queue.get() {
                Ok(n) => got.push(n),
                Err(end) => break end,
            }
            stage.says("reader", format_args!("read {got:?}"));
        };
        stage.says("reader", format_args!("all read: {end}"));
        results.put((got, matches!(end, GetError::Ended)))
    })?;
    let (got, ended) = results.get_within(LIMIT).map_err(Failure::failed)?;
    let codes = [writer.join(None).map_err(Failure::failed)?, reader.join(None).map_err(Failure::failed)?];
    let fine = got == [1, 2, 3] && ended && at_once == (1, false, true);
    Ok(Saw::new()
        .fact("got", &got)
        .fact("ended", ended)
        .fact("right_after_put", at_once)
        .fact("afterwards", (queue.is_full(), queue.is_empty()))
        .say(format!(
            "The reader got {got:?} and was {} that this was all.",
            if ended { "told" } else { "NOT told" }
        ))
        .say(format!("Right after the first put the queue said: {} item, empty {}.", at_once.0, at_once.1))
        .note("In Python empty() may still be true there: another thread is yet to send the item.")
        .shown(fine && codes == [Some(0); 2]))
}

pub(super) const VALUE: Example = Example::new("value", "a list of mixed values from a child", &[14], value);

fn value(stage: &Stage) -> Result<Saw, Failure> {
    let queue = Queue::bounded(1).map_err(Failure::failed)?;
    let writer = child("child", || {
        let list = vec![Value::Int(1), Value::Str("2sdf".to_owned())];
        stage.says("child", format_args!("puts {list:?}"));
        queue.put(list)
    })?;
    let got = queue.get_within(LIMIT).map_err(Failure::failed)?;
    stage.says("parent", format_args!("gets {got:?}"));
    let code = writer.join(None).map_err(Failure::failed)?;
    let fine = got == [Value::Int(1), Value::Str("2sdf".to_owned())];
    Ok(Saw::new()
        .fact("got", &got)
        .fact("exit_code", code)
        .say(format!("The list {} from the child to its parent.", order(fine, "came whole")))
        .note("It went as bytes, through memory that both see: the parent's list is another one.")
        .shown(fine && code == Some(0)))
}

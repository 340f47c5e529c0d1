//! In which order items come out: first in first out, last in first out, or the most urgent first.

use std::thread;

use common::exit::Failure;
use common::fifo;

use super::ordered::{Lifo, Ordered, Priority};
use super::{Value, order};
use crate::lesson::{Example, Saw};
use crate::stage::Stage;

pub(super) const FIFO: Example = Example::new("fifo", "first in, first out, of mixed values", &[32], fifo);

fn fifo(stage: &Stage) -> Result<Saw, Failure> {
    let (sender, receiver) = fifo::bounded(3);
    let put = Value::three();
    let got: Vec<Value> = thread::scope(|threads| {
        thread::Builder::new().spawn_scoped(threads, || {
            // (moved: the queue ends when its sender is gone)
            let sender = sender;
            for value in put.clone() {
                stage.says("producer", format_args!("puts {value:?}"));
                let _ = sender.put(value);
            }
        })?;
        Ok(std::iter::from_fn(|| receiver.next())
            .inspect(|v| stage.says("consumer", format_args!("gets {v:?}")))
            .collect())
    })
    .map_err(|e: std::io::Error| Failure::failed(e))?;
    let in_order = got == put;
    Ok(Saw::new()
        .fact("got", &got)
        .fact("in_order", in_order)
        .say(format!("{} values of three kinds came out {} in which they went in.", got.len(), order(in_order, "in the order")))
        .note("Where Python's queue takes anything, an enum names what may be in it; the compiler then asks for each kind.")
        .shown(in_order))
}

pub(super) const LIFO: Example = Example::new("lifo", "last in, first out", &[33], lifo);

fn lifo(stage: &Stage) -> Result<Saw, Failure> {
    let queue = Ordered::<Lifo<Value>>::bounded(3);
    let mut expected = Value::three();
    for value in expected.clone() {
        stage.says("puts", format_args!("{value:?}"));
        queue.put(value).map_err(|_| Failure::failed("the queue is closed"))?;
    }
    queue.close();
    let got: Vec<Value> =
        std::iter::from_fn(|| queue.get()).inspect(|v| stage.says("gets", format_args!("{v:?}"))).collect();
    expected.reverse();
    let reversed = got == expected;
    Ok(Saw::new()
        .fact("got", &got)
        .fact("reversed", reversed)
        .say(format!("The values came out {}.", order(reversed, "in the reverse order")))
        .note("Under load this serves the newest well and the oldest never: tcp-echo --queue lifo shows it.")
        .shown(reversed))
}

pub(super) const PRIORITY: Example =
    Example::new("priority", "the smallest number first, equal ones in turn", &[34], priority);

fn priority(stage: &Stage) -> Result<Saw, Failure> {
    let queue = Ordered::<Priority<Value>>::bounded(5);
    let letter = |letter: &str| Value::Str(letter.to_owned());
    let put = [
        (10, letter("Q")),
        (30, letter("Z")),
        (20, letter("A")),
        (20, Value::map("n", 1)),
        (20, Value::map("n", 2)),
    ];
    for (priority, value) in put.clone() {
        stage.says("puts", format_args!("{priority}: {value:?}"));
        queue.put((priority, value)).map_err(|_| Failure::failed("the queue is closed"))?;
    }
    queue.close();
    let got: Vec<(i64, Value)> = std::iter::from_fn(|| queue.get())
        .inspect(|(p, v)| stage.says("gets", format_args!("{p}: {v:?}")))
        .collect();
    let mut expected = put.to_vec();
    // (a stable sort: equal ones stay in the order in which they were put)
    expected.sort_by_key(|(priority, _)| *priority);
    let fine = got == expected;
    Ok(Saw::new()
        .fact("got", &got)
        .fact("by_priority_and_ties_in_turn", fine)
        .say(format!("They came out {}.", order(fine, "with the smallest number first, and those with the same number in turn")))
        .note("Python compares what stands beside equal numbers: two dicts there are a TypeError, and equals do not keep their turn.")
        .shown(fine))
}

//! Queues: between threads in three orders, between processes, with a bound (`bounded.rs`) and with an end.

mod bounded;
mod ordered;

use std::collections::BTreeMap;
use std::thread;
use std::time::Duration;

use common::exit::Failure;
use common::fifo;
use common::process::{Builder, ExitValue, Process};
use serde::{Deserialize, Serialize};

use self::ordered::{Lifo, Ordered, Priority};
use crate::lesson::{Example, Lesson, Saw};
use crate::mp::error::GetError;
use crate::mp::queue::Queue;
use crate::stage::Stage;

pub(crate) const LESSON: Lesson = Lesson {
    name: "queue",
    title: "queues: between threads in three orders, between processes, with a bound and with an end",
    about: "Whoever puts an item into a queue gives it away; whoever gets it owns it; nobody needs a lock. A queue with a bound \
            makes the faster side wait for the slower one. The end of the work is said, not guessed from an empty queue.",
    look_for: "In which order items come out; who waits for whom; what is lost where the tutorials ask first and act then.",
    file: "apps/lab/src/lessons/queue/mod.rs",
    examples: &[
        Example { name: "fifo", about: "first in, first out, of mixed values", rows: &[32], run: fifo },
        Example { name: "lifo", about: "last in, first out", rows: &[33], run: lifo },
        Example {
            name: "priority",
            about: "the smallest number first, equal ones in turn",
            rows: &[34],
            run: priority,
        },
        Example {
            name: "bounded",
            about: "three places: waiting, and asking first and acting then",
            rows: &[43],
            run: bounded::run,
        },
        Example {
            name: "process",
            about: "a writing and a reading process, and the end of the stream",
            rows: &[5],
            run: process,
        },
        Example { name: "value", about: "a list of mixed values from a child", rows: &[14], run: value },
        Example {
            name: "drain",
            about: "waiting for a child before its queue is emptied",
            rows: &[14],
            run: drain,
        },
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

fn order(fine: bool, words: &str) -> String {
    if fine { words.to_owned() } else { format!("NOT {words}") }
}

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

/// More than fits into the pipe of Python's queue.
const MANY: usize = 2000;

fn code(code: Option<i32>) -> String {
    code.map_or_else(|| "none".to_owned(), |code| code.to_string())
}

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
    stage.says(
        "parent",
        format_args!(
            "a queue of 10: after {span:?} exit code {}, the queue is full: {}",
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
            "With room for 10 only, a join with a limit of {span:?} {}. After {got} items were read, the exit code was {}.",
            if in_time.is_none() { "did not see its end" } else { "saw its end" },
            code(drained)
        ))
        .note("Read first, then join: a child that waits for room does not end. In Python it does not end in the first case either, for its feeder thread waits for the reader.")
        .shown((unread, roomy.len(), in_time, got, drained) == (Some(0), MANY, None, MANY, Some(0))))
}

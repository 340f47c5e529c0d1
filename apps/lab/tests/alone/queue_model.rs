//! Queue and pipe against a model that is a `VecDeque`: 10,000 random operations each, in one process and spread over two.

use std::collections::VecDeque;
use std::time::Duration;

use lab::mp::error::{GetError, PutError};
use lab::mp::pipe::{self, End};
use lab::mp::queue::Queue;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use serde::{Deserialize, Serialize};

use crate::family::{LONG, child, ends_well};
use crate::runner::Test;

pub(crate) const TESTS: &[Test] = &[
    ("a_queue_is_what_its_model_is", || queue_and_model(false)),
    ("a_queue_is_what_its_model_is_in_two_processes", || queue_and_model(true)),
    ("a_pipe_is_what_its_model_is", pipe_and_model),
];

/// Times `LENGTH` operations: 10,000.
const CASES: u32 = 50;
const LENGTH: usize = 200;
const ROOM: usize = 4096;
/// Before each message stands its length.
const HEADER: usize = 8;

#[derive(Debug, Clone, Serialize, Deserialize)]
enum Step {
    /// A text of this length, made of this letter.
    Put(u8, usize),
    Get,
    Close,
}

/// What came of it, and what the queue says of itself afterwards.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Seen {
    outcome: Outcome,
    len: usize,
    empty: bool,
    full: bool,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
enum Outcome {
    Put,
    Full,
    Closed,
    TooLarge,
    Got(String),
    Empty,
    Ended,
    Did,
    /// What must not be.
    Strange(String),
}

#[derive(Default)]
struct Model {
    items: VecDeque<String>,
    capacity: usize,
    bytes: usize,
    closed: bool,
}

/// The bytes that a text takes in the ring: its length, itself, and the number before it; by eights.
fn taken_by(text: &str) -> usize {
    (HEADER + encoded(text)).next_multiple_of(8)
}

fn encoded(text: &str) -> usize {
    text.len() + if text.len() < 128 { 1 } else { 2 }
}

impl Model {
    fn step(&mut self, step: &Step) -> Seen {
        let outcome = match step {
            Step::Put(letter, length) => self.put(text(*letter, *length)),
            Step::Get => match self.items.pop_front() {
                Some(item) => {
                    self.bytes -= taken_by(&item);
                    Outcome::Got(item)
                }
                None if self.closed => Outcome::Ended,
                None => Outcome::Empty,
            },
            Step::Close => {
                self.closed = true;
                Outcome::Did
            }
        };
        let len = self.items.len();
        Seen { outcome, len, empty: len == 0, full: len == self.capacity }
    }

    fn put(&mut self, item: String) -> Outcome {
        if encoded(&item) > ROOM - HEADER {
            return Outcome::TooLarge;
        }
        if self.closed {
            return Outcome::Closed;
        }
        if self.items.len() == self.capacity || self.bytes + taken_by(&item) > ROOM {
            return Outcome::Full;
        }
        self.bytes += taken_by(&item);
        self.items.push_back(item);
        Outcome::Put
    }
}

fn text(letter: u8, length: usize) -> String {
    char::from(b'a' + letter % 26).to_string().repeat(length)
}

fn put_outcome(result: Result<(), PutError<String>>) -> Outcome {
    match result {
        Ok(()) => Outcome::Put,
        Err(PutError::Full(_)) => Outcome::Full,
        Err(PutError::Closed(_)) => Outcome::Closed,
        Err(PutError::TooLarge { .. }) => Outcome::TooLarge,
        Err(other) => Outcome::Strange(other.to_string()),
    }
}

fn get_outcome(result: Result<String, GetError>) -> Outcome {
    match result {
        Ok(item) => Outcome::Got(item),
        Err(GetError::Empty) => Outcome::Empty,
        Err(GetError::Ended) => Outcome::Ended,
        Err(other) => Outcome::Strange(other.to_string()),
    }
}

fn step(queue: &Queue<String>, step: &Step) -> Seen {
    let outcome = match step {
        Step::Put(letter, length) => put_outcome(queue.try_put(text(*letter, *length))),
        Step::Get => get_outcome(queue.try_get()),
        Step::Close => queue.close().map_or_else(|e| Outcome::Strange(e.to_string()), |()| Outcome::Did),
    };
    Seen { outcome, len: queue.len(), empty: queue.is_empty(), full: queue.is_full() }
}

fn steps(close: u32) -> impl Strategy<Value = Vec<(bool, Step)>> {
    // around all the room, and small ones
    let length = prop_oneof![6 => 0..300usize, 2 => 0..2000usize, 1 => 4000..4200usize];
    let step = prop_oneof![
        60 => (any::<u8>(), length).prop_map(|(letter, length)| Step::Put(letter, length)),
        50 => Just(Step::Get),
        close => Just(Step::Close),
    ];
    vec((any::<bool>(), step), LENGTH)
}

fn runner() -> TestRunner {
    TestRunner::new(Config { cases: CASES, failure_persistence: None, ..Config::default() })
}

fn queue_and_model(in_two_processes: bool) {
    let strategy = (1usize..20, steps(1));
    let outcome = runner().run(&strategy, |(capacity, steps)| {
        let queue = Queue::with_room(capacity, ROOM).unwrap();
        let mut model = Model { capacity, ..Model::default() };
        let (mut ours, theirs) = pipe::duplex::<Step, Seen>().unwrap();
        // another pair of hands on the same queue
        let other = in_two_processes.then(|| {
            child(|| {
                ours.close();
                serve(&queue, theirs);
            })
        });
        for (by_the_other, next) in &steps {
            let seen = if in_two_processes && *by_the_other {
                ours.send(next.clone()).unwrap();
                ours.recv_within(LONG).unwrap()
            } else {
                step(&queue, next)
            };
            prop_assert_eq!(seen, model.step(next));
        }
        ours.close();
        if let Some(other) = other {
            ends_well(&other);
        }
        Ok(())
    });
    outcome.unwrap();
}

fn serve(queue: &Queue<String>, mut orders: End<Seen, Step>) {
    while let Ok(next) = orders.recv() {
        orders.send(step(queue, &next)).unwrap();
    }
}

fn pipe_and_model() {
    let outcome = runner().run(&steps(0), |steps| {
        let (mut sender, mut receiver) = pipe::one_way_with_room::<String>(ROOM).unwrap();
        let mut model = Model { capacity: usize::MAX, ..Model::default() };
        for (_, next) in &steps {
            let outcome = match next {
                Step::Put(letter, length) => put_outcome(sender.try_send(text(*letter, *length))),
                Step::Get => get_outcome(receiver.try_recv()),
                Step::Close => Outcome::Did,
            };
            let expected = model.step(next);
            prop_assert_eq!(outcome, expected.outcome);
            prop_assert_eq!(receiver.poll(Duration::ZERO).unwrap(), !expected.empty);
        }
        drop(sender);
        for item in model.items {
            prop_assert_eq!(receiver.recv().unwrap(), item);
        }
        prop_assert!(matches!(receiver.recv(), Err(GetError::Ended)));
        Ok(())
    });
    outcome.unwrap();
}

//! A queue with three places: its two sides wait for each other, or ask first and act then, as the tutorials do.

use std::time::{Duration, Instant};

use common::exit::Failure;
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike;
use serde::{Deserialize, Serialize};

use super::{LIMIT, child};
use crate::lesson::Saw;
use crate::mp::error::{GetError, PutError};
use crate::mp::queue::Queue;
use crate::stage::Stage;

/// How a side of the bounded queue did.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Side {
    /// What it put, or got.
    numbers: Vec<u32>,
    /// How often it looked in vain.
    looks: u64,
    /// How long its calls took: with those that wait, how long it waited.
    blocked_us: u64,
    cpu_us: u64,
}

impl Side {
    fn timed(&mut self, call: impl FnOnce(&mut Self)) {
        let start = Instant::now();
        call(self);
        self.blocked_us += micros(start.elapsed());
    }

    /// What this process has used.
    fn with_cpu(mut self) -> Self {
        if let Ok(usage) = getrusage(UsageWho::RUSAGE_SELF) {
            let micros = usage.user_time().num_microseconds() + usage.system_time().num_microseconds();
            self.cpu_us = u64::try_from(micros).unwrap_or(0);
        }
        self
    }
}

fn micros(span: Duration) -> u64 {
    u64::try_from(span.as_micros()).unwrap_or(u64::MAX)
}

const NUMBERS: u32 = 20;

/// A producer's and a consumer's way to do it, one number a call.
type Way = (fn(&Queue<u32>, u32, &mut Side), fn(&Queue<u32>, &mut Side));

/// The tutorials': asks first, and acts then.
const ASK_AND_ACT: Way = (
    |queue, number, side| match !queue.is_full() && queue.put(number).is_ok() {
        true => side.numbers.push(number),
        false => side.looks += 1,
    },
    |queue, side| match queue.is_empty() {
        true => side.looks += 1,
        false => side.numbers.extend(queue.get().ok()),
    },
);

/// A call that waits until it can.
const WAIT: Way = (
    |queue, number, side| side.numbers.extend(queue.put(number).is_ok().then_some(number)),
    |queue, side| side.numbers.extend(queue.get().ok()),
);

pub(super) fn run(stage: &Stage) -> Result<Saw, Failure> {
    let refusals = refusals(stage)?;
    let (put, got) = both_sides(stage, "waits", WAIT)?;
    let (asked_put, asked_got) = both_sides(stage, "asks", ASK_AND_ACT)?;
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
    stage.says("queue of 3", format_args!("a fourth: Full at once {full}, Full after {span:?} {still_full}"));
    (1..=3).try_for_each(|_| queue.try_get().map(drop)).map_err(Failure::failed)?;
    let empty = matches!(queue.try_get(), Err(GetError::Empty));
    let still_empty = queue.is_empty() && matches!(queue.get_within(span), Err(GetError::Empty));
    stage.says(
        "queue of 3",
        format_args!("nothing in it: Empty at once {empty}, Empty after {span:?} {still_empty}"),
    );
    Ok([full, still_full, empty, still_empty])
}

/// The producer begins late, and is then faster than the consumer.
fn both_sides(stage: &Stage, who: &str, (produce, consume): Way) -> Result<(Side, Side), Failure> {
    let queue: Queue<u32> = Queue::bounded(3).map_err(Failure::failed)?;
    let reports: Queue<(bool, Side)> = Queue::bounded(2).map_err(Failure::failed)?;
    let begun: Queue<()> = Queue::bounded(1).map_err(Failure::failed)?;
    let producer = child("producer", || {
        let _ = begun.get_within(LIMIT);
        stage.pause(Duration::from_millis(500));
        let mut side = Side::default();
        (0..NUMBERS).for_each(|number| side.timed(|side| produce(&queue, number, side)));
        stage.says(who, format_args!("put {:?}", side.numbers));
        let _ = queue.close();
        reports.put((true, side.with_cpu()))
    })?;
    let consumer = child("consumer", || {
        let _ = begun.put(());
        let mut side = Side::default();
        while !(queue.is_closed() && queue.is_empty()) {
            let before = side.numbers.len();
            side.timed(|side| consume(&queue, side));
            if side.numbers.len() > before {
                stage.pause(Duration::from_millis(50));
            }
        }
        stage.says(who, format_args!("got {:?}", side.numbers));
        reports.put((false, side.with_cpu()))
    })?;
    let mut sides = [
        reports.get_within(LIMIT).map_err(Failure::failed)?,
        reports.get_within(LIMIT).map_err(Failure::failed)?,
    ];
    sides.sort_by_key(|(is_producer, _)| !is_producer);
    for process in [producer, consumer] {
        process.join(None).map_err(Failure::failed)?;
    }
    let [(_, put), (_, got)] = sides;
    Ok((put, got))
}

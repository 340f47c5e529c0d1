//! A producer and a consumer at a queue with three places, each with a call that waits, or asking first and acting then.

use std::time::{Duration, Instant};

use common::exit::Failure;
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike;
use serde::{Deserialize, Serialize};

use super::{LIMIT, child};
use crate::mp::queue::Queue;
use crate::stage::Stage;

/// How a side of the bounded queue did.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Side {
    /// What it put, or got.
    pub(super) numbers: Vec<u32>,
    /// How often it looked in vain.
    pub(super) looks: u64,
    /// How long its calls took: with those that wait, how long it waited.
    pub(super) blocked_us: u64,
    pub(super) cpu_us: u64,
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

pub(super) const NUMBERS: u32 = 20;

/// A producer's and a consumer's way to do it, one number a call.
pub(super) type Way = (fn(&Queue<u32>, u32, &mut Side), fn(&Queue<u32>, &mut Side));

/// The tutorials': asks first, and acts then.
pub(super) const ASK_AND_ACT: Way = (
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
pub(super) const WAIT: Way = (
    |queue, number, side| side.numbers.extend(queue.put(number).is_ok().then_some(number)),
    |queue, side| side.numbers.extend(queue.get().ok()),
);

/// The producer begins late, and is then faster than the consumer.
pub(super) fn both_sides(stage: &Stage, how: &str, (produce, consume): Way) -> Result<(Side, Side), Failure> {
    let queue: Queue<u32> = Queue::bounded(3).map_err(Failure::failed)?;
    let reports: Queue<(bool, Side)> = Queue::bounded(2).map_err(Failure::failed)?;
    let begun: Queue<()> = Queue::bounded(1).map_err(Failure::failed)?;
    let producer = child("producer", || {
        let _ = begun.get_within(LIMIT);
        stage.pause(Duration::from_millis(500));
        let mut side = Side::default();
        (0..NUMBERS).for_each(|number| side.timed(|side| produce(&queue, number, side)));
        stage.says("producer", format_args!("{how}: put {:?}", side.numbers));
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
        stage.says("consumer", format_args!("{how}: got {:?}", side.numbers));
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

//! A queue whose memory is not as it should be, or whose counters are about to wrap: somebody else has written to it, or stands still with
//! its locks.

use std::sync::atomic::Ordering;
use std::time::Duration;

use common::shared::Region;
use lab::mp::error::{GetError, PutError};
use lab::mp::queue::Queue;
use nix::sys::signal::{Signal, raise};

use crate::family::{LONG, Random, child, ends_well, kill, state, until};
use crate::runner::Test;

pub(crate) const TESTS: &[Test] = &[
    ("a_queue_goes_on_when_its_counters_wrap", counters_wrap),
    ("what_was_overwritten_is_an_error", overwritten),
    ("nonsense_in_the_memory_never_ends_a_process", nonsense),
    ("a_stopped_process_holds_up_no_time_limit", a_stopped_holder),
];

/// The counters and mutexes of a queue.
const TAIL: usize = 0;
const HEAD: usize = 1;
const LIMIT: usize = 2;
const WRITERS: usize = 0;
const READERS: usize = 1;

fn memory<T>(queue: &Queue<T>) -> Region {
    Region::open(queue.descriptor().try_clone_to_owned().unwrap()).unwrap()
}

/// Sets head or tail: so many messages before it, and so many units of 8 bytes.
fn set(memory: &Region, counter: usize, messages: u32, units: u32) {
    memory.counter(counter).store(u64::from(messages) << 32 | u64::from(units), Ordering::SeqCst);
}

fn counters_wrap() {
    for before in 0..40 {
        let queue: Queue<Vec<u8>> = Queue::with_room(7, 4096).unwrap();
        let memory = memory(&queue);
        for counter in [TAIL, HEAD] {
            set(&memory, counter, u32::MAX - before / 2, u32::MAX - before);
        }
        assert_eq!((queue.len(), queue.is_empty(), queue.is_full()), (0, true, false));
        for n in 0..100u8 {
            let long = |n: u8| vec![n; usize::from(n)];
            (n..n + 7).for_each(|n| queue.try_put(long(n)).unwrap());
            assert!(matches!(queue.try_put(vec![]), Err(PutError::Full(_))) && queue.is_full());
            (n..n + 7).for_each(|n| assert_eq!(queue.try_get().unwrap(), long(n)));
            assert!(matches!(queue.try_get(), Err(GetError::Empty)));
        }
    }
}

fn overwritten() {
    let queue: Queue<u64> = Queue::with_room(10, 4096).unwrap();
    let memory = memory(&queue);
    // a message that is longer than what is there
    queue.put(7).unwrap();
    memory.write(0, &100u64.to_le_bytes());
    assert!(matches!(queue.get(), Err(GetError::Broken(_))));
    memory.write(0, &u64::MAX.to_le_bytes());
    assert!(matches!(queue.get(), Err(GetError::Broken(_))));
    memory.write(0, &1u64.to_le_bytes());
    assert_eq!(queue.get().unwrap(), 7);
    // a tail before the head, and more messages than there may be
    for (messages, units) in [(0, 0), (12, 2), (1, 1 + 4096 / 8 + 2)] {
        let tail = memory.counter(TAIL).load(Ordering::SeqCst);
        set(&memory, TAIL, messages, units);
        assert!(matches!(queue.put(8), Err(PutError::Broken { item: 8, .. })), "{messages} {units}");
        assert!(matches!(queue.get(), Err(GetError::Broken(_))), "{messages} {units}");
        memory.counter(TAIL).store(tail, Ordering::SeqCst);
    }
    // a bound that is none: nobody opens it, and who has it keeps the right one
    for limit in [0, 1 << 31, u64::MAX] {
        memory.counter(LIMIT).store(limit, Ordering::SeqCst);
        assert!(Queue::<u64>::open(queue.descriptor().try_clone_to_owned().unwrap()).is_err());
        assert_eq!(queue.capacity(), 10);
    }
    queue.put(9).unwrap();
    assert_eq!(queue.get().unwrap(), 9);
}

fn nonsense() {
    let queue: Queue<Vec<(String, Option<u32>)>> = Queue::with_room(10, 4096).unwrap();
    let memory = memory(&queue);
    let mut random = Random(0x1234_5678);
    let (mut broken, mut other) = (0, 0);
    for _ in 0..20_000 {
        let number = match random.below(3) {
            0 => random.below(1 << 10),
            1 => random.below(1 << 10) << 32 | random.below(1 << 10),
            _ => random.below(u64::MAX),
        };
        match random.below(4) {
            0 => memory.counter(TAIL).store(number, Ordering::SeqCst),
            1 => memory.counter(HEAD).store(number, Ordering::SeqCst),
            _ => memory.write(random.below(512) as usize * 8, &number.to_le_bytes()),
        }
        broken += usize::from(matches!(queue.try_put(vec![]), Err(PutError::Broken { .. })));
        other += usize::from(matches!(queue.try_get(), Err(GetError::OtherType(_))));
        assert!(queue.len() <= 10);
    }
    assert!(broken > 0 && other > 0, "{broken} {other}");
}

fn a_stopped_holder() {
    let queue = Queue::bounded(2).unwrap();
    queue.put(1).unwrap();
    let holder = child(|| {
        let memory = memory(&queue);
        let _ = memory.mutex(READERS).hold(|_| memory.mutex(WRITERS).hold(|_| raise(Signal::SIGSTOP)));
    });
    until(|| state(holder.pid()) == Some('T'));
    ends_well(&child(|| {
        let span = Duration::from_millis(20);
        assert!(matches!(queue.get_within(span), Err(GetError::Empty)));
        assert!(matches!(queue.put_within(2, span), Err(PutError::Full(2))));
        assert!(matches!(queue.get_within(Duration::ZERO), Err(GetError::Empty)));
    }));
    kill(&holder);
    assert_eq!(queue.get_within(LONG).unwrap(), 1);
    queue.put_within(3, LONG).unwrap();
}

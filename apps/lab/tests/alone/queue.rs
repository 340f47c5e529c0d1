//! What a queue does, told one by one.

use std::thread;
use std::time::{Duration, Instant};

use common::process::{Builder, Entry, Inherited};
use lab::mp::error::{GetError, PutError};
use lab::mp::queue::Queue;

use crate::family::{LONG, child, context_switches, ends_well, state, until_it_sleeps};
use crate::runner::Test;

pub(crate) const TESTS: &[Test] = &[
    ("values_of_all_kinds_go_through_a_queue", values_of_all_kinds),
    ("what_was_put_is_there_at_once", what_was_put_is_there_at_once),
    ("three_writers_and_three_readers_get_each_message_once", three_writers_and_three_readers),
    ("a_queue_is_spawned_with_by_its_descriptor", spawned_by_its_descriptor),
    ("a_queue_of_other_values_is_refused", other_values_are_refused),
    ("what_cannot_be_put_is_given_back", what_cannot_be_put_is_given_back),
    ("time_limits_are_kept", time_limits_are_kept),
    ("a_put_wakes_who_waits_to_get", a_put_wakes),
    ("a_get_wakes_who_waits_to_put", a_get_wakes),
    ("close_wakes_everybody", close_wakes_everybody),
    ("readers_get_what_is_there_before_the_end", the_end_comes_last),
    ("a_writer_may_end_before_anybody_reads", a_writer_may_end_first),
    ("who_waits_uses_no_cpu", who_waits_uses_no_cpu),
    ("threads_share_a_queue_too", threads_share_it_too),
];

pub(crate) const ENTRIES: &[Entry] = &[Entry { name: "double", run: double }];

fn values_of_all_kinds() {
    type Value = (String, Option<i64>, Vec<f64>, std::collections::BTreeMap<String, String>);
    let queue: Queue<Value> = Queue::bounded(2).unwrap();
    let value: Value = (
        "2sdf".to_owned(),
        Some(i64::MIN),
        vec![0.5, -1e300],
        [("王阳明".to_owned(), "传习录".to_owned())].into(),
    );
    let writer = child(|| queue.put(value.clone()));
    assert_eq!(queue.get_within(LONG).unwrap(), value);
    ends_well(&writer);
}

fn what_was_put_is_there_at_once() {
    let queue = Queue::bounded(3).unwrap();
    for n in 0..1000 {
        queue.try_put(n).unwrap();
        assert_eq!((queue.len(), queue.is_empty(), queue.is_full()), (1, false, false));
        assert_eq!(queue.try_get().unwrap(), n);
        assert!(queue.is_empty());
    }
}

fn three_writers_and_three_readers() {
    const EACH: u32 = 10_000;
    let queue: Queue<(u8, u32)> = Queue::bounded(50).unwrap();
    let seen: Queue<Vec<(u8, u32)>> = Queue::with_room(3, 1 << 22).unwrap();
    let readers = [(); 3].map(|()| {
        child(|| {
            let mut got = Vec::new();
            let end = loop {
                match queue.get_within(LONG) {
                    Ok(message) => got.push(message),
                    Err(end) => break end,
                }
            };
            assert!(matches!(end, GetError::Ended), "{end}");
            seen.put(got)
        })
    });
    let writers = [0, 1, 2].map(|who| {
        let queue = &queue;
        child(move || (0..EACH).try_for_each(|n| queue.put_within((who, n), LONG)))
    });
    writers.iter().for_each(ends_well);
    queue.close().unwrap();
    let mut all = Vec::new();
    for _ in 0..3 {
        let got = seen.get_within(LONG).unwrap();
        for who in 0..3 {
            assert!(got.iter().filter(|(w, _)| *w == who).is_sorted(), "each writer's order is kept");
        }
        all.extend(got);
    }
    readers.iter().for_each(ends_well);
    all.sort_unstable();
    let expected: Vec<(u8, u32)> = (0..3).flat_map(|who| (0..EACH).map(move |n| (who, n))).collect();
    assert!(all == expected, "each of them once; {} of {}", all.len(), expected.len());
}

/// Doubles what it finds in one queue into another, until the end.
fn double(inherited: Inherited) -> i32 {
    let mut descriptors = inherited.descriptors.into_iter();
    let numbers: Queue<u64> = Queue::open(descriptors.next().unwrap()).unwrap();
    let doubled: Queue<u64> = Queue::open(descriptors.next().unwrap()).unwrap();
    while let Ok(number) = numbers.get_within(LONG) {
        doubled.put_within(2 * number, LONG).unwrap();
    }
    doubled.close().unwrap();
    0
}

fn spawned_by_its_descriptor() {
    let (numbers, doubled) = (Queue::<u64>::bounded(5).unwrap(), Queue::<u64>::bounded(5).unwrap());
    let builder = Builder::new().daemon(true).pass(numbers.descriptor()).pass(doubled.descriptor());
    let other = builder.spawn("double", &()).unwrap();
    for n in 0..1000 {
        numbers.put_within(n, LONG).unwrap();
        assert_eq!(doubled.get_within(LONG).unwrap(), 2 * n);
    }
    numbers.close().unwrap();
    assert!(matches!(doubled.get_within(LONG), Err(GetError::Ended)));
    ends_well(&other);
}

fn other_values_are_refused() {
    let queue: Queue<u64> = Queue::bounded(5).unwrap();
    let descriptor = || queue.descriptor().try_clone_to_owned().unwrap();
    assert!(Queue::<String>::open(descriptor()).is_err());
    let lock = common::lock::Lock::new().unwrap();
    assert!(Queue::<u64>::open(lock.descriptor().try_clone_to_owned().unwrap()).is_err());
    assert!(Queue::<u64>::open(std::fs::File::open("/proc/self/exe").unwrap().into()).is_err());
    queue.put(7).unwrap();
    assert_eq!(Queue::<u64>::open(descriptor()).unwrap().try_get().unwrap(), 7);
    assert!(Queue::<u64>::bounded(usize::MAX).is_err(), "a bound that is none");
    assert!(Queue::<u64>::with_room(1, (1 << 30) + 1).is_err());
}

fn what_cannot_be_put_is_given_back() {
    let queue: Queue<String> = Queue::with_room(2, 4096).unwrap();
    let long = "x".repeat(5000);
    assert!(matches!(queue.put(long.clone()), Err(PutError::TooLarge { item, most: 4088 }) if item == long));
    // 4,086 bytes, and two that say so
    let longest = "y".repeat(queue.longest() - 2);
    queue.put(longest.clone()).unwrap();
    assert!(matches!(queue.try_put(String::new()), Err(PutError::Full(item)) if item.is_empty()));
    assert!(!queue.is_full(), "there is no room, but not for the number of items");
    assert_eq!(queue.get().unwrap(), longest);
    queue.close().unwrap();
    queue.close().unwrap();
    assert!(queue.is_closed());
    assert_eq!(queue.put("late".to_owned()).unwrap_err().into_item(), "late");

    let no_bytes: Queue<NoBytes> = Queue::bounded(1).unwrap();
    assert!(matches!(no_bytes.put(NoBytes), Err(PutError::Unserializable { item: NoBytes, .. })));
    assert!(no_bytes.is_empty());
}

/// It refuses to be serialised.
#[derive(Debug)]
struct NoBytes;

impl serde::Serialize for NoBytes {
    fn serialize<S: serde::Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
        Err(serde::ser::Error::custom("on purpose"))
    }
}

fn time_limits_are_kept() {
    let queue = Queue::bounded(1).unwrap();
    let span = Duration::from_millis(20);
    let start = Instant::now();
    assert!(matches!(queue.get_within(span), Err(GetError::Empty)));
    assert!(start.elapsed() >= span);
    queue.put_within(1, span).unwrap();
    let start = Instant::now();
    assert!(matches!(queue.put_within(2, span), Err(PutError::Full(2))));
    assert!(start.elapsed() >= span);
    // no time at all is enough for what can be done at once
    assert_eq!(queue.get_within(Duration::ZERO).unwrap(), 1);
    queue.put_within(3, Duration::ZERO).unwrap();
    assert_eq!(queue.get_within(Duration::MAX).unwrap(), 3);
}

fn a_put_wakes() {
    let (queue, answers) = (Queue::bounded(1).unwrap(), Queue::bounded(1).unwrap());
    let reader = child(|| {
        for _ in 0..200 {
            answers.put(queue.get().unwrap()).unwrap();
        }
    });
    for n in 0..200 {
        until_it_sleeps(&reader);
        queue.put(n).unwrap();
        assert_eq!(answers.get_within(LONG).unwrap(), n);
    }
    ends_well(&reader);
}

fn a_get_wakes() {
    let queue = Queue::bounded(1).unwrap();
    let writer = child(|| (0..200).try_for_each(|n| queue.put(n)));
    for n in 0..200 {
        if n < 199 {
            until_it_sleeps(&writer);
            assert!(queue.is_full());
        }
        assert_eq!(queue.get_within(LONG).unwrap(), n);
    }
    ends_well(&writer);
}

fn close_wakes_everybody() {
    let (empty, full) = (Queue::<u8>::bounded(1).unwrap(), Queue::<u8>::bounded(1).unwrap());
    full.put(1).unwrap();
    let readers = [(); 3].map(|()| child(|| i32::from(!matches!(empty.get(), Err(GetError::Ended)))));
    let writers = [(); 3].map(|()| child(|| i32::from(!matches!(full.put(2), Err(PutError::Closed(2))))));
    readers.iter().chain(&writers).for_each(until_it_sleeps);
    empty.close().unwrap();
    full.close().unwrap();
    readers.iter().chain(&writers).for_each(ends_well);
    assert_eq!(full.get().unwrap(), 1);
}

fn the_end_comes_last() {
    let queue = Queue::bounded(10).unwrap();
    (0..10).for_each(|n| queue.put(n).unwrap());
    queue.close().unwrap();
    let reader = child(|| {
        let got: Vec<i32> = std::iter::from_fn(|| queue.get().ok()).collect();
        i32::from(got != (0..10).collect::<Vec<_>>())
    });
    ends_well(&reader);
    assert!(matches!(queue.try_get(), Err(GetError::Ended)));
    assert!(matches!(queue.get(), Err(GetError::Ended)));
}

fn a_writer_may_end_first() {
    // Python's would wait for its feeder thread here: more than a pipe takes
    let queue: Queue<String> = Queue::bounded(5000).unwrap();
    let writer = child(|| (0..5000).try_for_each(|n| queue.put(format!("{n:100}"))));
    ends_well(&writer);
    (0..5000).for_each(|n| assert_eq!(queue.try_get().unwrap(), format!("{n:100}")));
}

fn who_waits_uses_no_cpu() {
    let queue: Queue<u8> = Queue::bounded(1).unwrap();
    let reader = child(|| queue.get().map(i32::from).unwrap_or(99));
    until_it_sleeps(&reader);
    let before = context_switches(reader.pid());
    // what others do does not concern it
    let others: Queue<u32> = Queue::bounded(1).unwrap();
    let other = child(|| (0..500).try_for_each(|n| others.put(n)));
    (0..500).for_each(|n| assert_eq!(others.get_within(LONG).unwrap(), n));
    ends_well(&other);
    assert_eq!((context_switches(reader.pid()), state(reader.pid())), (before, Some('S')));
    queue.put(0).unwrap();
    ends_well(&reader);
}

fn threads_share_it_too() {
    let queue = Queue::bounded(7).unwrap();
    let sum: u64 = thread::scope(|threads| {
        let readers = [(); 3]
            .map(|()| threads.spawn(|| std::iter::from_fn(|| queue.get_within(LONG).ok()).sum::<u64>()));
        let writers = [0u64, 1, 2].map(|who| {
            let queue = &queue;
            threads.spawn(move || (0..1000).for_each(|n| queue.put_within(3 * n + who, LONG).unwrap()))
        });
        writers.into_iter().for_each(|writer| writer.join().unwrap());
        queue.close().unwrap();
        readers.into_iter().map(|reader| reader.join().unwrap()).sum()
    });
    assert_eq!(sum, 2999 * 3000 / 2);
}

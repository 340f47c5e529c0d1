//! `Queue`: one producer, one consumer, 100-byte messages.

use std::time::{Duration, Instant};

use common::process::Builder;
use lab::mp::queue::Queue;

const COUNT: usize = 1_000_000;
/// Python's has no bound; as many messages of 100 bytes as there is room for by default.
const CAPACITY: usize = 8_000;

pub(crate) fn round() -> (usize, Duration) {
    let queue: Queue<String> = Queue::bounded(CAPACITY).unwrap();
    let ready: Queue<()> = Queue::bounded(1).unwrap();
    let producer = Builder::new().fork(|| {
        let message = "x".repeat(100);
        ready.put(()).unwrap();
        for _ in 0..COUNT {
            // (as there: each message is a value of its own)
            queue.put(message.clone()).unwrap();
        }
    });
    let producer = producer.unwrap();
    ready.get().unwrap();
    let start = Instant::now();
    for _ in 0..COUNT {
        assert_eq!(queue.get().unwrap().len(), 100);
    }
    let took = start.elapsed();
    assert_eq!(producer.join(None).unwrap(), Some(0));
    (COUNT, took)
}

//! `Pipe`: one sender, one receiver, 100-byte messages.

use std::time::{Duration, Instant};

use common::process::Builder;
use lab::mp::pipe;
use lab::mp::queue::Queue;

const COUNT: usize = 1_000_000;

pub(crate) fn round() -> (usize, Duration) {
    let (sender, mut receiver) = pipe::one_way::<String>().unwrap();
    let ready: Queue<()> = Queue::bounded(1).unwrap();
    let producer = Builder::new().fork(|| {
        receiver.close();
        let mut sender = sender;
        let message = "x".repeat(100);
        ready.put(()).unwrap();
        for _ in 0..COUNT {
            sender.send(message.clone()).unwrap();
        }
    });
    let producer = producer.unwrap();
    ready.get().unwrap();
    let start = Instant::now();
    for _ in 0..COUNT {
        assert_eq!(receiver.recv().unwrap().len(), 100);
    }
    let took = start.elapsed();
    assert_eq!(producer.join(None).unwrap(), Some(0));
    (COUNT, took)
}

//! Processes that put and get are killed at random instants, hundreds of them, and the queue goes on.

use std::sync::atomic::Ordering::SeqCst;
use std::time::Duration;

use common::process::Process;
use common::shared::{Layout, Region};
use lab::mp::error::{GetError, PutError};
use lab::mp::queue::Queue;

use crate::family::{LONG, Random, child, kill, until};
use crate::runner::Test;

pub(crate) const TESTS: &[Test] = &[
    ("a_queue_survives_killed_processes", a_queue_survives_killed_processes),
    ("a_queue_without_waiting_survives_killed_processes", no_waiting_survives_killed_processes),
];

const ROUNDS: usize = 200;
/// So many messages of a writer are looked after. (It is killed before, unless the machine is busy elsewhere; then it goes on.)
const EACH: usize = 1 << 16;
/// Who writes what is not looked after.
const NOBODY: usize = usize::MAX;
/// So many messages have to pass by a survivor.
const PASS: usize = 20;

/// Who wrote it, which one of that writer's it is, and something of changing length.
type Message = (usize, usize, String);

/// What writers and readers note in memory that outlives them.
struct Notes(Region);

impl Notes {
    fn new() -> Self {
        let layout = Layout { mutexes: 0, counters: 2 * ROUNDS, words: 0, bytes: 2 * ROUNDS * EACH };
        Self(Region::create("notes", layout).unwrap())
    }

    fn times_got(&self, (writer, number): (usize, usize)) -> u8 {
        self.eight_times(writer, number)[number % 8]
    }

    /// Those of this message and of its neighbours: eight are written at once.
    fn eight_times(&self, writer: usize, number: usize) -> [u8; 8] {
        let mut times = [0; 8];
        self.0.read(writer * EACH + number / 8 * 8, &mut times);
        times
    }

    fn got(&self, (writer, number, filler): Message) {
        assert_eq!(filler.len(), number % 50);
        if writer == NOBODY {
            return;
        }
        let mut times = self.eight_times(writer, number);
        times[number % 8] += 1;
        self.0.write(writer * EACH + number / 8 * 8, &times);
    }

    /// Puts the next message of this writer.
    fn put_next(&self, queue: &Queue<Message>, writer: usize) -> bool {
        let counter = self.0.counter(writer);
        let number = counter.load(SeqCst) as usize;
        if number == EACH {
            return queue.put_within((NOBODY, 0, String::new()), LONG).is_ok();
        }
        let put = queue.put_within((writer, number, "x".repeat(number % 50)), LONG).is_ok();
        if put {
            counter.store(number as u64 + 1, SeqCst);
        }
        put
    }

    /// Messages that are lost, of those whose `put` was over; none may have been got twice.
    fn lost(&self) -> usize {
        let mut lost = 0;
        for writer in 0..2 * ROUNDS {
            let put = self.0.counter(writer).load(SeqCst) as usize;
            for number in 0..EACH {
                match self.times_got((writer, number)) {
                    0 if number < put => lost += 1,
                    0 => break,
                    1 => assert!(number <= put, "nobody has put {number} of {writer}"),
                    times => panic!("{number} of {writer} was got {times} times"),
                }
            }
        }
        lost
    }
}

fn a_queue_survives_killed_processes() {
    // small: somebody waits all the time
    survive(4, 4096, Duration::from_micros(1500));
}

fn no_waiting_survives_killed_processes() {
    survive(2000, 1 << 18, Duration::from_micros(700));
}

fn survive(capacity: usize, bytes: usize, life: Duration) {
    let queue: Queue<Message> = Queue::with_room(capacity, bytes).unwrap();
    let notes = Notes::new();
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    let mut readers_killed = 0;
    for round in 0..ROUNDS {
        let writer = child(|| while notes.put_next(&queue, round) {});
        let reader = child(|| {
            while let Ok(message) = queue.get_within(LONG) {
                notes.got(message);
            }
        });
        random.instant_within(life);
        match random.below(3) {
            0 => {
                kill(&writer);
                (0..PASS).for_each(|_| assert!(notes.put_next(&queue, ROUNDS + round)));
                until(|| queue.is_empty());
            }
            1 => {
                kill(&reader);
                (0..PASS).for_each(|_| notes.got(queue.get_within(LONG).unwrap()));
            }
            _ => {}
        }
        both_end(&writer, &reader, random.below(2) == 0);
        readers_killed += 1;
        while let Ok(message) = queue.try_get() {
            notes.got(message);
        }
        assert_room(&queue, capacity);
    }
    let lost = notes.lost();
    assert!(lost <= readers_killed, "{lost} lost by {readers_killed} readers");
}

fn both_end(one: &Process, two: &Process, swapped: bool) {
    let (first, second) = if swapped { (two, one) } else { (one, two) };
    first.kill().unwrap();
    second.kill().unwrap();
    for process in [first, second] {
        assert_eq!(process.join(Some(LONG)).unwrap(), Some(-9));
    }
}

/// All of it is there: as many as it was made for fit, and not one more.
fn assert_room(queue: &Queue<Message>, capacity: usize) {
    assert!(matches!(queue.try_get(), Err(GetError::Empty)));
    (0..capacity).for_each(|_| queue.try_put((0, 0, String::new())).unwrap());
    assert!(matches!(queue.try_put((0, 0, String::new())), Err(PutError::Full(_))));
    (0..capacity).for_each(|_| drop(queue.try_get().unwrap()));
    assert!(queue.is_empty());
    // and all bytes
    let all = "x".repeat(queue.longest() - 5);
    queue.try_put((0, 0, all)).unwrap();
    drop(queue.try_get().unwrap());
}

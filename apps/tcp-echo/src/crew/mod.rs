//! Worker processes and their parent, for the models that have them: [`pool`](crate::models::pool) and [`prefork`](crate::models::prefork).
//!
//! Here: the workers as the parent sees them. Who is free, who has what, who died and when he is replaced. A worker either gets
//! every connection from its parent, or accepts for itself until nobody listens any more and is like the others from
//! then on: so the last clients in the backlog are served the same way in both models.

mod channel;
mod parent;
mod worker;

pub(crate) use parent::{Parent, Source};
pub(crate) use worker::{serve_what_is_passed, told_to_stop_alone};

use std::collections::VecDeque;
use std::io;
use std::os::fd::BorrowedFd;
use std::time::{Duration, Instant};

use common::process::{Builder, Process};
use common::signals;
use nix::sys::signal::Signal;

use crate::handler::Connection;
use crate::mode_options::Order;
use crate::seats::Seat;
use crate::server::Server;
use crate::stats::Problem;

pub(crate) use channel::Channel;
use channel::Word;

/// The wait before a worker is replaced that died soon after the one before it; doubled each time.
const FIRST_WAIT: Duration = Duration::from_millis(100);
const LONGEST_WAIT: Duration = Duration::from_secs(5);
/// The wait before a connection that could not be passed is passed again.
const PASS_AGAIN: Duration = Duration::from_millis(20);
/// A worker that lived so long did not die of what its predecessor died of.
const LONG_LIFE: Duration = Duration::from_secs(10);

/// What a worker process does from its first moment to its last: its number, its channel to the parent, and then its exit
/// code.
pub(crate) type Life = Box<dyn Fn(usize, &Channel) -> i32>;

/// All workers; their places stay, whoever fills them.
struct Crew {
    places: Vec<Place>,
    server: &'static Server,
    life: Life,
    /// What a new worker does at first.
    first_job: fn() -> Job,
}

/// A worker's place.
struct Place {
    worker: Option<Worker>,
    /// When the place was last filled.
    filled: Instant,
    /// Deaths in a row after a short life.
    deaths: u32,
    /// While it is empty: when it will be filled.
    refill: Instant,
}

struct Worker {
    process: Process,
    channel: Channel,
    job: Job,
}

enum Job {
    Free,
    /// It accepts for itself; its connections and their seats are its own.
    AcceptsForItself,
    /// The connection is in the worker's mail: here is the copy.
    Handed(Connection),
    /// The worker has it, and would take it along if it died.
    Taken(Seat),
}

impl Worker {
    /// Closes a forked child's copies; the seats are still the parent's.
    fn close_in_child(self) {
        match self.job {
            Job::Free | Job::AcceptsForItself => {}
            Job::Handed(connection) => connection.seat.stays_with_parent(),
            Job::Taken(seat) => seat.stays_with_parent(),
        }
    }
}

impl Crew {
    fn new(size: usize, server: &'static Server, life: Life, first_job: fn() -> Job) -> Self {
        let now = Instant::now();
        let place = |_| Place { worker: None, filled: now, deaths: 0, refill: now };
        Self { places: (0..size).map(place).collect(), server, life, first_job }
    }

    /// Fills every place.
    fn start(&mut self, in_child: &mut dyn FnMut()) -> io::Result<()> {
        for number in 0..self.places.len() {
            self.fill(number, in_child)
                .map_err(|e| io::Error::new(e.kind(), format!("no process for worker {number}: {e}")))?;
        }
        Ok(())
    }

    /// Forks a worker. What the child gets with the copy of our memory and does not need it must close: the other workers'
    /// channels here, and what `in_child` knows of.
    fn fill(&mut self, number: usize, in_child: &mut dyn FnMut()) -> io::Result<()> {
        let (ours, theirs) = Channel::pair()?;
        let mut ours = Some(ours);
        let worker = Builder::new().name(format!("worker-{number}")).daemon(true);
        let process = worker.fork(|| {
            in_child();
            ours = None;
            self.places.iter_mut().filter_map(|place| place.worker.take()).for_each(Worker::close_in_child);
            (self.life)(number, &theirs)
        })?;
        let place = &mut self.places[number];
        place.worker = ours.map(|channel| Worker { process, channel, job: (self.first_job)() });
        place.filled = Instant::now();
        Ok(())
    }

    /// What to poll.
    fn channels(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        self.places.iter().filter_map(|place| Some(place.worker.as_ref()?.channel.descriptor()))
    }

    /// Hears the workers that have something to say; `spoken` tells for each channel, in the order of
    /// [`Crew::channels`], whether it is readable. A connection that a dead worker had not taken goes back to the head of the
    /// queue.
    fn listen(&mut self, spoken: &[bool], queue: &mut VecDeque<Connection>) {
        let filled = self.places.iter_mut().enumerate().filter(|(_, place)| place.worker.is_some());
        for ((number, place), _) in filled.zip(spoken).filter(|(_, spoken)| **spoken) {
            while let Some(worker) = &mut place.worker {
                match worker.channel.hear() {
                    Word::Nothing => break,
                    Word::Taken => {
                        if let Job::Handed(connection) = std::mem::replace(&mut worker.job, Job::Free) {
                            worker.job = Job::Taken(connection.seat);
                        }
                    }
                    Word::Done => worker.job = Job::Free,
                    Word::Gone => bury(number, place, self.server, queue),
                }
            }
        }
    }

    /// Gives waiting connections to free workers; gives back how long to wait if the kernel had no room for a message.
    fn hand_out(&mut self, queue: &mut VecDeque<Connection>, order: Order) -> Option<Duration> {
        for worker in self.places.iter_mut().filter_map(|place| place.worker.as_mut()) {
            if !matches!(worker.job, Job::Free) {
                continue;
            }
            let connection = match order {
                Order::Fifo => queue.pop_front()?,
                Order::Lifo => queue.pop_back()?,
            };
            self.server.counters.queue.taken(connection.since.elapsed(), queue.len());
            if worker.channel.pass(&connection).is_ok() {
                worker.job = Job::Handed(connection);
                continue;
            }
            // Too many descriptors under way, or no memory; or the worker died a moment ago, which is heard soon.
            put_back(connection, queue, order);
            self.server.counters.problem(Problem::Exhausted);
            return Some(PASS_AGAIN);
        }
        None
    }

    /// Fills the places whose time has come.
    fn replace_the_dead(&mut self, in_child: &mut dyn FnMut()) {
        for number in 0..self.places.len() {
            let place = &self.places[number];
            if place.worker.is_some() || place.refill > Instant::now() {
                continue;
            }
            self.server.counters.worker(number).restarted();
            if let Err(e) = self.fill(number, in_child) {
                self.server.counters.problem(Problem::Spawn);
                self.server.log.complain(format_args!("no process for worker {number}: {e}"));
                self.places[number].refill = Instant::now() + LONGEST_WAIT / 5;
            }
        }
    }

    /// When the next empty place is to be filled.
    fn next_replacement(&self) -> Option<Instant> {
        self.places.iter().filter(|place| place.worker.is_none()).map(|place| place.refill).min()
    }

    /// Nobody has anything to do. (A worker that was killed in the instant between accepting somebody and saying so has left
    /// a seat that nobody gives back.)
    fn is_idle(&self) -> bool {
        self.places
            .iter()
            .filter_map(|place| place.worker.as_ref())
            .all(|worker| matches!(worker.job, Job::Free))
    }

    /// Tells all workers that a stop was requested.
    fn nudge(&self) {
        self.signal(signals::NUDGE);
    }

    fn signal(&self, signal: Signal) {
        for worker in self.places.iter().filter_map(|place| place.worker.as_ref()) {
            let _ = worker.process.signal(signal);
        }
    }

    /// Ends all workers and waits for them. Those that are free hold nothing; the others have had their time.
    fn dismiss(self) {
        self.signal(Signal::SIGKILL);
        // (dropping a worker's process waits for its end)
    }
}

/// Where it would be taken from next.
fn put_back(connection: Connection, queue: &mut VecDeque<Connection>, order: Order) {
    match order {
        Order::Fifo => queue.push_front(connection),
        Order::Lifo => queue.push_back(connection),
    }
}

/// A worker died: its place will be filled at once the first time, later after a growing wait.
fn bury(number: usize, place: &mut Place, server: &Server, queue: &mut VecDeque<Connection>) {
    let Some(worker) = place.worker.take() else { return };
    // a worker whose channel has closed has not far to go
    let retired = matches!(worker.process.join(None), Ok(Some(0)));
    if !retired {
        server.counters.problem(Problem::Crash);
    }
    let died_with_it = server.counters.worker(number).died();
    match worker.job {
        Job::Handed(connection) => queue.push_front(connection),
        // it took the seats itself, and cannot give them back any more
        Job::AcceptsForItself => (0..died_with_it).for_each(|_| server.counters.left()),
        Job::Free | Job::Taken(_) => {}
    }
    place.deaths = if place.filled.elapsed() >= LONG_LIFE { 0 } else { place.deaths };
    let wait = match place.deaths {
        0 => Duration::ZERO,
        n => FIRST_WAIT.saturating_mul(1 << (n - 1).min(10)).min(LONGEST_WAIT),
    };
    place.deaths += 1;
    place.refill = Instant::now() + wait;
    server.log.complain(format_args!(
        "worker process {} {}: replaced in {wait:?}",
        worker.process.pid(),
        if retired { "left" } else { "died" }
    ));
}

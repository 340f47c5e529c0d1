//! The workers as the parent sees them: who is free, who has what, who died and when he is replaced.

use std::collections::VecDeque;
use std::io;
use std::net::TcpListener;
use std::os::fd::BorrowedFd;
use std::time::{Duration, Instant};

use common::signals;
use nix::errno::Errno;
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::{Pid, getpid};

use super::channel::{Channel, Word};
use super::worker;
use crate::handler::Connection;
use crate::seats::Seat;
use crate::server::Server;
use crate::stats::Problem;
use crate::sys::fork;

/// The wait before a worker is replaced that died soon after the one before it; doubled each time.
const FIRST_WAIT: Duration = Duration::from_millis(100);
const LONGEST_WAIT: Duration = Duration::from_secs(5);
/// The wait before a connection that could not be passed is passed again.
const PASS_AGAIN: Duration = Duration::from_millis(20);
/// A worker that lived so long did not die of what its predecessor died of.
const LONG_LIFE: Duration = Duration::from_secs(10);

/// All workers; their places stay, whoever fills them.
pub(super) struct Crew {
    places: Vec<Place>,
    server: &'static Server,
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
    pid: Pid,
    channel: Channel,
    job: Job,
}

enum Job {
    Free,
    /// The connection is in the worker's mail: here is the copy.
    Handed(Connection),
    /// The worker has it, and would take it along if it died.
    Taken(Seat),
}

impl Worker {
    /// Closes a forked child's copies; the seats are still the parent's.
    fn close_in_child(self) {
        match self.job {
            Job::Free => {}
            Job::Handed(connection) => connection.seat.stays_with_parent(),
            Job::Taken(seat) => seat.stays_with_parent(),
        }
    }
}

impl Crew {
    pub(super) fn new(size: usize, server: &'static Server) -> Self {
        let now = Instant::now();
        let place = |_| Place { worker: None, filled: now, deaths: 0, refill: now };
        Self { places: (0..size).map(place).collect(), server }
    }

    /// Fills every place.
    pub(super) fn start(
        &mut self,
        listener: &mut Option<TcpListener>,
        queue: &mut VecDeque<Connection>,
    ) -> io::Result<()> {
        for number in 0..self.places.len() {
            self.fill(number, listener, queue)
                .map_err(|e| io::Error::new(e.kind(), format!("no process for worker {number}: {e}")))?;
        }
        Ok(())
    }

    /// Forks a worker. What the child gets with the copy of our memory and does not need it must close: the listener,
    /// the waiting connections and the other workers' channels.
    fn fill(
        &mut self,
        number: usize,
        listener: &mut Option<TcpListener>,
        queue: &mut VecDeque<Connection>,
    ) -> io::Result<()> {
        let (ours, theirs) = Channel::pair()?;
        let mut ours = Some(ours);
        let (parent, server) = (getpid(), self.server);
        let pid = fork::fork(|| {
            *listener = None;
            ours = None;
            queue.drain(..).for_each(|connection| connection.seat.stays_with_parent());
            self.places.iter_mut().filter_map(|place| place.worker.take()).for_each(Worker::close_in_child);
            worker::work(number, parent, &theirs, server)
        })?;
        let place = &mut self.places[number];
        place.worker = ours.map(|channel| Worker { pid, channel, job: Job::Free });
        place.filled = Instant::now();
        Ok(())
    }

    /// What to poll.
    pub(super) fn channels(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        self.places.iter().filter_map(|place| Some(place.worker.as_ref()?.channel.descriptor()))
    }

    /// Hears the workers that have something to say; `spoken` tells for each channel, in the order of
    /// [`Crew::channels`], whether it is readable. A connection that a dead worker had not taken goes back to the head of the
    /// queue.
    pub(super) fn listen(&mut self, spoken: &[bool], queue: &mut VecDeque<Connection>) {
        let filled = self.places.iter_mut().filter(|place| place.worker.is_some());
        for (place, _) in filled.zip(spoken).filter(|(_, spoken)| **spoken) {
            while let Some(worker) = &mut place.worker {
                match worker.channel.hear() {
                    Word::Nothing => break,
                    Word::Taken => {
                        if let Job::Handed(connection) = std::mem::replace(&mut worker.job, Job::Free) {
                            worker.job = Job::Taken(connection.seat);
                        }
                    }
                    Word::Done => worker.job = Job::Free,
                    Word::Gone => bury(place, self.server, queue),
                }
            }
        }
    }

    /// Gives the oldest connections to free workers; gives back how long to wait if the kernel had no room for a message.
    pub(super) fn hand_out(&mut self, queue: &mut VecDeque<Connection>) -> Option<Duration> {
        for worker in self.places.iter_mut().filter_map(|place| place.worker.as_mut()) {
            if !matches!(worker.job, Job::Free) {
                continue;
            }
            let connection = queue.pop_front()?;
            if worker.channel.pass(&connection).is_ok() {
                worker.job = Job::Handed(connection);
                continue;
            }
            // Too many descriptors under way, or no memory; or the worker died a moment ago, which is heard soon.
            queue.push_front(connection);
            self.server.counters.problem(Problem::Exhausted);
            return Some(PASS_AGAIN);
        }
        None
    }

    /// Fills the places whose time has come.
    pub(super) fn replace_the_dead(
        &mut self,
        listener: &mut Option<TcpListener>,
        queue: &mut VecDeque<Connection>,
    ) {
        for number in 0..self.places.len() {
            let place = &self.places[number];
            if place.worker.is_some() || place.refill > Instant::now() {
                continue;
            }
            if let Err(e) = self.fill(number, listener, queue) {
                self.server.counters.problem(Problem::Spawn);
                self.server.log.complain(format_args!("no process for worker {number}: {e}"));
                self.places[number].refill = Instant::now() + LONGEST_WAIT / 5;
            }
        }
    }

    /// When the next empty place is to be filled.
    pub(super) fn next_replacement(&self) -> Option<Instant> {
        self.places.iter().filter(|place| place.worker.is_none()).map(|place| place.refill).min()
    }

    /// Tells all workers that a stop was requested.
    pub(super) fn nudge(&self) {
        self.signal(signals::NUDGE);
    }

    /// A worker that is dead has not been waited for yet, so its number is still its own.
    fn signal(&self, signal: Signal) {
        for worker in self.places.iter().filter_map(|place| place.worker.as_ref()) {
            let _ = kill(worker.pid, signal);
        }
    }

    /// Ends all workers and waits for them. Those that are free hold nothing; the others have had their time.
    pub(super) fn dismiss(self) {
        self.signal(Signal::SIGKILL);
        for worker in self.places.into_iter().filter_map(|place| place.worker) {
            reap(worker.pid);
        }
    }
}

/// Waits for a worker that is dead or has been killed: it has not far to go. `true` if it left of its own accord.
fn reap(pid: Pid) -> bool {
    loop {
        match waitpid(pid, None) {
            Err(Errno::EINTR) => {}
            // (death by a real-time signal is an error to `nix`)
            status => return matches!(status, Ok(WaitStatus::Exited(_, 0))),
        }
    }
}

/// A worker died: its place will be filled at once the first time, later after a growing wait.
fn bury(place: &mut Place, server: &Server, queue: &mut VecDeque<Connection>) {
    let Some(worker) = place.worker.take() else { return };
    let retired = reap(worker.pid);
    if !retired {
        server.counters.problem(Problem::Crash);
    }
    if let Job::Handed(connection) = worker.job {
        queue.push_front(connection);
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
        worker.pid,
        if retired { "left" } else { "died" }
    ));
}

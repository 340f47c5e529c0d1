//! The parent's side of a pool: gives tasks out, collects results, and waits for both.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, VecDeque};
use std::os::fd::AsFd;
use std::rc::{Rc, Weak};
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use common::process::Process;
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::unistd::{Pid, getpid};
use serde::de::DeserializeOwned;

use super::error::{Failed, PoolError, TaskError};
use super::handle::{Outcome, Slot};
use super::pack::{COMPLETE, MORE, Unpacked};
use super::shared::{AWAKE, FOR_ROOM, Shared};
use crate::mp::Wait;
use crate::mp::channel::{Nothing, Refused};

/// While the parent does not sleep (there it hears of deaths at once), it looks so often whether a worker has died; and while one could not
/// be made anew, it tries again so often.
const LOOK_AFTER: Duration = Duration::from_millis(10);

/// What a pool is: its workers, and the tasks that are not done.
pub(super) struct Core<'a, R> {
    pub(super) shared: Rc<Shared>,
    /// What a worker in this place does.
    pub(super) work: Box<dyn Fn(usize) -> std::io::Result<()> + 'a>,
    made_by: Pid,
    pub(super) deaths_max: u32,
    pub(super) phase: Cell<Phase>,
    /// Never borrowed while a callback runs: it may call anything.
    pub(super) state: RefCell<State<'a, R>>,
    /// A message that was collected; kept for its memory.
    message: RefCell<Vec<u8>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    Running,
    Closed,
    Terminated,
}

pub(super) struct State<'a, R> {
    /// Each in its place; `None`: it has ended, and nobody has taken its place (yet).
    pub(super) workers: Vec<Option<Process>>,
    /// How many were ever made.
    pub(super) made: usize,
    /// Those in a row that died, and no task was done meanwhile.
    pub(super) deaths: u32,
    /// What is queued or in a worker's hands, by its number in the queue. As many as the queue takes, and one a worker.
    pub(super) jobs: BTreeMap<u32, Job<'a, R>>,
    /// Done, and not told yet.
    finished: VecDeque<(Sink<'a, R>, Outcome<R>)>,
    looked: Instant,
}

/// The tasks of one message.
pub(super) struct Job<'a, R> {
    /// Those results that came in messages of their own.
    values: Vec<R>,
    pub(super) sink: Sink<'a, R>,
}

/// Who wants the outcome.
pub(super) struct Sink<'a, R> {
    pub(super) slot: Weak<Slot<R>>,
    pub(super) callbacks: Option<Callbacks<'a, R>>,
}

/// What is called with a result, and with an error.
pub(super) struct Callbacks<'a, R> {
    pub(super) done: Box<dyn FnOnce(&R) + 'a>,
    pub(super) failed: Box<dyn FnOnce(&TaskError) + 'a>,
}

impl<'a, R> Core<'a, R> {
    pub(super) fn new(
        shared: Rc<Shared>,
        workers: usize,
        deaths_max: u32,
        work: Box<dyn Fn(usize) -> std::io::Result<()> + 'a>,
    ) -> Self {
        let state = State {
            workers: (0..workers).map(|_| None).collect(),
            made: 0,
            deaths: 0,
            jobs: BTreeMap::new(),
            finished: VecDeque::new(),
            looked: Instant::now(),
        };
        let (phase, message) = (Cell::new(Phase::Running), RefCell::default());
        Self { shared, work, made_by: getpid(), deaths_max, phase, state: RefCell::new(state), message }
    }
}

impl<'a, R: DeserializeOwned> Core<'a, R> {
    /// A forked child has a copy of the pool, and the workers are not its children.
    pub(super) fn check_parent(&self) -> Result<(), PoolError> {
        if self.made_by == getpid() { Ok(()) } else { Err(PoolError::NotItsParent) }
    }

    /// Gives out a message; waits so long for room.
    pub(super) fn submit(&self, message: &[u8], sink: Sink<'a, R>, wait: Wait) -> Result<(), PoolError> {
        if self.phase.get() != Phase::Running {
            return Err(PoolError::NotRunning);
        }
        let mut sink = Some(sink);
        let mut refused = None;
        let put = self.wait_until(wait, FOR_ROOM, || {
            match self.shared.tasks.put(message, Wait::No) {
                Err(Refused::Full) => return false,
                Ok(number) => {
                    let job = sink.take().map(|sink| Job { values: Vec::new(), sink });
                    job.and_then(|job| self.state.borrow_mut().jobs.insert(number, job));
                }
                Err(Refused::Closed) => refused = Some(PoolError::NotRunning),
                Err(Refused::TooLarge { most }) => {
                    refused = Some(PoolError::TooLarge { bytes: message.len(), most });
                }
                Err(Refused::Broken(e)) => refused = Some(e.into()),
            }
            true
        })?;
        match refused {
            Some(error) => Err(error),
            None if put => Ok(()),
            None => Err(PoolError::Full),
        }
    }

    /// Collects results (and runs their callbacks) until `done`; `false`: the time is over. Sleeps meanwhile, until one of its workers
    /// wakes it `what` for, or dies.
    pub(super) fn wait_until(
        &self,
        wait: Wait,
        what: u64,
        mut done: impl FnMut() -> bool,
    ) -> Result<bool, PoolError> {
        self.check_parent()?;
        loop {
            self.collect()?;
            if done() {
                return Ok(true);
            }
            let left = wait.left().unwrap_or(Duration::MAX);
            if left.is_zero() {
                return Ok(false);
            }
            // first said, then looked: a worker does it the other way round, so one of the two sees the other
            let asleep = self.shared.asleep();
            asleep.store(what, Ordering::SeqCst);
            let nothing_came = self.shared.results.len() == 0;
            let finished = nothing_came && done();
            if nothing_came && !finished {
                self.sleep(left)?;
            }
            asleep.store(AWAKE, Ordering::SeqCst);
            if finished {
                return Ok(true);
            }
        }
    }

    /// Takes what the workers have put, looks after them, and tells who waits for it.
    fn collect(&self) -> Result<(), PoolError> {
        self.drain()?;
        if self.state.borrow().looked.elapsed() >= LOOK_AFTER {
            self.look_after_workers()?;
        }
        self.tell();
        Ok(())
    }

    /// Takes what the workers have put.
    pub(super) fn drain(&self) -> Result<(), PoolError> {
        let mut message = self.message.borrow_mut();
        loop {
            match self.shared.results.get(&mut message, Wait::No, |_| ()) {
                Ok(()) => self.state.borrow_mut().arrived(&message),
                Err(Nothing::Empty | Nothing::Ended) => return Ok(()),
                Err(Nothing::Broken(e)) => return Err(e.into()),
            }
        }
    }

    /// Tells those who wait, and runs callbacks, in the order in which the tasks were done.
    pub(super) fn tell(&self) {
        loop {
            let Some((sink, outcome)) = self.state.borrow_mut().finished.pop_front() else { return };
            sink.tell(outcome, self.phase.get());
        }
    }

    /// Tells that all tasks that are not done have failed.
    pub(super) fn fail_all(&self, why: impl Fn() -> TaskError) {
        let mut state = self.state.borrow_mut();
        while let Some((_, job)) = state.jobs.pop_first() {
            state.finished.push_back((job.sink, Err(why())));
        }
    }

    /// Until a worker rings or dies, at most so long.
    fn sleep(&self, at_most: Duration) -> Result<(), PoolError> {
        let (rung, died) = {
            let state = self.state.borrow();
            let vacant = self.phase.get() == Phase::Running && state.workers.iter().any(Option::is_none);
            let at_most = if vacant { at_most.min(LOOK_AFTER) } else { at_most };
            // rounded up, so that the time is over when the poll says so
            let at_most = at_most.saturating_add(Duration::from_millis(1));
            let living = state.workers.iter().flatten().map(AsFd::as_fd);
            let mut polled: Vec<_> = std::iter::once(self.shared.doorbell.as_fd())
                .chain(living)
                .map(|descriptor| PollFd::new(descriptor, PollFlags::POLLIN))
                .collect();
            match poll(&mut polled, PollTimeout::try_from(at_most).unwrap_or(PollTimeout::MAX)) {
                Ok(_) => {}
                Err(Errno::EINTR) => return Ok(()),
                Err(e) => return Err(PoolError::System(e.into())),
            }
            let mut readable = polled.iter().map(|one| one.any().unwrap_or(true));
            (readable.next() == Some(true), vacant || readable.any(|readable| readable))
        };
        if rung {
            // (empty already if a forked child of ours has read it; then we wake once for nothing)
            let _ = self.shared.doorbell.read();
        }
        if died {
            self.look_after_workers()?;
        }
        Ok(())
    }
}

impl<R: DeserializeOwned> State<'_, R> {
    /// A message has come.
    fn arrived(&mut self, bytes: &[u8]) {
        let Some(message) = Unpacked::new(bytes) else { return };
        // (one that was given up may still be done)
        let Some(job) = self.jobs.get_mut(&message.number) else { return };
        let outcome = match message.status {
            MORE => match job.add(message, bytes.len()) {
                Ok(()) => return,
                Err(e) => Err(e),
            },
            COMPLETE => job.add(message, bytes.len()).map(|()| std::mem::take(&mut job.values)),
            _ => Err(message.values::<Failed>().next().map_or_else(
                || TaskError::Unreadable("no reason came".to_owned()),
                |failed| failed.map_or_else(|e| TaskError::Unreadable(e.to_string()), TaskError::from),
            )),
        };
        self.finish(message.number, outcome);
    }

    /// The task with this number is done, or has failed. (If it was so before, nothing happens.)
    pub(super) fn finish(&mut self, number: u32, outcome: Outcome<R>) {
        let Some(job) = self.jobs.remove(&number) else { return };
        self.deaths = 0;
        self.finished.push_back((job.sink, outcome));
    }

    pub(super) fn looked_after(&mut self) {
        self.looked = Instant::now();
    }
}

impl<R: DeserializeOwned> Job<'_, R> {
    /// The values of a message of so many bytes.
    fn add(&mut self, message: Unpacked<'_>, bytes: usize) -> Result<(), TaskError> {
        if self.sink.callbacks.is_none() && self.sink.slot.strong_count() == 0 {
            return Ok(()); // nobody wants them
        }
        let values = message.values();
        // (as many as the message can have, whatever it says)
        self.values.reserve(values.len().min(bytes));
        for value in values {
            self.values.push(value.map_err(|e| TaskError::Unreadable(e.to_string()))?);
        }
        Ok(())
    }
}

impl<R> Sink<'_, R> {
    /// Calls back (not when the pool was terminated), and settles the handle.
    fn tell(self, outcome: Outcome<R>, phase: Phase) {
        let told = Told { slot: self.slot, outcome };
        if let Some(callbacks) = self.callbacks.filter(|_| phase != Phase::Terminated) {
            if let Some(slot) = told.slot.upgrade() {
                slot.at_callback();
            }
            match &told.outcome {
                Ok(values) => {
                    if let [value] = values.as_slice() {
                        (callbacks.done)(value);
                    }
                }
                Err(e) => (callbacks.failed)(e),
            }
        }
    }
}

/// An outcome that goes to its handle when this is dropped: also when its callback panics.
struct Told<R> {
    slot: Weak<Slot<R>>,
    outcome: Outcome<R>,
}

impl<R> Drop for Told<R> {
    fn drop(&mut self) {
        if let Some(slot) = self.slot.upgrade() {
            slot.settle(std::mem::replace(&mut self.outcome, Err(TaskError::Terminated)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_that_lies_about_its_values_is_an_error() {
        let slot = Slot::<String>::new();
        let mut job = Job { values: Vec::new(), sink: Sink { slot: Rc::downgrade(&slot), callbacks: None } };
        let mut bytes = [[0; 4], COMPLETE.to_le_bytes(), u32::MAX.to_le_bytes()].concat();
        bytes.extend([1, b'x']);
        let error = job.add(Unpacked::new(&bytes).unwrap(), bytes.len()).unwrap_err();
        assert!(matches!(error, TaskError::Unreadable(_)), "{error}");
        assert!(job.values.capacity() < 1000, "{}", job.values.capacity());
    }
}

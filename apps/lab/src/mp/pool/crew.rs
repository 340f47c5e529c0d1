//! The workers as their parent sees them: made, looked after, replaced, ended.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use common::process::{Builder, Process};
use serde::de::DeserializeOwned;

use super::core::{Core, Phase};
use super::error::{PoolError, TaskError};
use crate::mp::Wait;

/// Workers that are terminated have so long to leave before they are killed.
const TERMINATION: Duration = Duration::from_secs(1);

impl<R: DeserializeOwned> Core<'_, R> {
    /// Makes a worker for each vacant place.
    ///
    /// # Errors
    /// The kernel has no room for another process, or this process has more than one thread.
    pub(super) fn fill(&self) -> std::io::Result<()> {
        let places = self.state.borrow().workers.len();
        for place in 0..places {
            let made = {
                let mut state = self.state.borrow_mut();
                if state.workers[place].is_some() {
                    continue;
                }
                state.made += 1;
                state.made
            };
            self.shared.note(place).store(0, Ordering::SeqCst);
            let worker = Builder::new().name(format!("PoolWorker-{made}")).daemon(true);
            let worker = worker.fork(|| (self.work)(place))?;
            self.state.borrow_mut().workers[place] = Some(worker);
        }
        Ok(())
    }

    /// Finds out who has died, and with what in its hands; puts others in their places.
    pub(super) fn look_after_workers(&self) -> Result<(), PoolError> {
        self.check_parent()?;
        let ended: Vec<(usize, Process)> = {
            let mut state = self.state.borrow_mut();
            state.looked_after();
            let ended = state.workers.iter_mut().enumerate();
            ended
                .filter_map(|(place, worker)| Some((place, worker.take_if(|worker| !worker.is_alive())?)))
                .collect()
        };
        for (place, worker) in ended {
            self.bury(place, &worker)?;
        }
        let fill = match self.phase.get() {
            Phase::Running => true,
            // what was queued before is still done
            Phase::Closed => self.shared.tasks.len() > 0,
            Phase::Terminated => false,
        };
        let filled = if fill { self.fill() } else { Ok(()) };
        let deaths = self.state.borrow().deaths;
        if deaths >= self.deaths_max {
            self.give_up(|| TaskError::NoProgress { deaths })?;
        }
        if self.state.borrow().workers.iter().all(Option::is_none) {
            let why = filled.err().map_or_else(|| "the pool is closed".to_owned(), |e| e.to_string());
            self.drain()?;
            self.give_up(|| TaskError::NoWorker(why.clone()))?;
        }
        Ok(())
    }

    /// A worker has ended. What it had in its hands fails, if it had something.
    fn bury(&self, place: usize, worker: &Process) -> Result<(), PoolError> {
        let noted = self.shared.note(place).swap(0, Ordering::SeqCst);
        let exit_code = worker.exit_code().unwrap_or_default();
        // one that had done its share (`tasks_per_worker`), or found the queue at its end
        if noted == 0 && exit_code == 0 {
            return Ok(());
        }
        // whatever it has done is there
        self.drain()?;
        self.state.borrow_mut().deaths += 1;
        if noted == 0 {
            return Ok(());
        }
        let number = (noted - 1) as u32;
        // It may have died before the task was out of the queue: then it is still there, or somebody else has taken it …
        let with_others = self.shared.tasks.while_nothing_is_taken(|next| {
            let is_queued = number.wrapping_sub(next) as i32 >= 0;
            let places = 0..self.state.borrow().workers.len();
            is_queued
                || places.into_iter().any(|place| self.shared.note(place).load(Ordering::SeqCst) == noted)
        })?;
        if with_others {
            return Ok(());
        }
        // … and may have done it meanwhile.
        self.drain()?;
        let error = TaskError::WorkerDied { pid: worker.pid(), exit_code };
        self.state.borrow_mut().finish(number, Err(error));
        Ok(())
    }

    /// Fails all tasks; those that are queued will not be run.
    fn give_up(&self, why: impl Fn() -> TaskError) -> Result<(), PoolError> {
        let mut message = Vec::new();
        while self.shared.tasks.get(&mut message, Wait::No, |_| ()).is_ok() {}
        self.fail_all(why);
        self.state.borrow_mut().deaths = 0;
        Ok(())
    }

    /// No more tasks; those that were given are done.
    pub(super) fn close(&self) -> Result<(), PoolError> {
        self.check_parent()?;
        if self.phase.get() == Phase::Running {
            self.phase.set(Phase::Closed);
            self.shared.tasks.close()?;
        }
        Ok(())
    }

    /// Ends the workers now, and reaps them. Tasks that are not done fail.
    pub(super) fn terminate(&self) -> Result<(), PoolError> {
        self.check_parent()?;
        if self.phase.replace(Phase::Terminated) == Phase::Terminated {
            return Ok(());
        }
        let workers: Vec<Process> =
            self.state.borrow_mut().workers.iter_mut().filter_map(Option::take).collect();
        for worker in &workers {
            worker.terminate()?;
        }
        let end = Instant::now() + TERMINATION;
        for worker in &workers {
            if worker.join(Some(end.saturating_duration_since(Instant::now())))?.is_none() {
                worker.kill()?;
            }
        }
        for worker in &workers {
            worker.join(None)?;
        }
        // (last: it takes the locks, which a worker that was stopped may have had)
        self.shared.tasks.close()?;
        self.drain()?;
        self.fail_all(|| TaskError::Terminated);
        self.tell();
        Ok(())
    }
}

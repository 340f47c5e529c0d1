//! A fixed number of processes that do whatever tasks they are given: Python's `multiprocessing.Pool`, without its hangs.
//!
//! | there | here |
//! |---|---|
//! | `Pool(3)` | [`Pool::new`], with the function that the workers run; [`Pool::builder`] |
//! | `apply(f, args)` | [`Pool::apply`]: one task after the other |
//! | `apply_async(f, args, callback=…, error_callback=…)` | [`Pool::apply_async`], [`Pool::apply_async_with`]; [`Pool::try_apply_async`] does not wait for room |
//! | `AsyncResult.get(timeout)`, `ready()` | [`Handle::get`], [`Handle::get_within`], [`Handle::is_ready`] |
//! | `map(f, tasks, chunksize)` | [`Pool::map`], [`Pool::map_in_chunks`] |
//! | `maxtasksperchild` | [`Builder::tasks_per_worker`] |
//! | `close()`, `terminate()`, `join()` | [`Pool::close`], [`Pool::terminate`], [`Pool::join`] |
//! | leaving `with Pool() …` terminates | dropping the pool terminates |
//!
//! **How it works.** All workers are forked when the pool is made, so they have whatever the function refers to. A function cannot be sent
//! to a process that runs already (Python sends its name): the pool has one function, and different tasks are an enum. The
//! workers take tasks themselves from a queue in shared memory and put results into another one. There is no
//! thread and no process in between (Python has three threads): the work goes on while the parent computes, and the parent collects what
//! has come whenever it calls into the pool. Callbacks run in these calls, in the parent, in the order in which the
//! tasks were done; a slow one holds up the parent, and nobody else. So the parent has one thread, and may fork.
//!
//! **A worker that is killed** is replaced, and the task that it had in its hands fails with [`TaskError::WorkerDied`]. (In Python
//! that task's `get()` never returns.) Which task it was is known: a worker notes its number before it takes it out of
//! the queue, and tears the note up when the result is in the other one. A task is never run a second time.
//!
//! **What it costs.** For a task that is given alone a worker is woken, and the parent for its result. [`Pool::map`] sends many in a
//! message, and wakes as seldom. `cargo bench -p lab` has figures for both, beside Python's.
//!
//! **Where it breaks.** It belongs to one process with one thread. A result that nobody collects keeps its place in the queue until
//! the parent calls into the pool again. A worker that was *stopped* (SIGSTOP) is not dead: its task waits
//! (and all of them, if it was stopped in the moment in which it takes one).
//!
//! **Bounds.** [`WORKERS_MAX`] workers; [`CAPACITY`] tasks (or chunks of [`Pool::map`]) and [`BYTES`] bytes wait for a worker, and who gives more
//! waits until there is room. As many results wait for the parent; then the workers wait. After [`DEATHS_MAX`] deaths in a row without a
//! task done, those that wait are given up ([`TaskError::NoProgress`]).
//!
//! **Why no crate.** `procspawn::Pool` starts its workers by exec, has no callbacks, no `map` and no bound, and a thread for each worker in
//! the parent. `rayon` and `threadpool` are for threads: one that dies by a signal takes all with it, which is what
//! processes are for.
//!
//! ```
//! use lab::mp::pool::Pool;
//!
//! let pool = Pool::new(2, |n: u64| n * n)?;
//! let nine = pool.apply_async(3)?;
//! assert_eq!(pool.map([0, 1, 2, 3, 4])?, [0, 1, 4, 9, 16]);
//! assert_eq!(nine.get()?, 9);
//!
//! let mortal = Pool::new(2, |signal: i32| match signal {
//!     0 => std::process::id(),
//!     _ => std::process::abort(),
//! })?;
//! assert_eq!(mortal.apply(6).unwrap_err().to_string(), "worker died by signal 6");
//! assert_eq!(mortal.pids().len(), 2); // replaced
//! assert!(mortal.apply(0).is_ok());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod builder;
mod core;
mod crew;
mod error;
mod handle;
mod pack;
mod shared;
mod worker;

use std::fmt;
use std::marker::PhantomData;
use std::rc::Rc;
use std::time::Duration;

use common::process::Process;
use serde::Serialize;
use serde::de::DeserializeOwned;

use self::core::{Callbacks, Core, Phase, Sink};
use self::handle::Slot;
use self::pack::{COMPLETE, Packer};
use self::shared::FOR_RESULTS;
use super::Wait;

pub use builder::{BYTES, Builder, CAPACITY, DEATHS_MAX, WORKERS_MAX};
pub use error::{PoolError, TaskError};
pub use handle::Handle;

/// `map` cuts the tasks into so many chunks for each worker, as Python does: one that is quick gets more of them.
const CHUNKS_PER_WORKER: usize = 4;
/// A chunk, or its results, is cut where it is longer than the queue divided by this.
const PIECES: usize = 4;

/// Processes that run a function of `T` to `R` for whoever has the pool. [See above](self).
pub struct Pool<'a, T, R: DeserializeOwned> {
    core: Rc<Core<'a, R>>,
    tasks: PhantomData<fn(T)>,
}

impl<'a, T, R> Pool<'a, T, R>
where
    T: Serialize + DeserializeOwned + 'a,
    R: Serialize + DeserializeOwned + 'a,
{
    /// Starts so many workers that run `handler`.
    ///
    /// # Errors
    /// As [`Builder::start`].
    pub fn new(workers: usize, handler: impl Fn(T) -> R + 'a) -> Result<Self, PoolError> {
        Builder::default().workers(workers).start(handler)
    }

    /// Gives a task to the pool and waits for its result: one task after the other, whatever the number of workers.
    ///
    /// # Errors
    /// As [`Self::apply_async`] and [`Handle::get`].
    pub fn apply(&self, task: T) -> Result<R, TaskError> {
        self.apply_async(task)?.get()
    }

    /// Gives a task to the pool. Does not wait for it, but for room in the queue if there is none.
    ///
    /// # Errors
    /// The pool has been closed, or the task is too large or cannot be serialised.
    pub fn apply_async(&self, task: T) -> Result<Handle<'a, R>, PoolError> {
        self.give(&task, None, Wait::Forever)
    }

    /// Gives a task to the pool if there is room in the queue.
    ///
    /// # Errors
    /// [`PoolError::Full`], or as [`Self::apply_async`].
    pub fn try_apply_async(&self, task: T) -> Result<Handle<'a, R>, PoolError> {
        self.give(&task, None, Wait::No)
    }

    /// As [`Self::apply_async`]; when the task is done, calls `callback` with the result, or `error_callback` with why there is none.
    ///
    /// They are called in this process, while it calls into the pool: in the order in which the tasks were done. The handle is ready when
    /// they have returned. They may use the pool, if they have it in an `Rc` (weakly: the pool has the callback); one that panics does so out of the call in which it was called (the handle has its result all the same). When the pool has been
    /// terminated, they are not called any more.
    ///
    /// # Errors
    /// As [`Self::apply_async`].
    pub fn apply_async_with(
        &self,
        task: T,
        callback: impl FnOnce(&R) + 'a,
        error_callback: impl FnOnce(&TaskError) + 'a,
    ) -> Result<Handle<'a, R>, PoolError> {
        let callbacks = Callbacks { done: Box::new(callback), failed: Box::new(error_callback) };
        self.give(&task, Some(callbacks), Wait::Forever)
    }

    /// Runs many tasks and gives their results in the order of the tasks.
    ///
    /// They are sent in chunks of equal size, four for each worker, which is right for tasks that take equally long. For some that take much
    /// longer than others, see [`Self::map_in_chunks`].
    ///
    /// # Errors
    /// That of the first task (in their order) that failed; the rest of its chunk was not run, the other chunks were.
    pub fn map<I>(&self, tasks: I) -> Result<Vec<R>, TaskError>
    where
        I: IntoIterator<Item = T, IntoIter: ExactSizeIterator>,
    {
        let tasks = tasks.into_iter();
        let chunks = CHUNKS_PER_WORKER * self.workers();
        self.map_in_chunks(tasks.len().div_ceil(chunks), tasks)
    }

    /// As [`Self::map`], with so many tasks in a chunk. (Fewer if they are long: a chunk has at most a quarter of the queue's
    /// bytes, or one task.)
    ///
    /// # Errors
    /// As [`Self::map`].
    pub fn map_in_chunks(
        &self,
        size: usize,
        tasks: impl IntoIterator<Item = T>,
    ) -> Result<Vec<R>, TaskError> {
        let piece = self.core.shared.tasks.longest() / PIECES;
        let mut slots = Vec::new();
        let mut chunk = Packer::new();
        for task in tasks {
            let before = chunk.len();
            chunk.push(&task).map_err(|e| PoolError::Unserializable(e.to_string()))?;
            if chunk.len() > piece && chunk.count() > 1 {
                let last = chunk.split_last(before);
                slots.push(self.send(&mut chunk, None, Wait::Forever)?);
                chunk.restart_with(&last);
            }
            if chunk.count() as usize >= size {
                slots.push(self.send(&mut chunk, None, Wait::Forever)?);
            }
        }
        if chunk.count() > 0 {
            slots.push(self.send(&mut chunk, None, Wait::Forever)?);
        }
        let mut results = Vec::new();
        let mut failed = None;
        for slot in slots {
            self.core.wait_until(Wait::Forever, FOR_RESULTS, || slot.is_settled())?;
            match slot.take() {
                Ok(values) if results.is_empty() => results = values,
                Ok(values) => results.extend(values),
                Err(e) => failed = failed.or(Some(e)),
            }
        }
        failed.map_or(Ok(results), Err)
    }

    /// No more tasks. Those that were given are done; then the workers end.
    ///
    /// # Errors
    /// The queue is broken.
    pub fn close(&self) -> Result<(), PoolError> {
        self.core.close()
    }

    /// Ends the workers now: SIGTERM, and SIGKILL a second later. Tasks that are not done fail with [`TaskError::Terminated`].
    ///
    /// # Errors
    /// The kernel refused.
    pub fn terminate(&self) -> Result<(), PoolError> {
        self.core.terminate()
    }

    /// Waits until all tasks are done and all workers have ended.
    ///
    /// # Errors
    /// [`PoolError::StillRunning`]: it has been neither closed nor terminated.
    pub fn join(&self) -> Result<(), PoolError> {
        self.join_until(Wait::Forever).map(|_| ())
    }

    /// As [`Self::join`], no longer than this. `false`: the time is over.
    ///
    /// # Errors
    /// As [`Self::join`].
    pub fn join_within(&self, span: Duration) -> Result<bool, PoolError> {
        self.join_until(Wait::at_most(span))
    }

    fn join_until(&self, wait: Wait) -> Result<bool, PoolError> {
        if self.core.phase.get() == Phase::Running {
            return Err(PoolError::StillRunning);
        }
        self.core.wait_until(wait, FOR_RESULTS, || {
            let state = self.core.state.borrow();
            state.jobs.is_empty() && state.workers.iter().all(Option::is_none)
        })
    }

    fn give(
        &self,
        task: &T,
        callbacks: Option<Callbacks<'a, R>>,
        wait: Wait,
    ) -> Result<Handle<'a, R>, PoolError> {
        let mut message = Packer::new();
        message.push(task).map_err(|e| PoolError::Unserializable(e.to_string()))?;
        let slot = self.send(&mut message, callbacks, wait)?;
        Ok(Handle::new(Rc::clone(&self.core), slot))
    }

    /// Gives out what is packed; it is empty then.
    fn send(
        &self,
        packed: &mut Packer,
        callbacks: Option<Callbacks<'a, R>>,
        wait: Wait,
    ) -> Result<Rc<Slot<R>>, PoolError> {
        let slot = Slot::new();
        let sink = Sink { slot: Rc::downgrade(&slot), callbacks };
        self.core.submit(packed.message(0, COMPLETE), sink, wait)?;
        packed.clear();
        Ok(slot)
    }
}

impl<T, R: DeserializeOwned> Pool<'_, T, R> {
    /// How many workers it was made with.
    #[must_use]
    pub fn workers(&self) -> usize {
        self.core.state.borrow().workers.len()
    }

    /// The process numbers of the workers. (Looks after them first: whoever has died is replaced.)
    #[must_use]
    pub fn pids(&self) -> Vec<i32> {
        // (an error would be found again, and told, by whatever waits next)
        let _ = self.core.look_after_workers();
        self.core.state.borrow().workers.iter().flatten().map(Process::pid).collect()
    }

    /// How many tasks (and chunks) no worker has taken yet.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.core.shared.tasks.len()
    }

    /// How many may wait.
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.core.shared.tasks.limit()
    }
}

impl Pool<'_, (), ()> {
    /// A pool with other settings.
    pub fn builder() -> Builder {
        Builder::default()
    }
}

/// Terminates it: work that nobody has waited for is lost. (In a process that was forked from the one that made it, nothing happens.)
impl<T, R: DeserializeOwned> Drop for Pool<'_, T, R> {
    fn drop(&mut self) {
        let _ = self.core.terminate();
    }
}

impl<T, R: DeserializeOwned> fmt::Debug for Pool<'_, T, R> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Pool").field("phase", &self.core.phase.get()).finish_non_exhaustive()
    }
}

//! What a pool is to be like.

use std::marker::PhantomData;
use std::rc::Rc;

use common::process::usable_cpus;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::core::Core;
use super::error::PoolError;
use super::shared::Shared;
use super::{Pool, worker};

/// So many tasks wait for a worker unless [`Builder::capacity`] says otherwise; who gives more, waits.
pub const CAPACITY: u32 = 10_000;
/// So many bytes of tasks wait for a worker, and so many of results for the parent, unless [`Builder::bytes`] says otherwise.
pub const BYTES: usize = 4 << 20;
/// When so many workers died one after the other and no task was done meanwhile, those that wait are given up, unless
/// [`Builder::deaths_max`] says otherwise.
pub const DEATHS_MAX: u32 = 100;
/// No pool has more workers.
pub const WORKERS_MAX: usize = 1024;

/// What a pool is to be like.
#[derive(Debug, Clone)]
#[must_use = "it is started with `start`"]
pub struct Builder {
    workers: usize,
    capacity: u32,
    bytes: usize,
    tasks_per_worker: Option<u64>,
    deaths_max: u32,
}

impl Default for Builder {
    fn default() -> Self {
        Self {
            workers: usable_cpus(),
            capacity: CAPACITY,
            bytes: BYTES,
            tasks_per_worker: None,
            deaths_max: DEATHS_MAX,
        }
    }
}

impl Builder {
    /// So many workers: 1 to [`WORKERS_MAX`]. Otherwise one for each CPU that this process may use.
    pub fn workers(mut self, workers: usize) -> Self {
        self.workers = workers.clamp(1, WORKERS_MAX);
        self
    }

    /// So many tasks may wait, at least 1; otherwise [`CAPACITY`].
    pub fn capacity(mut self, tasks: u32) -> Self {
        self.capacity = tasks.max(1);
        self
    }

    /// So many bytes of tasks may wait, and so many of results; otherwise [`BYTES`]. A single task, or its result, has to fit. (Rounded
    /// up to a power of two, from 4 KiB to 1 GiB.)
    pub fn bytes(mut self, bytes: usize) -> Self {
        self.bytes = bytes;
        self
    }

    /// After so many tasks (or chunks) a worker ends, and another one takes its place: for tasks that leave something behind.
    pub fn tasks_per_worker(mut self, tasks: u64) -> Self {
        self.tasks_per_worker = Some(tasks.max(1));
        self
    }

    /// When so many workers died one after the other and no task was done meanwhile, the tasks that wait fail with
    /// [`TaskError::NoProgress`](super::TaskError::NoProgress); at least 1, otherwise [`DEATHS_MAX`]. (A task that fails with its worker counts as done.)
    pub fn deaths_max(mut self, deaths: u32) -> Self {
        self.deaths_max = deaths.max(1);
        self
    }

    /// Starts the workers, as daemons called `PoolWorker-1` and so on.
    ///
    /// # Errors
    /// This process has more than one thread; or the kernel has no room for the processes or their memory.
    pub fn start<'a, T, R>(self, handler: impl Fn(T) -> R + 'a) -> Result<Pool<'a, T, R>, PoolError>
    where
        T: Serialize + DeserializeOwned + 'a,
        R: Serialize + DeserializeOwned + 'a,
    {
        let shared = Rc::new(Shared::new(self.workers, self.capacity, self.bytes)?);
        let theirs = Rc::clone(&shared);
        let work = move |place| worker::work(&theirs, place, &handler, self.tasks_per_worker);
        let core = Core::new(shared, self.workers, self.deaths_max, Box::new(work));
        core.fill()?;
        Ok(Pool { core: Rc::new(core), tasks: PhantomData })
    }
}

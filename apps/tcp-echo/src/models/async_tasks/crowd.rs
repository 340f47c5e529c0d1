//! What the tasks of all runtimes share: how to wake them at a stop, and the word that a seat is free.

use std::io;
use std::sync::{Mutex, OnceLock, PoisonError};
use std::task::Waker;

use slab::Slab;
use tokio::sync::Notify;

use crate::server::Server;
use crate::stamp::Stamp;

/// What the tasks of all runtimes share.
pub(super) struct Crowd {
    pub(super) server: &'static Server,
    /// How to wake each connection's task: at a stop its time limit becomes another one.
    pub(super) tasks: Mutex<Slab<Waker>>,
    /// When the stop was requested.
    pub(super) stop: OnceLock<Stamp>,
    /// Told when a seat becomes free.
    pub(super) seats: Notify,
    /// Why nobody can accept any more.
    pub(super) broken: OnceLock<io::Error>,
}

impl Crowd {
    pub(super) fn new(server: &'static Server) -> Self {
        Self {
            server,
            tasks: Mutex::new(Slab::new()),
            stop: OnceLock::new(),
            seats: Notify::new(),
            broken: OnceLock::new(),
        }
    }

    pub(super) fn drain(&self) {
        let _ = self.stop.set(Stamp::now());
        let tasks = self.tasks.lock().unwrap_or_else(PoisonError::into_inner);
        tasks.iter().for_each(|(_, task)| task.wake_by_ref());
    }

    /// Enters a task into the list until the entry is dropped.
    pub(super) fn enter(&'static self, task: &Waker) -> Entry {
        let key = self.tasks.lock().unwrap_or_else(PoisonError::into_inner).insert(task.clone());
        Entry { crowd: self, key }
    }
}

pub(super) struct Entry {
    pub(super) crowd: &'static Crowd,
    key: usize,
}

impl Drop for Entry {
    fn drop(&mut self) {
        let waker = self.crowd.tasks.lock().unwrap_or_else(PoisonError::into_inner).try_remove(self.key);
        // outside of the lock: it may be the last that is left of a task
        drop(waker);
    }
}

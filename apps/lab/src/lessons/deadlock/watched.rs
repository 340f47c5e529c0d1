//! Locks that know who waits for whom, and refuse a wait that would never end.
//!
//! A lock alone knows its holder at most. Kept beside it is what each thread waits for: together, the wait-for graph. Whoever is
//! about to wait follows it from holder to holder; if that leads back to itself, it would close a circle in which everybody waits
//! for ever, and is told so instead. The last one to come finds each circle: what a thread holds is noted before it can want more.
//!
//! It costs a walk and a common mutex for each lock. Databases do so; in a program an order for the locks costs nothing.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use common::exit::Failure;
use common::lock::{Guard, Lock};
use serde::Serialize;

/// No wait is longer. The graph says that it ends, and if that were wrong, the example fails and does not hang.
const LONGEST_WAIT: Duration = Duration::from_secs(10);

/// Some locks, by number, for some threads, by number.
pub(crate) struct Watched {
    locks: Vec<Lock>,
    graph: Mutex<Graph>,
}

#[derive(Default)]
struct Graph {
    /// Lock → thread.
    held_by: BTreeMap<usize, usize>,
    /// Thread → lock.
    wants: BTreeMap<usize, usize>,
}

/// A lock that is held, until this is dropped.
pub(crate) struct Held<'a> {
    watched: &'a Watched,
    lock: usize,
    _guard: Guard,
}

/// One edge of a circle.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Waits {
    pub(crate) thread: usize,
    pub(crate) lock: usize,
    pub(crate) held_by: usize,
}

/// Why a lock was not got.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Refused {
    /// The wait would have closed this circle.
    Deadlock(Circle),
    /// Something else failed.
    Failed(Failure),
}

/// Everybody in it waits for the next one, and the last one for the first.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Circle(pub(crate) Vec<Waits>);

impl Watched {
    pub(crate) fn new(locks: usize) -> Result<Self, Failure> {
        let locks: Result<_, _> = (0..locks).map(|_| Lock::new()).collect();
        let locks = locks.map_err(|e| Failure::failed(format!("cannot make a lock: {e}")))?;
        Ok(Self { locks, graph: Mutex::default() })
    }

    /// Waits for a lock, unless that wait would never end.
    pub(crate) fn lock(&self, thread: usize, lock: usize) -> Result<Held<'_>, Refused> {
        {
            let mut graph = self.graph();
            if let Some(circle) = graph.circle(thread, lock) {
                return Err(Refused::Deadlock(circle));
            }
            graph.wants.insert(thread, lock);
        }
        let got = self.locks[lock].lock_within(LONGEST_WAIT);
        let mut graph = self.graph();
        graph.wants.remove(&thread);
        let failed = |why: &dyn fmt::Display| Refused::Failed(Failure::failed(format!("lock {lock}: {why}")));
        let guard = got.map_err(|e| failed(&e))?;
        let guard = guard.ok_or_else(|| failed(&"not got in 10 seconds, and no circle was seen"))?;
        graph.held_by.insert(lock, thread);
        Ok(Held { watched: self, lock, _guard: guard })
    }

    /// Who waits now: (thread, lock).
    #[cfg(test)]
    pub(crate) fn waiting(&self) -> Vec<(usize, usize)> {
        self.graph().wants.iter().map(|(thread, lock)| (*thread, *lock)).collect()
    }

    fn graph(&self) -> MutexGuard<'_, Graph> {
        self.graph.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Graph {
    /// The circle that would be closed if this thread waited for this lock.
    fn circle(&self, thread: usize, lock: usize) -> Option<Circle> {
        let (mut waits, mut next) = (Vec::new(), Waits { thread, lock, held_by: *self.held_by.get(&lock)? });
        // (no way through the graph is longer than the number of its locks)
        while waits.len() < self.held_by.len() {
            let holder = next.held_by;
            waits.push(next);
            if holder == thread {
                return Some(Circle(waits));
            }
            let lock = *self.wants.get(&holder)?;
            next = Waits { thread: holder, lock, held_by: *self.held_by.get(&lock)? };
        }
        None
    }
}

impl From<Refused> for Failure {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::Deadlock(circle) => Self::failed(format!("deadlock: {circle}")),
            Refused::Failed(why) => why,
        }
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        // noted before it is so: between the two nobody seems to hold it, and nobody is accused
        self.watched.graph().held_by.remove(&self.lock);
    }
}

impl fmt::Display for Circle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, Waits { thread, lock, held_by }) in self.0.iter().enumerate() {
            let and = if i == 0 { "" } else { ", and " };
            write!(
                f,
                "{and}thread {} waits for lock {lock}, which thread {} holds",
                thread + 1,
                held_by + 1
            )?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;

//! Bounded queues between threads that give out their items in another order than that in which they came: the last one first, or
//! the most urgent one first. (The usual order is `common::fifo`.)
//!
//! A lock and two conditions, as in Python's `queue` module: who waits for room, and who waits for an item.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// In which order items come out.
pub(super) trait Order {
    /// What is put in and comes out.
    type Item;
    /// Takes one in.
    fn insert(&mut self, item: Self::Item);
    /// Gives one out.
    fn next(&mut self) -> Option<Self::Item>;
    /// How many are in it.
    fn len(&self) -> usize;
    /// Whether none is in it.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// Last in, first out: a stack.
#[derive(Debug)]
pub(super) struct Lifo<T>(Vec<T>);

/// The smallest number first; of equal ones the oldest. (What is put beside the number is not compared, so it may be anything.)
#[derive(Debug)]
pub(super) struct Priority<T> {
    urgent: BTreeMap<i64, VecDeque<T>>,
    count: usize,
}

/// The queue.
#[derive(Debug)]
pub(super) struct Ordered<O> {
    state: Mutex<State<O>>,
    not_empty: Condvar,
    not_full: Condvar,
    capacity: usize,
}

#[derive(Debug)]
struct State<O> {
    items: O,
    closed: bool,
}

impl<T> Default for Lifo<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T> Order for Lifo<T> {
    type Item = T;

    fn insert(&mut self, item: T) {
        self.0.push(item);
    }

    fn next(&mut self) -> Option<T> {
        self.0.pop()
    }

    fn len(&self) -> usize {
        self.0.len()
    }
}

impl<T> Default for Priority<T> {
    fn default() -> Self {
        Self { urgent: BTreeMap::new(), count: 0 }
    }
}

impl<T> Order for Priority<T> {
    type Item = (i64, T);

    fn insert(&mut self, (priority, item): (i64, T)) {
        self.urgent.entry(priority).or_default().push_back(item);
        self.count += 1;
    }

    fn next(&mut self) -> Option<(i64, T)> {
        let mut most_urgent = self.urgent.first_entry()?;
        let priority = *most_urgent.key();
        let item = most_urgent.get_mut().pop_front()?;
        if most_urgent.get().is_empty() {
            most_urgent.remove();
        }
        self.count -= 1;
        Some((priority, item))
    }

    fn len(&self) -> usize {
        self.count
    }
}

impl<O: Order + Default> Ordered<O> {
    /// For at most so many items (at least 1).
    pub(super) fn bounded(capacity: usize) -> Self {
        let state = Mutex::new(State { items: O::default(), closed: false });
        Self { state, not_empty: Condvar::new(), not_full: Condvar::new(), capacity: capacity.max(1) }
    }
}

impl<O: Order> Ordered<O> {
    /// Puts an item in; waits for room.
    ///
    /// # Errors
    /// It is closed: the item is given back.
    pub(super) fn put(&self, item: O::Item) -> Result<(), O::Item> {
        let full = |state: &mut State<O>| state.items.len() >= self.capacity && !state.closed;
        let waited = self.not_full.wait_while(self.lock(), full);
        let mut state = waited.unwrap_or_else(PoisonError::into_inner);
        if state.closed {
            return Err(item);
        }
        state.items.insert(item);
        self.not_empty.notify_one();
        Ok(())
    }

    /// The item whose turn it is; waits for one. `None`: it is closed, and there is none.
    pub(super) fn get(&self) -> Option<O::Item> {
        let nothing = |state: &mut State<O>| state.items.is_empty() && !state.closed;
        let waited = self.not_empty.wait_while(self.lock(), nothing);
        let item = waited.unwrap_or_else(PoisonError::into_inner).items.next();
        self.not_full.notify_one();
        item
    }

    /// Nothing more can be put; what is there can still be got.
    pub(super) fn close(&self) {
        self.lock().closed = true;
        self.not_empty.notify_all();
        self.not_full.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, State<O>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;

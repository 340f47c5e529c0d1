//! A bounded queue between one thread that accepts and the threads that serve: first in, first out, or the newest first.
//!
//! A mutex and two condition variables, as in every textbook. What it adds: it counts who waits, and wakes nobody
//! when nobody waits, because waking is a system call. (A channel of `crossbeam` was here before: a taker of its that
//! finds nothing yields its CPU six times before it sleeps, which cost a pool a tenth of its CPU with short
//! connections.)

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::mode_options::Order;

/// The queue.
#[derive(Debug)]
pub struct Queue<T> {
    capacity: usize,
    order: Order,
    /// As of the last change: for statistics, without the lock.
    length: AtomicUsize,
    state: Mutex<State<T>>,
    more: Condvar,
    room: Condvar,
}

#[derive(Debug)]
struct State<T> {
    items: VecDeque<T>,
    /// Takers that wait for an item.
    takers: usize,
    /// Givers that wait for room.
    givers: usize,
    closed: bool,
}

impl<T> Queue<T> {
    /// An empty queue that never holds more than `capacity` items.
    #[must_use]
    pub fn new(capacity: usize) -> Self {
        Self::ordered(capacity, Order::Fifo)
    }

    /// The same, out of which the oldest or the newest item is taken first.
    #[must_use]
    pub fn ordered(capacity: usize, order: Order) -> Self {
        let state =
            State { items: VecDeque::with_capacity(capacity.min(1024)), takers: 0, givers: 0, closed: false };
        Self {
            capacity,
            order,
            length: AtomicUsize::new(0),
            state: Mutex::new(state),
            more: Condvar::new(),
            room: Condvar::new(),
        }
    }

    /// Puts an item at the end.
    ///
    /// # Errors
    /// The queue is full: here is the item.
    pub fn put(&self, item: T) -> Result<(), T> {
        self.put_if(item, |state| state.items.len() < self.capacity)
    }

    /// Puts an item in only if somebody who waits will take it at once.
    ///
    /// # Errors
    /// Nobody waits: here is the item.
    pub fn hand_over(&self, item: T) -> Result<(), T> {
        self.put_if(item, |state| state.items.len() < state.takers)
    }

    fn put_if(&self, item: T, possible: impl FnOnce(&State<T>) -> bool) -> Result<(), T> {
        let mut state = self.lock();
        if !possible(&state) {
            return Err(item);
        }
        state.items.push_back(item);
        self.length.store(state.items.len(), Ordering::Relaxed);
        let somebody_waits = state.takers > 0;
        drop(state);
        if somebody_waits {
            self.more.notify_one();
        }
        Ok(())
    }

    /// Waits until there is room, for so long at most.
    pub fn wait_for_room(&self, at_most: Duration) {
        let mut state = self.lock();
        state.givers += 1;
        let full = |state: &mut State<T>| state.items.len() >= self.capacity;
        let (mut state, _) =
            self.room.wait_timeout_while(state, at_most, full).unwrap_or_else(PoisonError::into_inner);
        state.givers -= 1;
    }

    /// Takes the next item, and waits for one if there is none; `None` once the queue is closed and empty.
    pub fn take(&self) -> Option<T> {
        self.take_as_one_of(usize::MAX)
    }

    /// As [`Queue::take`], but `None` if it would have to wait and `most` others wait already.
    pub fn take_as_one_of(&self, most: usize) -> Option<T> {
        let mut state = self.lock();
        loop {
            let next = match self.order {
                Order::Fifo => state.items.pop_front(),
                Order::Lifo => state.items.pop_back(),
            };
            if let Some(item) = next {
                self.length.store(state.items.len(), Ordering::Relaxed);
                let somebody_waits = state.givers > 0;
                drop(state);
                if somebody_waits {
                    self.room.notify_one();
                }
                return Some(item);
            }
            if state.closed || state.takers >= most {
                return None;
            }
            state.takers += 1;
            state = self.more.wait(state).unwrap_or_else(PoisonError::into_inner);
            state.takers -= 1;
        }
    }

    /// How many items are in it.
    pub fn len(&self) -> usize {
        self.length.load(Ordering::Relaxed)
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Nothing more will come: whoever waits for an item is told.
    pub fn close(&self) {
        self.lock().closed = true;
        self.more.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, State<T>> {
        // nobody panics while he holds this lock
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::thread;

    #[test]
    fn every_item_is_taken_once_and_in_order() {
        const ITEMS: usize = 20_000;
        let queue = Queue::new(7);
        let taken = thread::scope(|scope| {
            let takers: Vec<_> = (0..5)
                .map(|_| scope.spawn(|| std::iter::from_fn(|| queue.take()).collect::<Vec<_>>()))
                .collect();
            for item in 0..ITEMS {
                let mut waiting = item;
                while let Err(item) = queue.put(waiting) {
                    queue.wait_for_room(Duration::from_secs(10));
                    waiting = item;
                }
            }
            queue.close();
            takers.into_iter().map(|taker| taker.join().unwrap()).collect::<Vec<_>>()
        });
        assert!(taken.iter().all(|mine| mine.is_sorted()));
        let mut all = taken.concat();
        all.sort_unstable();
        assert!(all.into_iter().eq(0..ITEMS));
    }

    #[test]
    fn the_newest_comes_first_if_that_was_asked_for() {
        let queue = Queue::ordered(3, Order::Lifo);
        assert_eq!((queue.put(1), queue.put(2), queue.put(3)), (Ok(()), Ok(()), Ok(())));
        assert_eq!((queue.take(), queue.take(), queue.len()), (Some(3), Some(2), 1));
    }

    #[test]
    fn it_is_bounded_and_hands_over_only_to_those_who_wait() {
        let queue = Queue::new(2);
        assert_eq!(queue.hand_over(1), Err(1));
        assert_eq!((queue.put(1), queue.put(2), queue.put(3)), (Ok(()), Ok(()), Err(3)));
        assert_eq!((queue.take(), queue.take()), (Some(1), Some(2)));
        assert_eq!(queue.take_as_one_of(0), None);
        thread::scope(|scope| {
            let taker = scope.spawn(|| queue.take_as_one_of(1));
            let mut item = 4;
            while let Err(back) = queue.hand_over(item) {
                thread::yield_now();
                item = back;
            }
            assert_eq!(taker.join().unwrap(), Some(4));
        });
        queue.close();
        assert_eq!(queue.take(), None);
    }
}

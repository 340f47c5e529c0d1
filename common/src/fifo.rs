//! A bounded FIFO queue between threads: what goes in first comes out first, and it never grows beyond its capacity.
//!
//! A queue is how threads work together without a lock in sight: whoever puts an item in gives it away, whoever takes
//! it out owns it, and at no time do two threads see it. What remains to be decided is what happens when the
//! queue is full, and that is the producer's choice, made anew with every item:
//!
//! - [`Sender::put`] waits until there is room: the producer goes at the consumer's pace (back-pressure);
//! - [`Sender::put_before`] does so for a while: the producer has something else to look after, a stop request for example;
//! - [`Sender::offer`] gives the item back at once: the producer never waits, and says what it does about the loss.
//!
//! The queue ends when one side is gone. With all senders dropped, the receiver still gets every item that is in
//! it, and then `None`. With the receiver dropped, items are given back as [`Refused::Closed`].
//!
//! A thin layer over `crossbeam-channel`, which does the work: it has no unbounded queue in it and names things as people
//! speak about them.

use std::time::Instant;

use crossbeam_channel::{RecvTimeoutError, SendTimeoutError, TrySendError};

/// The side that puts items in. May be cloned: many producers are one queue's normal case.
#[derive(Debug)]
pub struct Sender<T>(crossbeam_channel::Sender<T>);

/// The side that takes items out.
#[derive(Debug)]
pub struct Receiver<T>(crossbeam_channel::Receiver<T>);

/// An item that did not go in.
#[derive(Debug, PartialEq, Eq)]
pub enum Refused<T> {
    /// There is no room now.
    Full(T),
    /// Nobody is there any more to take it out.
    Closed(T),
}

/// What came in time.
#[derive(Debug, PartialEq, Eq)]
pub enum Next<T> {
    /// The oldest item.
    Item(T),
    /// Nothing, until the deadline.
    Late,
    /// Nothing, and nothing will: the queue is empty and all senders are gone.
    End,
}

/// A queue of at most `capacity` items (at least 1).
#[must_use]
pub fn bounded<T>(capacity: usize) -> (Sender<T>, Receiver<T>) {
    let (sender, receiver) = crossbeam_channel::bounded(capacity.max(1));
    (Sender(sender), Receiver(receiver))
}

impl<T> Clone for Sender<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<T> Sender<T> {
    /// Waits for room and puts the item in.
    ///
    /// # Errors
    /// The receiver is gone: the item is given back.
    pub fn put(&self, item: T) -> Result<(), T> {
        self.0.send(item).map_err(|refused| refused.0)
    }

    /// As [`Self::put`], but waits no longer than until `deadline`.
    ///
    /// # Errors
    /// There was no room until then, or the receiver is gone: the item is given back.
    pub fn put_before(&self, item: T, deadline: Instant) -> Result<(), Refused<T>> {
        self.0.send_deadline(item, deadline).map_err(|refused| match refused {
            SendTimeoutError::Timeout(item) => Refused::Full(item),
            SendTimeoutError::Disconnected(item) => Refused::Closed(item),
        })
    }

    /// Puts the item in if there is room now.
    ///
    /// # Errors
    /// There is none, or the receiver is gone: the item is given back.
    pub fn offer(&self, item: T) -> Result<(), Refused<T>> {
        self.0.try_send(item).map_err(|refused| match refused {
            TrySendError::Full(item) => Refused::Full(item),
            TrySendError::Disconnected(item) => Refused::Closed(item),
        })
    }

    /// How many items wait, at this moment.
    #[must_use]
    pub fn depth(&self) -> usize {
        self.0.len()
    }
}

impl<T> Receiver<T> {
    /// The oldest item; waits for one. `None`: the queue is empty and all senders are gone.
    #[must_use]
    pub fn next(&self) -> Option<T> {
        self.0.recv().ok()
    }

    /// As [`Self::next`], but waits no longer than until `deadline`; with `None`, for ever.
    #[must_use]
    pub fn next_before(&self, deadline: Option<Instant>) -> Next<T> {
        let Some(deadline) = deadline else { return self.next().map_or(Next::End, Next::Item) };
        match self.0.recv_deadline(deadline) {
            Ok(item) => Next::Item(item),
            Err(RecvTimeoutError::Timeout) => Next::Late,
            Err(RecvTimeoutError::Disconnected) => Next::End,
        }
    }

    /// The oldest item, if there is one now.
    #[must_use]
    pub fn take(&self) -> Option<T> {
        self.0.try_recv().ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::VecDeque;
    use std::thread;
    use std::time::Duration;

    use proptest::prelude::*;

    #[test]
    fn what_is_in_the_queue_survives_its_senders() {
        let (sender, receiver) = bounded(3);
        (1..=3).for_each(|n| sender.put(n).unwrap());
        drop(sender);
        assert_eq!([receiver.next(), receiver.next(), receiver.next()], [Some(1), Some(2), Some(3)]);
        assert_eq!(receiver.next(), None);
        assert_eq!(receiver.next_before(Some(Instant::now())), Next::End);
    }

    #[test]
    fn nothing_disappears_when_the_receiver_is_gone() {
        let (sender, receiver) = bounded(3);
        drop(receiver);
        assert_eq!(sender.put(1), Err(1));
        assert_eq!(sender.offer(2), Err(Refused::Closed(2)));
        assert_eq!(sender.put_before(3, Instant::now()), Err(Refused::Closed(3)));
    }

    #[test]
    fn put_waits_for_room_and_offer_does_not() {
        let (sender, receiver) = bounded(1);
        sender.put(1).unwrap();
        assert_eq!(sender.offer(2), Err(Refused::Full(2)));
        thread::scope(|threads| {
            threads.spawn(|| sender.put(3).unwrap());
            assert_eq!((receiver.next(), receiver.next()), (Some(1), Some(3)));
        });
    }

    #[test]
    fn waiting_ends_at_the_deadline() {
        let (_sender, receiver) = bounded::<u8>(1);
        let deadline = Instant::now() + Duration::from_millis(5);
        assert_eq!(receiver.next_before(Some(deadline)), Next::Late);
        assert!(Instant::now() >= deadline);
    }

    #[test]
    fn waiting_for_room_ends_at_the_deadline() {
        let (sender, receiver) = bounded(1);
        sender.put_before(1, Instant::now()).unwrap();
        let deadline = Instant::now() + Duration::from_millis(5);
        assert_eq!(sender.put_before(2, deadline), Err(Refused::Full(2)));
        assert!(Instant::now() >= deadline);
        assert_eq!(receiver.next(), Some(1));
        // there is room again: a deadline that has passed is no reason to refuse it
        assert_eq!(sender.put_before(3, deadline), Ok(()));
    }

    proptest! {
        #[test]
        fn it_is_a_first_in_first_out_queue_of_its_capacity(
            capacity in 1usize..5,
            steps in proptest::collection::vec(any::<Option<u8>>(), 0..60),
        ) {
            let (sender, receiver) = bounded(capacity);
            let mut model = VecDeque::new();
            for step in steps {
                match step {
                    Some(item) if model.len() < capacity => {
                        sender.offer(item).unwrap();
                        model.push_back(item);
                    }
                    Some(item) => prop_assert_eq!(sender.offer(item), Err(Refused::Full(item))),
                    None => prop_assert_eq!(receiver.take(), model.pop_front()),
                }
                prop_assert_eq!(sender.depth(), model.len());
            }
        }
    }
}

//! A seat is the right to be one of `--max-conns` connections. At the limit the server stops accepting, so that the
//! next client waits in the backlog and is served when one leaves.

use std::time::Instant;

use common::signals::{self, OnStop};

use crate::stats::Counters;

/// Held by a connection; given back when it is dropped.
#[derive(Debug)]
pub struct Seat(&'static Counters);

impl Seat {
    /// Takes a seat: a connection was accepted.
    #[must_use]
    pub fn take(counters: &'static Counters) -> Self {
        counters.entered();
        Self(counters)
    }

    /// The connection went to a child process: whoever reaps the child gives the seat back.
    pub fn goes_to_child(self) {
        std::mem::forget(self);
    }

    /// In a forked child: this copy of the seat means nothing.
    pub fn stays_with_parent(self) {
        std::mem::forget(self);
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.0.left();
    }
}

/// Waits for a free seat: until the deadline of a drain, or, before a drain, until a stop is requested. `true` if there
/// is one.
pub fn wait_for_one(counters: &Counters, seats: u32, deadline: Option<Instant>) -> bool {
    let on_stop = if deadline.is_some() { OnStop::GoOn } else { OnStop::Return };
    counters.active() < seats || signals::wait_until(deadline, on_stop, || counters.active() < seats)
}

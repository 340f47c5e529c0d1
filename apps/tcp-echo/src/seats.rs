//! A seat is the right to be one of `--max-conns` connections. At the limit the server stops accepting, so that the
//! next client waits in the backlog and is served when one leaves.

use std::io;
use std::time::Instant;

use common::signals::{self, OnStop};

use crate::stats::Counters;

/// Held by a connection; given back when it is dropped.
#[derive(Debug)]
pub struct Seat(&'static Counters);

impl Seat {
    /// Takes a seat: a connection was accepted, by the only thread that accepts.
    #[must_use]
    pub fn take(counters: &'static Counters) -> Self {
        counters.seat();
        counters.entered();
        Self(counters)
    }

    /// Accepts somebody if there is a seat; where several accept, the seat must be there first. `Ok(None)` if there is none.
    ///
    /// # Errors
    /// As `accept`.
    pub fn take_with<T>(
        counters: &'static Counters,
        seats: u32,
        accept: impl FnOnce() -> io::Result<T>,
    ) -> io::Result<Option<(T, Self)>> {
        if !counters.reserve(seats) {
            return Ok(None);
        }
        match accept() {
            Ok(accepted) => {
                counters.entered();
                Ok(Some((accepted, Self(counters))))
            }
            Err(e) => {
                counters.not_needed();
                Err(e)
            }
        }
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
    counters.seats() < seats || signals::wait_until(deadline, on_stop, || counters.seats() < seats)
}

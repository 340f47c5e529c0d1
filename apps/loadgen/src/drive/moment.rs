//! What the caller of a trial is told while it lasts: plain data, made by the conductor and by no measuring thread.

use std::time::Duration;

use super::phase::Phase;
use crate::measure::Class;
use crate::measure::series::Window;

/// What the caller is told during a trial.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Moment<'a> {
    /// All connections are open, or have failed to.
    Connected,
    /// Nothing is in flight; the measuring begins when the caller returns.
    Start,
    /// Nothing is in flight; the measuring is over.
    End,
    /// Time goes by.
    Tick(Glance),
    /// An interval of the measured time is over in all threads.
    Interval(Past<'a>),
}

/// How far a trial is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Glance {
    /// What the client threads do now.
    pub phase: Phase,
    /// Slots that ever had a connection.
    pub established: u64,
    /// Right replies so far, over all phases.
    pub replies: u64,
    /// Connections that have failed so far, in the order of [`Class::ALL`].
    pub failures: [u64; Class::COUNT],
}

/// An interval, and where it lies in the measured time.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Past<'a> {
    /// What all threads did in it.
    pub window: &'a Window,
    /// Its beginning.
    pub from: Duration,
    /// Its end: the last interval of a trial may be shorter than the others.
    pub to: Duration,
}

impl Past<'_> {
    /// How long it was.
    #[must_use]
    pub fn length(&self) -> Duration {
        self.to.saturating_sub(self.from)
    }
}

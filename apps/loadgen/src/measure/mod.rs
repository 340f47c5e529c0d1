//! What was measured: requests, their times, what was lost and why.
//!
//! How: every client thread has its own [`Tally`] and shares nothing; at the end the tallies are merged (histograms
//! are added up, never averaged). Cost: about 0.4 MiB a thread, whatever the length of the run. Where it breaks: a
//! time over a minute is counted as a minute, and the number of these is told.

pub mod checks;
pub mod first_byte;
pub mod latency;
pub mod losses;
pub mod room;
pub mod series;
pub mod under_way;
pub mod verdict;

pub use first_byte::FirstByte;
pub use latency::{Latency, Quantiles};
pub use losses::{Class, First, Losses};

/// What one thread, or all of them together, did in one stretch of a run.
#[derive(Debug, Clone)]
pub struct Tally {
    /// Requests handed to a connection.
    pub scheduled: u64,
    /// Replies that came back complete and right.
    pub ok: u64,
    /// Connections that were opened.
    pub opened: u64,
    /// What failed.
    pub losses: Losses,
    /// From the sending of a request to the last byte of its reply.
    pub reply: Latency,
    /// When the first bytes of replies came that came in several pieces.
    pub first_byte: FirstByte,
    /// From the start of a connect to its end.
    pub connect: Latency,
}

impl Tally {
    /// Nothing yet.
    #[must_use]
    pub fn new() -> Self {
        Self {
            scheduled: 0,
            ok: 0,
            opened: 0,
            losses: Losses::default(),
            reply: Latency::new(),
            first_byte: FirstByte::default(),
            connect: Latency::new(),
        }
    }

    /// Replies that came back complete, right or not.
    #[must_use]
    pub fn replies(&self) -> u64 {
        self.ok + self.losses.unexpected()
    }

    /// Adds another thread's tally, or another stretch.
    pub fn merge(&mut self, other: &Self) {
        self.scheduled += other.scheduled;
        self.ok += other.ok;
        self.opened += other.opened;
        self.losses.merge(&other.losses);
        self.reply.merge(&other.reply);
        self.first_byte.merge(&other.first_byte);
        self.connect.merge(&other.connect);
    }
}

impl Default for Tally {
    fn default() -> Self {
        Self::new()
    }
}

/// The books of one stretch: nothing is silent. Whatever was under way at its start or was sent in it has come back,
/// was lost with a reason, or is still under way at its end.
#[must_use]
pub fn conserved(in_flight_before: u64, tally: &Tally, in_flight_after: u64) -> bool {
    in_flight_before + tally.scheduled == tally.ok + tally.losses.requests() + in_flight_after
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_books_balance_only_when_nothing_is_missing() {
        let mut tally = Tally::new();
        (tally.scheduled, tally.ok) = (10, 7);
        tally.losses.add(Class::Reset, Some(104), 2, First::default());
        assert!(conserved(1, &tally, 2));
        assert!(!conserved(0, &tally, 2));
    }

    #[test]
    fn merging_adds_everything_up() {
        let mut one = Tally::new();
        (one.ok, one.scheduled, one.opened) = (1, 2, 3);
        one.reply.record(1_000, 1);
        one.connect.record(5, 2);
        let mut sum = one.clone();
        sum.losses.add(Class::Corrupt, None, 4, First::default());
        sum.merge(&one);
        assert_eq!((sum.ok, sum.scheduled, sum.opened), (2, 4, 6));
        assert_eq!((sum.reply.quantiles().count, sum.connect.quantiles().count), (2, 4));
        assert_eq!(sum.losses.requests(), 4);
    }
}

//! When the first byte of each reply came.
//!
//! How: most replies come in one piece, and then the first byte comes with the last. So only those in several pieces are
//! recorded apart, with both times, and at the end they are exchanged in the histogram of all replies. Cost: nothing
//! for replies in one piece; two histograms from the first other one on. Where it breaks: nowhere that is known.

use super::Latency;

/// Replies that came in several pieces.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct FirstByte(Option<Box<Pieces>>);

#[derive(Debug, Clone, Default, PartialEq)]
struct Pieces {
    /// To their first byte.
    first: Latency,
    /// To their last byte, as in the histogram of all replies.
    last: Latency,
}

impl FirstByte {
    /// A reply came in several pieces.
    pub fn record(&mut self, first: u64, last: u64) {
        let pieces = self.0.get_or_insert_default();
        pieces.first.record(first, 1);
        pieces.last.record(last, 1);
    }

    /// Adds another thread's.
    pub fn merge(&mut self, other: &Self) {
        if let Some(other) = &other.0 {
            let pieces = self.0.get_or_insert_default();
            pieces.first.merge(&other.first);
            pieces.last.merge(&other.last);
        }
    }

    /// The times to the first byte of all these replies; `None`: they are the same as those to the last.
    #[must_use]
    pub fn of_all(&self, replies: &Latency) -> Option<Latency> {
        let pieces = self.0.as_ref()?;
        let mut all = replies.clone();
        all.exchange(&pieces.last, &pieces.first);
        Some(all)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replies_in_pieces_are_exchanged_and_the_others_stay() {
        let mut replies = Latency::new();
        replies.record(1_000, 98);
        let mut first = FirstByte::default();
        assert_eq!(first.of_all(&replies), None);
        for _ in 0..2 {
            replies.record(9_000_000, 1);
            first.record(2_000, 9_000_000);
        }
        let mut sum = FirstByte::default();
        sum.merge(&first);
        let all = sum.of_all(&replies).unwrap().quantiles();
        assert_eq!((all.count, all.p50), (100, 1_000));
        assert!(all.max.abs_diff(2_000) <= 2, "{all:?}");
    }
}

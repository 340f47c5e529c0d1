//! Work shared by processes: what Python's `multiprocessing` offers, over real processes and in safe Rust.

#[expect(dead_code, reason = "the queue and the pool, which stand on it, come next")]
mod channel;
pub mod manager;

use std::time::{Duration, Instant};

/// How long a call may wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wait {
    /// Not at all.
    No,
    /// Until then.
    Until(Instant),
    /// As long as it takes.
    Forever,
}

impl Wait {
    /// At most so long from now.
    #[must_use]
    pub fn at_most(span: Duration) -> Self {
        Instant::now().checked_add(span).map_or(Self::Forever, Self::Until)
    }
}

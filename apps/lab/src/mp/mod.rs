//! Work shared by processes: what Python's `multiprocessing` offers, over real processes and in safe Rust.

mod channel;
pub mod error;
pub mod manager;
pub mod pipe;
pub mod pool;
pub mod queue;
mod ring;
mod value;

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

    /// How much of it is left; `None`: no limit.
    fn left(self) -> Option<Duration> {
        match self {
            Self::No => Some(Duration::ZERO),
            Self::Until(end) => Some(end.saturating_duration_since(Instant::now())),
            Self::Forever => None,
        }
    }
}

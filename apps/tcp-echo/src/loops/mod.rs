//! What loops have in common, whether they wait for [readiness](crate::models::event_loop) or for [completions](crate::models::uring): how
//! they get connections, how they are reached from other threads, and how they wait for something by the clock.

pub(crate) mod crowd;
pub(crate) mod intake;
pub(crate) mod timers;

/// A loop's stack: visits are shallow.
pub(crate) const STACK: usize = 256 * 1024;
/// Connections accepted before it is the turn of those that are there.
pub(crate) const ACCEPTS: usize = 128;

//! What loops have in common, whether they wait for [readiness](super::event_loop) or for [completions](super::uring): how
//! they get connections, how they are reached from other threads, and how they wait for something by the clock.

pub(super) mod crowd;
pub(super) mod intake;
pub(super) mod timers;

/// A loop's stack: visits are shallow.
pub(super) const STACK: usize = 256 * 1024;
/// Connections accepted before it is the turn of those that are there.
pub(super) const ACCEPTS: usize = 128;

//! What two programs of the suite already share.
//!
//! The rule for entry: a second user. One concept a file; no drawer for left-overs.
//! Nothing here knows a program, a protocol or a concurrency model.

pub mod clock;
pub mod exit;
pub mod fifo;
pub mod limits;
pub mod net;
pub mod ready;
pub mod signals;
mod sys;
pub mod units;

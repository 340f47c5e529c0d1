//! What two programs of the suite already share.
//!
//! The rule for entry: a second user. One concept a file; no drawer for left-overs.
//! Nothing here knows a program, a protocol or a concurrency model.

pub mod clock;
pub mod exit;
pub mod fifo;
pub mod limits;
pub mod lock;
pub mod net;
pub mod process;
pub mod ready;
pub mod signals;
mod sys;
pub mod units;

/// Descriptors that come to a process by their number.
pub mod descriptor {
    pub use crate::sys::descriptor::{adopt, copy_of, replace};
}

/// Memory that several processes see.
pub mod shared {
    pub use crate::sys::region::{Layout, Region};
    pub use crate::sys::robust::{Got, RobustMutex};
}

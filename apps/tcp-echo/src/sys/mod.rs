//! The only place where `unsafe` may be written. Everything here is safe to call from outside.
#![expect(
    unsafe_code,
    reason = "fork, signal handlers, shared memory and raw descriptors have no safe interface"
)]

pub(crate) mod backlog;
pub(crate) mod early;
pub(crate) mod exit;
pub(crate) mod reap;
pub(crate) mod ring;
pub(crate) mod shared;

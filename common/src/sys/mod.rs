//! The few `unsafe` lines of this crate. Everything here is safe to call from outside.
#![expect(
    unsafe_code,
    reason = "fork, signal handlers, shared memory and raw descriptors have no safe interface"
)]

pub(crate) mod descriptor;
pub(crate) mod fork;
pub(crate) mod region;
pub(crate) mod robust;
pub(crate) mod signals;

//! The few `unsafe` lines of this crate. Everything here is safe to call from outside.
#![expect(unsafe_code, reason = "signal handlers and raw descriptors have no safe interface")]

pub(crate) mod signals;

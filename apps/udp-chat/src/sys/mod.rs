//! The only place where `unsafe` may be written. Everything here is safe to call from outside.
#![expect(unsafe_code, reason = "one socket option has no safe interface")]

pub(crate) mod drops;

//! The programs together: loadgen beside tcp-echo, what the two say about the same traffic, and what theory says of both.
//!
//! The programs lie beside this test's own folder, where `scripts/test` has built them.

// a helper of a test, too, fails by panicking
#![allow(clippy::unwrap_used)]

mod alike;
mod books;
mod experiments;
mod failures;
mod models;
mod programs;
mod queues;
mod two_names;

//! What tcp-echo promises, tested on the real binary, in every concurrency model.
//!
//! A property is a function of a [`variants::Variant`]; `on_every_variant!` makes one test of it for each of them, so
//! a new model gets its tests by one line in `variants.rs`. Every server is stopped by [`server::Server::stop`],
//! which checks that it leaves cleanly and leaves nothing behind.
#![expect(clippy::unwrap_used, reason = "helpers of tests: whatever fails here is a failed test")]

#[macro_use]
mod variants;
mod client;
mod custom;
mod inspect;
mod server;
mod tools;

mod accepting;
mod backlog;
mod blast;
mod cli;
mod drain;
mod exhaustion;
mod faults;
mod fidelity;
mod holder;
mod hygiene;
mod isolation;
mod limits;
mod logs;
mod many;
mod pool;
mod rude;
mod second_signal;
mod signalled;
mod statistics;
mod strangers;
mod systemd;
mod ten_thousand;
mod working;

//! Puts a load on a server: connections, client threads, phases.
//!
//! How: each client thread runs one readiness loop over its share of the connections ([`worker`], `exchange`); the main thread
//! ([`conduct`]) leads all of them through the phases. Cost: `recv` and `send` a request and a share of an
//! `epoll_wait`. Where it breaks: one thread handles some 300,000 requests a second; when it is busy all the time,
//! the report says that the client was the limit.

pub mod bystanders;
pub mod conduct;
pub mod connection;
mod exchange;
pub mod failure;
pub mod moment;
mod open_loop;
pub mod outcome;
mod overdue;
pub mod phase;
pub mod sources;
pub mod worker;

pub use conduct::run;
pub use moment::{Glance, Moment, Past};
pub use outcome::{Ending, Outcome};

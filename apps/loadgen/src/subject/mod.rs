//! The server under test: where it runs, how it is started and stopped, what it costs.
//!
//! How: a server is known by its command line and its ready line only; everything else is seen from outside, through
//! the kernel's own accounts. Cost: one look over `/proc` at each edge of a trial, nothing in between. Where it
//! breaks: without `/proc` there are no figures of cost.

pub mod become_server;
pub mod machine;
pub mod placement;
pub mod sample;
pub mod server;

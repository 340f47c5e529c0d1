//! The server under test: where it runs, how it is started and stopped, what it costs.
//!
//! How: a server is known by its command line and its ready line, or only by the port that it listens on; everything
//! else is seen from outside, through the kernel's own accounts. Cost: one look over `/proc` at each edge of a trial,
//! nothing in between. Where it breaks: without `/proc` there are no figures of cost.

pub mod become_server;
pub mod cpu;
pub mod holder;
pub mod keeper;
pub mod listening;
pub mod machine;
pub mod memory;
pub mod placement;
pub mod readiness;
pub mod server;
pub mod threads;
pub mod tree;
pub mod words;
pub mod workers;

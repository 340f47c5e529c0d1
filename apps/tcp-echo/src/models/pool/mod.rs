//! A pool: a fixed number of workers behind a bounded first-in-first-out queue of accepted connections.
//!
//! **How it works.** The acceptor puts connections into the queue; a free worker takes the oldest and serves it to its end. A worker is
//! a thread ([`threads`]) or a process ([`processes`]).
//!
//! **What it costs.** Nothing is made or ended per connection, so short connections are cheap. N workers serve N
//! connections at a time: the next one is accepted and waits, however little the others do. A pool is for short
//! connections, or it is as large as the number of connections that stay.
//!
//! **Where it breaks.** N clients that say nothing hold up everybody else until `--idle-timeout`, N that say
//! a byte now and then for as long as they like. When the queue is
//! full, `--on-full wait` stops accepting (clients wait in the kernel's backlog) and `reject` closes the connection.
//!
//! **Who does it.** Apache's worker and prefork models, Tomcat, every database's connection pool turned around.

pub mod processes;
pub mod threads;

/// What the workers are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Of {
    /// Threads of this process.
    Threads,
    /// Processes, forked at the start.
    Processes,
}

/// What happens to a connection when the queue is full.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum OnFull {
    /// It waits, and so does everybody behind it.
    Wait,
    /// It is closed.
    Reject,
}

/// What `--mode pool` can be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    /// What the workers are.
    pub of: Of,
    /// How many there are.
    pub workers: usize,
    /// How many accepted connections may wait for one.
    pub queue_capacity: usize,
    /// What happens when that many wait.
    pub on_full: OnFull,
}

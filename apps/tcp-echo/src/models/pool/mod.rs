//! A pool: a fixed number of workers behind a bounded queue of accepted connections.
//!
//! **How it works.** The acceptor puts connections into the queue; a free worker takes the oldest
//! (`--queue lifo`: the newest) and serves it to its end. A worker is
//! a thread (`threads.rs`) or a process (`processes.rs`).
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

mod processes;
mod threads;

use std::io;
use std::net::TcpListener;

use common::exit::Failure;
use common::units::plural;

use crate::about::{About, Choice, CrashEnds, Listeners, Needs, Serves};
use crate::mode_options::{ModeOptions, Of, OnFull, Order, within};
use crate::server::Server;

/// For the list of modes.
pub(crate) const ABOUT: About = About {
    name: "pool",
    runs: "N workers behind a queue of accepted connections",
    choices: &[
        Choice::number("--workers"),
        Choice::one_of("--of", &["threads", "processes"]),
        Choice::one_of("--queue", &["fifo", "lifo"]),
        Choice::number("--queue-capacity"),
        Choice::one_of("--on-full", &["wait", "reject"]),
    ],
    serves: Serves::AsManyAsWorkers,
    buffer: 16 << 10,
};

const CAPACITY_DEFAULT: u64 = 128;
const CAPACITY_MAX: usize = 65_536;

/// What `--mode pool` can be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    /// What the workers are.
    pub of: Of,
    /// How many there are.
    pub workers: usize,
    /// Which of the connections that wait is served next.
    pub queue: Order,
    /// How many accepted connections may wait for one.
    pub queue_capacity: usize,
    /// What happens when that many wait.
    pub on_full: OnFull,
}

impl Settings {
    pub(crate) fn from(options: &ModeOptions) -> Result<Self, Failure> {
        let capacity = options.queue_capacity.unwrap_or(CAPACITY_DEFAULT);
        Ok(Self {
            of: options.of.unwrap_or(Of::Threads),
            workers: options.workers()?,
            queue: options.queue.unwrap_or(Order::Fifo),
            queue_capacity: within("--queue-capacity", capacity, CAPACITY_MAX)?,
            on_full: options.on_full.unwrap_or(OnFull::Wait),
        })
    }

    pub(crate) fn needs(&self) -> Needs {
        let workers = plural(self.workers as u64, "worker");
        let lifo = if self.queue == Order::Lifo { ", lifo" } else { "" };
        match self.of {
            Of::Threads => Needs {
                buffers: self.workers,
                descriptors: 0,
                workers: self.workers,
                listeners: Listeners::One,
                crash: CrashEnds::Everything,
                label: format!("pool of {workers}{lifo}"),
            },
            Of::Processes => Needs {
                // each process has its own copy of one
                buffers: 1,
                // a channel to each worker
                descriptors: self.workers as u64,
                workers: self.workers,
                listeners: Listeners::One,
                crash: CrashEnds::ItsConnection,
                label: format!("pool of {workers} (processes){lifo}"),
            },
        }
    }
}

/// Serves until a stop is requested and the connections have drained.
pub(crate) fn serve(listener: TcpListener, server: &'static Server, settings: Settings) -> io::Result<()> {
    match settings.of {
        Of::Threads => threads::serve(listener, server, settings),
        Of::Processes => processes::serve(listener, server, settings),
    }
}

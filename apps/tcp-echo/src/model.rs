//! The models, and the one `match` over them. A model says who runs, never what is done with a byte.

use std::fmt;
use std::io;
use std::net::TcpListener;

use common::units::plural;

use crate::models::{pool, process, thread};
use crate::server::Server;

/// A concurrency model with its own settings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Model {
    /// A thread per connection.
    Thread(thread::Settings),
    /// A process per connection.
    Process(process::Spawn),
    /// A fixed number of workers behind a queue of accepted connections.
    Pool(pool::Settings),
}

impl Model {
    /// Serves until a stop is requested and the connections have drained.
    ///
    /// # Errors
    /// The server cannot start, or its listener is broken. A connection's error never comes here.
    pub fn serve(&self, listener: TcpListener, server: &'static Server) -> io::Result<()> {
        match self {
            Self::Thread(settings) => thread::serve(listener, server, *settings),
            Self::Process(spawn) => process::serve(listener, server, *spawn),
            Self::Pool(settings) if settings.of == pool::Of::Threads => {
                pool::threads::serve(listener, server, *settings)
            }
            Self::Pool(settings) => pool::processes::serve(listener, server, *settings),
        }
    }

    /// How many buffers have to be reserved, where `max_connections` may be open.
    #[must_use]
    pub fn buffers(&self, max_connections: u32) -> usize {
        match self {
            Self::Thread(_) => max_connections as usize,
            // forked children have a buffer of their own, executed ones make one
            Self::Process(_) => 0,
            Self::Pool(settings) if settings.of == pool::Of::Threads => settings.workers,
            // each process has its own copy of one
            Self::Pool(_) => 1,
        }
    }

    /// How many descriptors of its own it needs in the server's process.
    #[must_use]
    pub fn descriptors(&self) -> u64 {
        match self {
            // a channel to each worker
            Self::Pool(settings) if settings.of == pool::Of::Processes => settings.workers as u64,
            Self::Thread(_) | Self::Process(_) | Self::Pool(_) => 0,
        }
    }

    /// Its name in the ready line, as on the command line.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Thread(_) => "thread",
            Self::Process(_) => "process",
            Self::Pool(_) => "pool",
        }
    }

    /// How many workers a pool has; 0 where there is none.
    #[must_use]
    pub fn workers(&self) -> usize {
        match self {
            Self::Thread(_) | Self::Process(_) => 0,
            Self::Pool(settings) => settings.workers,
        }
    }
}

/// With what tells it from others: `thread`, `process by exec`, `pool of 2 workers`.
impl fmt::Display for Model {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Thread(_) => write!(f, "thread"),
            Self::Process(process::Spawn::Fork) => write!(f, "process"),
            Self::Process(process::Spawn::Exec) => write!(f, "process by exec"),
            Self::Pool(settings) => {
                let workers = plural(settings.workers as u64, "worker");
                write!(
                    f,
                    "pool of {workers}{}",
                    if settings.of == pool::Of::Processes { " (processes)" } else { "" }
                )
            }
        }
    }
}

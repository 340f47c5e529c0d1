//! Loops own the sockets; ready *requests* go to a pool of threads.
//!
//! **How it works.** An [event loop](super::event_loop) waits for all connections. When one is ready it is handed to a
//! thread, which reads, works, writes as far as that goes without blocking, and hands it back. So a thread is taken by
//! a request, and not by a connection as in a [pool](super::pool): idle connections cost no thread, and a handler may block.
//!
//! **What it costs.** Two hand-overs for each request: a queue and a wake-up on the way there, a mailbox and a wake-up on the
//! way back. Under load wake-ups are shared by many requests.
//!
//! **Where it breaks.** With more than `--offload` requests that block at a time; the next ones wait in the queue, and the
//! loop goes on. A request that never returns keeps a thread for ever. A memory fault ends everything.
//!
//! **Who does it.** Apache's `event` MPM, Flash's helper processes ("AMPED"), nginx's thread pools, Java's half-sync/half-async
//! servers, `spawn_blocking` in async programs.

use std::io;
use std::net::TcpListener;
use std::thread;

use common::exit::Failure;
use common::units::plural;

use super::event_loop::{self, Job};
use crate::about::{About, Choice, CrashEnds, Listeners, Needs, Serves};
use crate::loops::STACK;
use crate::mode_options::{Accept, AcceptingWorkers, ModeOptions};
use crate::queue::Queue;
use crate::server::Server;

/// For the list of modes.
pub(crate) const ABOUT: About = About {
    name: "hybrid",
    runs: "loops own sockets, ready requests go to threads",
    choices: &[Choice::number("--workers"), Choice::number("--offload")],
    serves: Serves::AsManyAsCome,
    buffer: 64 << 10,
};

/// What `--mode hybrid` can be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    /// How many loops.
    pub workers: usize,
    /// How many threads.
    pub offload: usize,
}

impl Settings {
    pub(crate) fn from(options: &ModeOptions) -> Result<Self, Failure> {
        // one loop is enough for what is left to it
        let workers = if options.workers.is_some() { options.workers()? } else { 1 };
        Ok(Self { workers, offload: options.offload()? })
    }

    fn of_loops(self) -> AcceptingWorkers {
        AcceptingWorkers { workers: self.workers, accept: Accept::Shared }
    }

    pub(crate) fn needs(&self) -> Needs {
        let loops = event_loop::needs(self.of_loops());
        let (workers, threads) = (plural(self.workers as u64, "loop"), plural(self.offload as u64, "thread"));
        Needs {
            // a loop has one, too, and never uses it
            buffers: loops.buffers + self.offload,
            descriptors: loops.descriptors,
            workers: self.workers,
            listeners: Listeners::One,
            crash: CrashEnds::Everything,
            label: format!("hybrid of {workers} and {threads}"),
        }
    }
}

/// Serves until a stop is requested and the connections have drained.
pub(crate) fn serve(
    listeners: Vec<TcpListener>,
    server: &'static Server,
    settings: Settings,
) -> io::Result<()> {
    // each connection is in it once at most
    let capacity = server.options.max_connections as usize;
    let jobs: &'static Queue<Job> = Box::leak(Box::new(Queue::new(capacity)));
    for number in 0..settings.offload {
        thread::Builder::new()
            .stack_size(STACK)
            .spawn(move || event_loop::serve_jobs(jobs, server))
            .map_err(|e| io::Error::new(e.kind(), format!("no thread {number} for requests: {e}")))?;
    }
    event_loop::serve_with(listeners, server, settings.of_loops(), Some(jobs))
}

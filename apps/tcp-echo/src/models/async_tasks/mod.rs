//! A tokio task per connection (`--mode async`).
//!
//! **How it works.** A task is written like a thread (read, write, again) and costs like an entry in a table: whenever it
//! would block, it is left where it is and another one runs. Tokio's runtime is an [event loop](super::event_loop) that
//! wakes tasks in the place of calling handlers, and spreads them over threads that steal from each other.
//!
//! **Which threads** (`--runtime`):
//! - `multi`: one runtime; a thread that has nothing to do takes tasks from another one. No connection is bound to a busy
//!   thread; moving tasks costs locks and cold caches.
//! - `current`: everything in one thread.
//! - `per-core`: a runtime of its own for each thread, each with its own listener on the same port; nothing is shared,
//!   nothing is stolen, and a connection stays where the kernel's hash has put it.
//!
//! **What it costs.** About as much as an event loop, and the runtime's bookkeeping; a task takes about a kilobyte while it is idle.
//! Two settings matter and are made here. `event_interval`: after so many tasks the runtime asks the kernel
//! for events, and with the default (61) five hundred ready connections overflow the runtime's local queue into a global one
//! that is served seldom, which makes the slowest replies ten times slower. And a task borrows a buffer of
//! its thread while it runs, so idle tasks have none.
//!
//! **Where it breaks.** A task that blocks or computes (try `--work block:5ms`) holds up every task of its thread: nothing
//! takes the thread away from it. A memory fault ends everything; a panic ends one task. And a byte that is marked urgent ends a
//! read early, which tokio takes for a sign that nothing is left: what stands behind such a byte may come back only
//! together with the client's next bytes.
//!
//! **Who does it.** Most Rust servers (hyper, axum); Go, Erlang and Java's virtual threads in their own ways.

mod accepting;
mod crowd;
mod task;

use std::future::pending;
use std::io;
use std::net::TcpListener;
use std::thread;

use common::exit::Failure;
use common::units::plural;
use tokio::net::TcpStream;
use tokio::runtime::{self, Builder, Handle};

use crate::about::{About, Choice, CrashEnds, Listeners, Needs, Serves};
use crate::accept::Acceptor;
use crate::ending;
use crate::loops::STACK;
use crate::mode_options::{ModeOptions, Runtime};
use crate::server::Server;
use accepting::accept_all;
use crowd::Crowd;
use task::serve_one;

/// For the list of modes.
pub(crate) const ABOUT: About = About {
    name: "async",
    runs: "a tokio task per connection",
    choices: &[Choice::number("--workers"), Choice::one_of("--runtime", &["multi", "current", "per-core"])],
    serves: Serves::AsManyAsCome,
    buffer: 64 << 10,
};

/// After so many polls a runtime asks the kernel for events, even if it has tasks to run. (See above.)
const EVENT_INTERVAL: u32 = 512;

/// What `--mode async` can be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    /// How many threads.
    pub workers: usize,
    /// What they share.
    pub runtime: Runtime,
}

impl Settings {
    pub(crate) fn from(options: &ModeOptions) -> Result<Self, Failure> {
        let runtime = options.runtime.unwrap_or(Runtime::Multi);
        if runtime == Runtime::Current && options.workers.is_some() {
            return Err(Failure::usage("--workers does not go with --runtime current: that is one thread"));
        }
        Ok(Self { workers: if runtime == Runtime::Current { 1 } else { options.workers()? }, runtime })
    }

    pub(crate) fn needs(&self) -> Needs {
        let workers = plural(self.workers as u64, "worker");
        let (listeners, counted, label) = match self.runtime {
            // tasks belong to no worker
            Runtime::Multi => (Listeners::One, 0, format!("async of {workers}")),
            Runtime::Current => (Listeners::One, 1, "async in one thread".to_owned()),
            Runtime::PerCore => {
                (Listeners::Reuseport(self.workers), self.workers, format!("async of {workers}, per core"))
            }
        };
        Needs {
            buffers: self.workers,
            // what a runtime has, and two copies of a listener
            descriptors: 8 * self.workers as u64,
            workers: counted,
            listeners,
            crash: CrashEnds::Everything,
            label,
        }
    }
}

/// Serves until a stop is requested and the connections have drained.
pub(crate) fn serve(
    listeners: Vec<TcpListener>,
    server: &'static Server,
    settings: Settings,
) -> io::Result<()> {
    let crowd: &'static Crowd = Box::leak(Box::new(Crowd::new(server)));
    let mut runtimes = Vec::new();
    for (number, listener) in listeners.iter().enumerate() {
        listener.set_nonblocking(true)?;
        let accepting = accept_all(number, listener.try_clone()?, crowd);
        runtimes.push(start(number, settings, accepting)?);
    }
    server.ready()?;

    ending::wait_for_stop(server);
    let mut last = Acceptor::of_the_last(&listeners, server, || crowd.drain());
    let mut next = runtimes.iter().enumerate().cycle();
    while let Some(connection) = last.next_connection()? {
        let Some((number, runtime)) = next.next() else { break };
        runtime.spawn(async move {
            let begun =
                connection.stream.set_nonblocking(true).and_then(|()| TcpStream::from_std(connection.stream));
            if let Ok(stream) = begun {
                serve_one(number, stream, connection.peer, connection.seat, crowd).await;
            }
        });
    }
    server.wait_until_drained();
    crowd.broken.get().map_or(Ok(()), |e| Err(io::Error::new(e.kind(), e.to_string())))
}

/// Starts a runtime that lives as long as the process, with this as its first task.
fn start(
    number: usize,
    settings: Settings,
    accepting: impl Future<Output = ()> + Send + 'static,
) -> io::Result<Handle> {
    let mut builder = match settings.runtime {
        Runtime::Multi => Builder::new_multi_thread(),
        Runtime::Current | Runtime::PerCore => Builder::new_current_thread(),
    };
    builder.worker_threads(settings.workers).thread_stack_size(STACK).event_interval(EVENT_INTERVAL);
    let runtime: &'static runtime::Runtime = Box::leak(Box::new(builder.enable_io().enable_time().build()?));
    runtime.spawn(accepting);
    if settings.runtime != Runtime::Multi {
        thread::Builder::new()
            .stack_size(STACK)
            .spawn(|| runtime.block_on(pending::<()>()))
            .map_err(|e| io::Error::new(e.kind(), format!("no thread for runtime {number}: {e}")))?;
    }
    Ok(runtime.handle().clone())
}

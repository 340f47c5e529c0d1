//! The models: the list of modes, and the one `match` over them. A model says who runs, never what is done with a byte.
//!
//! To add one: write its file under `models/`, with its [`About`], its settings and its `serve`, and enter it here.

use std::io;
use std::net::TcpListener;

use common::exit::Failure;

use crate::about::{About, Needs};
use crate::mode_options::{Accept, AcceptingWorkers, ModeOptions, Spawn};
use crate::models::{
    async_tasks, event_loop, hybrid, iterative, pool, prefork, prethread, process, thread, uring,
};
use crate::server::Server;

/// The name of a model on the command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Mode {
    /// One connection at a time
    Iterative,
    /// A process per connection
    Process,
    /// N processes, each accepts for itself
    Prefork,
    /// A thread per connection
    Thread,
    /// N threads, each accepts for itself
    Prethread,
    /// N workers behind a queue of accepted connections
    Pool,
    /// N loops on readiness
    EventLoop,
    /// Loops own the sockets, a thread pool serves the ready requests
    Hybrid,
    /// A tokio task per connection
    Async,
    /// N loops on completions (io_uring)
    Uring,
}

/// A concurrency model with its own settings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Model {
    /// See [`iterative`].
    Iterative,
    /// See [`process`].
    Process(Spawn),
    /// See [`prefork`].
    Prefork(AcceptingWorkers),
    /// See [`thread`].
    Thread(thread::Settings),
    /// See [`prethread`].
    Prethread(AcceptingWorkers),
    /// See [`pool`].
    Pool(pool::Settings),
    /// See [`event_loop`].
    EventLoop(AcceptingWorkers),
    /// See [`hybrid`].
    Hybrid(hybrid::Settings),
    /// See [`async_tasks`].
    Async(async_tasks::Settings),
    /// See [`uring`].
    Uring(uring::Settings),
}

impl Mode {
    /// What is to be known of it.
    #[must_use]
    pub fn about(self) -> &'static About {
        match self {
            Self::Iterative => &iterative::ABOUT,
            Self::Process => &process::ABOUT,
            Self::Prefork => &prefork::ABOUT,
            Self::Thread => &thread::ABOUT,
            Self::Prethread => &prethread::ABOUT,
            Self::Pool => &pool::ABOUT,
            Self::EventLoop => &event_loop::ABOUT,
            Self::Hybrid => &hybrid::ABOUT,
            Self::Async => &async_tasks::ABOUT,
            Self::Uring => &uring::ABOUT,
        }
    }
}

impl Model {
    /// The model of this mode with these settings, of which the mode takes all that were given.
    ///
    /// # Errors
    /// A value that cannot be.
    pub fn new(mode: Mode, options: &ModeOptions) -> Result<Self, Failure> {
        Ok(match mode {
            Mode::Iterative => Self::Iterative,
            Mode::Process => Self::Process(options.spawn.unwrap_or(Spawn::Fork)),
            Mode::Prefork => Self::Prefork(AcceptingWorkers::from(options, Accept::Open)?),
            Mode::Thread => Self::Thread(thread::Settings::from(options)?),
            Mode::Prethread => Self::Prethread(AcceptingWorkers::from(options, Accept::Open)?),
            Mode::Pool => Self::Pool(pool::Settings::from(options)?),
            Mode::EventLoop => Self::EventLoop(AcceptingWorkers::from(options, Accept::Shared)?),
            Mode::Hybrid => Self::Hybrid(hybrid::Settings::from(options)?),
            Mode::Async => Self::Async(async_tasks::Settings::from(options)?),
            Mode::Uring => Self::Uring(uring::Settings::from(options)?),
        })
    }

    /// What it needs, where `max_connections` may be open.
    #[must_use]
    pub fn needs(&self, max_connections: u32) -> Needs {
        match self {
            Self::Iterative => iterative::needs(),
            Self::Process(spawn) => process::needs(*spawn),
            Self::Prefork(workers) => prefork::needs(workers.at_most(max_connections)),
            Self::Thread(_) => thread::needs(max_connections),
            Self::Prethread(workers) => prethread::needs(workers.at_most(max_connections)),
            Self::Pool(settings) => settings.needs(),
            Self::EventLoop(workers) => event_loop::needs(*workers),
            Self::Hybrid(settings) => settings.needs(),
            Self::Async(settings) => settings.needs(),
            Self::Uring(settings) => settings.needs(),
        }
    }

    /// Serves until a stop is requested and the connections have drained. There are as many listeners as the model
    /// [needs](Needs::listeners).
    ///
    /// # Errors
    /// The server cannot start, or its listener is broken. A connection's error never comes here.
    pub fn serve(&self, listeners: Vec<TcpListener>, server: &'static Server) -> io::Result<()> {
        match self {
            Self::Iterative => iterative::serve(listeners, server),
            Self::Process(spawn) => process::serve(only(listeners)?, server, *spawn),
            Self::Prefork(settings) => prefork::serve(listeners, server, *settings),
            Self::Thread(settings) => thread::serve(only(listeners)?, server, *settings),
            Self::Prethread(settings) => prethread::serve(listeners, server, *settings),
            Self::Pool(settings) => pool::serve(only(listeners)?, server, *settings),
            Self::EventLoop(settings) => event_loop::serve(listeners, server, *settings),
            Self::Hybrid(settings) => hybrid::serve(listeners, server, *settings),
            Self::Async(settings) => async_tasks::serve(listeners, server, *settings),
            Self::Uring(settings) => uring::serve(listeners, server, *settings),
        }
    }
}

/// The listener of a model that needs one.
fn only(listeners: Vec<TcpListener>) -> io::Result<TcpListener> {
    listeners.into_iter().next().ok_or_else(|| io::Error::other("no listener"))
}

/// Calls a macro with some tokens of the caller's and then every mode and sub-option, named: the list that all promises are
/// tested on.
#[macro_export]
macro_rules! for_every_variant {
    ($callback:ident $($first:tt)*) => {
        $callback! { $($first)*
            iterative: "--mode iterative",
            process_by_fork: "--mode process",
            process_by_exec: "--mode process --spawn exec",
            prefork_open: "--mode prefork --workers 16",
            prefork_flock: "--mode prefork --accept flock --workers 16",
            prefork_mutex: "--mode prefork --accept mutex --workers 16",
            prefork_reuseport: "--mode prefork --accept reuseport --workers 16",
            thread: "--mode thread",
            thread_with_spares: "--mode thread --spare 8",
            prethread_open: "--mode prethread --workers 16",
            prethread_mutex: "--mode prethread --accept mutex --workers 16",
            prethread_reuseport: "--mode prethread --accept reuseport --workers 16",
            pool_of_threads: "--mode pool --workers 16",
            pool_of_threads_lifo: "--mode pool --queue lifo --workers 16",
            pool_of_processes: "--mode pool --of processes --workers 16",
            pool_of_processes_lifo: "--mode pool --of processes --queue lifo --workers 16",
            event_loop_shared: "--mode event-loop --workers 2",
            event_loop_exclusive: "--mode event-loop --accept exclusive --workers 2",
            event_loop_reuseport: "--mode event-loop --accept reuseport --workers 2",
            event_loop_main: "--mode event-loop --accept main --workers 2",
            hybrid: "--mode hybrid --workers 2 --offload 16",
            async_multi: "--mode async --workers 2",
            async_current: "--mode async --runtime current",
            async_per_core: "--mode async --runtime per-core --workers 2",
            uring_multishot: "--mode uring --workers 2",
            uring_oneshot: "--mode uring --recv oneshot --workers 2",
        }
    };
}

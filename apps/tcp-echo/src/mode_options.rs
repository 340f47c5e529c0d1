//! The options that only some modes take, and the values that they may have. Which mode takes what stands in the modes' own
//! [`About`](crate::about::About).

use std::fmt;

use clap::builder::RangedU64ValueParser;
use clap::{Args, ValueEnum};
use common::exit::Failure;
use common::units::{self, plural, show_count};

use crate::about::Listeners;
use crate::stats::WORKERS_MAX;

/// What only some modes take. Which mode takes what stands in the modes' own files; [`crate::check`] refuses the rest.
#[derive(Debug, Clone, Default, Args)]
pub struct ModeOptions {
    /// Workers: threads, processes or loops [default: the CPUs it may use]
    #[arg(long, value_name = "N", value_parser = units::count)]
    pub workers: Option<u64>,

    /// How workers get connections [default: the first that --list-modes names]
    #[arg(long, value_enum)]
    pub accept: Option<Accept>,

    /// How a process is made [default: fork]
    #[arg(long, value_enum)]
    pub spawn: Option<Spawn>,

    /// Stack of a thread [default: 128KiB]
    #[arg(long, value_name = "SIZE", value_parser = units::size)]
    pub stack: Option<u64>,

    /// How many free threads are kept for later connections [default: 0]
    #[arg(long, value_name = "N", value_parser = RangedU64ValueParser::<u64>::new().range(..=10_000))]
    pub spare: Option<u64>,

    /// What a pool's workers are [default: threads]
    #[arg(long, value_enum)]
    pub of: Option<Of>,

    /// Which waiting connection is served next, the oldest or the newest [default: fifo]
    #[arg(long, value_enum)]
    pub queue: Option<Order>,

    /// Accepted connections that may wait for a worker [default: 128]
    #[arg(long, value_name = "N", value_parser = units::count)]
    pub queue_capacity: Option<u64>,

    /// What happens to a connection when the queue is full [default: wait]
    #[arg(long, value_enum)]
    pub on_full: Option<OnFull>,

    /// Threads that serve the ready requests [default: twice the CPUs]
    #[arg(long, value_name = "N", value_parser = units::count)]
    pub offload: Option<u64>,

    /// Which threads run the tasks [default: multi]
    #[arg(long, value_enum)]
    pub runtime: Option<Runtime>,

    /// How data is received [default: multishot]
    #[arg(long, value_enum)]
    pub recv: Option<Recv>,
}

impl ModeOptions {
    /// The options that were given, with their values as they are written.
    #[must_use]
    pub fn given(&self) -> Vec<(&'static str, String)> {
        fn number(value: Option<u64>) -> Option<String> {
            value.map(|n| n.to_string())
        }
        fn word<T: ValueEnum>(value: Option<T>) -> Option<String> {
            value.and_then(|value| Some(value.to_possible_value()?.get_name().to_owned()))
        }
        let all = [
            ("--workers", number(self.workers)),
            ("--accept", word(self.accept)),
            ("--spawn", word(self.spawn)),
            ("--stack", number(self.stack)),
            ("--spare", number(self.spare)),
            ("--of", word(self.of)),
            ("--queue", word(self.queue)),
            ("--queue-capacity", number(self.queue_capacity)),
            ("--on-full", word(self.on_full)),
            ("--offload", number(self.offload)),
            ("--runtime", word(self.runtime)),
            ("--recv", word(self.recv)),
        ];
        all.into_iter().filter_map(|(option, value)| Some((option, value?))).collect()
    }

    /// How many workers: by default as many as there are CPUs for this process.
    ///
    /// # Errors
    /// More than there can be.
    pub fn workers(&self) -> Result<usize, Failure> {
        match self.workers {
            Some(wanted) => within("--workers", wanted, WORKERS_MAX),
            None => Ok(cpus().min(WORKERS_MAX)),
        }
    }

    /// How many threads requests are offloaded to.
    ///
    /// # Errors
    /// More than there can be.
    pub fn offload(&self) -> Result<usize, Failure> {
        match self.offload {
            Some(wanted) => within("--offload", wanted, WORKERS_MAX),
            None => Ok((2 * cpus()).min(WORKERS_MAX)),
        }
    }
}

fn cpus() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// The value of an option that must lie between 1 and `most`.
///
/// # Errors
/// It does not.
pub fn within(option: &str, value: u64, most: usize) -> Result<usize, Failure> {
    match usize::try_from(value) {
        Ok(value) if (1..=most).contains(&value) => Ok(value),
        _ => Err(Failure::usage(format!("{option} must lie between 1 and {}", show_count(most as u64)))),
    }
}

/// How the workers of a model get their connections. No mode takes all of these.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Accept {
    /// Every worker blocks in accept on the one listener; the kernel wakes the one that waited longest
    Open,
    /// As open, one at a time: who holds a file lock may accept
    Flock,
    /// As open, one at a time: who holds a mutex may accept
    Mutex,
    /// Every worker has a listener of its own on the same port; the kernel chooses by a hash of the addresses
    Reuseport,
    /// Every loop watches the one listener, and all are woken for each connection
    Shared,
    /// Every loop watches the one listener, and the kernel wakes one: the first in its list that sleeps
    Exclusive,
    /// The main thread accepts and hands connections to the loops in turn
    Main,
}

/// Workers that get their connections in one of these ways: what `prefork`, `prethread` and `event-loop` can be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AcceptingWorkers {
    /// How many workers.
    pub workers: usize,
    /// How they get their connections.
    pub accept: Accept,
}

impl AcceptingWorkers {
    /// As asked for; `usual` is the way of a mode that was told none.
    ///
    /// # Errors
    /// More workers than there can be.
    pub fn from(options: &ModeOptions, usual: Accept) -> Result<Self, Failure> {
        Ok(Self { workers: options.workers()?, accept: options.accept.unwrap_or(usual) })
    }

    /// Never more than this: one that serves a connection at a time needs no company beyond `--max-conns`.
    #[must_use]
    pub fn at_most(self, workers: u32) -> Self {
        Self { workers: self.workers.min(workers as usize), ..self }
    }

    /// The listeners that they need.
    #[must_use]
    pub fn listeners(self) -> Listeners {
        if self.accept == Accept::Reuseport { Listeners::Reuseport(self.workers) } else { Listeners::One }
    }
}

/// `2 workers` for the usual way, `2 workers, accept mutex` for another.
impl fmt::Display for AcceptingWorkers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", plural(self.workers as u64, "worker"))?;
        match self.accept.to_possible_value() {
            Some(name) if !matches!(self.accept, Accept::Open | Accept::Shared) => {
                write!(f, ", accept {}", name.get_name())
            }
            _ => Ok(()),
        }
    }
}

/// Which of those that wait is served next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Order {
    /// The one that came first
    Fifo,
    /// The one that came last: under overload, those that have waited longest have often given up
    Lifo,
}

/// How a child is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Spawn {
    /// A copy of the parent.
    Fork,
    /// This program, started anew.
    Exec,
}

/// What the workers are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Of {
    /// Threads of this process.
    Threads,
    /// Processes, forked at the start.
    Processes,
}

/// What happens to a connection when the queue is full.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum OnFull {
    /// It waits, and so does everybody behind it.
    Wait,
    /// It is closed.
    Reject,
}

/// Which threads run the tasks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Runtime {
    /// Threads that steal tasks from each other.
    Multi,
    /// One thread.
    Current,
    /// Threads that share nothing.
    PerCore,
}

/// How data is received.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Recv {
    /// Ordered once a connection, it completes again and again.
    Multishot,
    /// Ordered for each message.
    Oneshot,
}

//! The command line.

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::builder::RangedU64ValueParser;
use clap::{ArgAction, Args, Parser, ValueEnum};
use clap_complete::Shell;
use common::exit::Failure;
use common::units::{self, plural, show_count};

use crate::model::Mode;
use crate::models::async_tasks::Runtime;
use crate::models::pool::{Of, OnFull};
use crate::models::process::Spawn;
use crate::models::uring::Recv;
use crate::options::BUFFER_MAX;
use crate::stats::WORKERS_MAX;
use crate::work::Work;

const EXAMPLES: &str = "\
Examples:
  tcp-echo                                     a thread per connection, on 127.0.0.1:12000
  tcp-echo --list-modes                        every mode, with its options
  tcp-echo --mode process --port 0 -v          a process per connection, on a free port, connections logged
  tcp-echo --mode pool --workers 8             eight threads behind a queue
  tcp-echo --mode event-loop --work block:5ms  what a blocking call does to an event loop
  tcp-echo --stats - --drain-timeout 5s        Ctrl-C drains; then the statistics as JSON on stdout
Try it:  nc 127.0.0.1 12000        Measure it:  loadgen run 127.0.0.1:12000

What a handler can do to the others:
  a panic          ends its own connection, in every mode
  a memory fault   ends its own connection where handlers are processes (process, prefork, pool --of processes),
                   and the whole server in every other mode
  a hang           holds up nobody else with process and thread; keeps a worker for ever with iterative, prefork,
                   prethread, pool and hybrid; holds up every connection of its loop with event-loop, async and uring

Signals:
  SIGTERM, SIGINT  drain: nothing new is accepted, idle connections end, the rest may go on for --drain-timeout
  a second one     end at once
  SIGUSR1          show the statistics on stderr

Under systemd: readiness is announced (Type=notify), and a listener that is passed (a .socket unit) is used.

Exit codes:
  0  stopped, every connection ended by itself        3  stopped, but connections were cut
  1  failed (the port is taken, for example)          128 + signal  ended by a second signal
  2  wrong usage";

/// An echo server: every connection gets back what it sends. The concurrency model is a choice, so that models can
/// be compared; everything else stays the same.
#[derive(Debug, Parser)]
#[command(name = "tcp-echo", version, after_help = EXAMPLES, max_term_width = 110)]
pub struct Arguments {
    /// Who serves a connection
    #[arg(long, value_enum, default_value_t = Mode::Thread)]
    pub mode: Mode,

    /// Address to listen on; only this machine can reach the default
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1")]
    pub bind: IpAddr,

    /// Port to listen on; 0 picks a free one
    #[arg(long, short, default_value_t = 12000)]
    pub port: u16,

    /// Connections that the kernel holds ready until they are accepted
    #[arg(long, value_name = "N", default_value_t = 1024, value_parser = clap::value_parser!(u32).range(1..=65_535))]
    pub backlog: u32,

    /// Read buffer, at most 64KiB [default: 16KiB for each thread or process, 64KiB for a loop's only one]
    #[arg(long, value_name = "SIZE", value_parser = buffer)]
    pub buffer: Option<u64>,

    /// What each request costs: none, cpu:50us, wait:5ms, wait:exp(5ms), block:5ms, mixed:1%,10ms
    #[arg(long, value_name = "WORK", default_value = "none", value_parser = Work::parse)]
    pub work: Work,

    /// Connections open at a time; more wait until one leaves [default: 10000, or what the descriptors allow]
    #[arg(long, value_name = "N", value_parser = units::count)]
    pub max_conns: Option<u64>,

    /// A client that sends nothing for so long gets the end of the stream; 0: never
    #[arg(long, value_name = "TIME", default_value = "300s", value_parser = units::duration)]
    pub idle_timeout: Duration,

    /// A client that takes nothing (or a KB/s) for so long is closed; 0: never
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = units::duration)]
    pub write_timeout: Duration,

    /// After a stop signal, connections may go on for so long
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = units::duration)]
    pub drain_timeout: Duration,

    /// After a stop signal, a client that sends nothing for so long gets the end of the stream
    #[arg(long, value_name = "TIME", default_value = "1s", value_parser = units::duration)]
    pub drain_idle: Duration,

    /// Write statistics as JSON at the end; - is stdout. (SIGUSR1 shows them on stderr meanwhile)
    #[arg(long, value_name = "FILE")]
    pub stats: Option<PathBuf>,

    /// Obey a connection that begins with !panic, !abort, !segv, !exit, !hang or !leak and a newline (loopback only)
    #[arg(long)]
    pub faults: bool,

    /// Log connections; twice: every echo
    #[arg(long, short, action = ArgAction::Count)]
    pub verbose: u8,

    /// What only some modes take
    #[command(flatten, next_help_heading = "Options of some modes (--list-modes shows which)")]
    pub of_mode: ModeOptions,

    /// Print the modes with what runs, their options and what a crash ends
    #[arg(long, help_heading = None)]
    pub list_modes: bool,

    /// With --list-modes: as JSON
    #[arg(long, requires = "list_modes", help_heading = None)]
    pub json: bool,

    /// Print a completion script for this shell
    #[arg(long, value_enum, value_name = "SHELL", exclusive = true)]
    pub completions: Option<Shell>,

    /// How --spawn exec starts its children
    #[arg(long, hide = true, value_name = "PARENT:COUNTERS")]
    pub serve_stdin: Option<String>,
}

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

impl Accept {
    /// For reports: `2 workers` for the usual way, `2 workers, accept mutex` for another.
    #[must_use]
    pub fn with_workers(self, workers: usize) -> String {
        let workers = plural(workers as u64, "worker");
        match self.to_possible_value() {
            Some(name) if !matches!(self, Self::Open | Self::Shared) => {
                format!("{workers}, accept {}", name.get_name())
            }
            _ => workers,
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

fn buffer(text: &str) -> Result<u64, String> {
    match units::size(text)? {
        size if (1..=BUFFER_MAX as u64).contains(&size) => Ok(size),
        _ => Err("must lie between 1 and 64KiB".to_owned()),
    }
}

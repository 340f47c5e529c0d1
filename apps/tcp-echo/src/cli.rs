//! The command line.

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::builder::RangedU64ValueParser;
use clap::{ArgAction, Parser, ValueEnum};
use clap_complete::Shell;
use common::units;

use crate::models::pool::{Of, OnFull};
use crate::models::process::Spawn;
use crate::options::BUFFER_MAX;

const EXAMPLES: &str = "\
Examples:
  tcp-echo                                     a thread per connection, on 127.0.0.1:12000
  tcp-echo --mode process --port 0 -v          a process per connection, on a free port, connections logged
  tcp-echo --mode pool --workers 8             eight threads behind a queue
  tcp-echo --mode pool --of processes          processes instead of threads
  tcp-echo --stats - --drain-timeout 5s        Ctrl-C drains; then the statistics as JSON on stdout
Try it:  nc 127.0.0.1 12000        Measure it:  loadgen run 127.0.0.1:12000

What a crash in one handler ends:
  a panic          its own connection, in every mode
  a memory fault   its own connection with --mode process; that worker's with --mode pool --of processes;
                   the whole server with --mode thread and --mode pool --of threads

Signals:
  SIGTERM, SIGINT  drain: nothing new is accepted, idle connections end, the rest may go on for --drain-timeout
  a second one     end at once

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

    /// Read buffer of a handler, at most 64KiB
    #[arg(long, value_name = "SIZE", default_value = "16KiB", value_parser = buffer)]
    pub buffer: u64,

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

    /// Write statistics as JSON at the end; - is stdout
    #[arg(long, value_name = "FILE")]
    pub stats: Option<PathBuf>,

    /// Obey a connection that begins with !panic, !abort, !exit or !hang and a newline (loopback only)
    #[arg(long)]
    pub faults: bool,

    /// Log connections; twice: every echo
    #[arg(long, short, action = ArgAction::Count)]
    pub verbose: u8,

    /// thread: stack of a thread [default: 128KiB]
    #[arg(long, value_name = "SIZE", value_parser = units::size, help_heading = "Options of one mode")]
    pub stack: Option<u64>,

    /// thread: how many free threads are kept for later connections [default: 0]
    #[arg(long, value_name = "N", value_parser = RangedU64ValueParser::<u64>::new().range(..=10_000), help_heading = "Options of one mode")]
    pub spare: Option<u64>,

    /// process: how a child is made [default: fork]
    #[arg(long, value_enum, help_heading = "Options of one mode")]
    pub spawn: Option<Spawn>,

    /// pool: what the workers are [default: threads]
    #[arg(long, value_enum, help_heading = "Options of one mode")]
    pub of: Option<Of>,

    /// pool: how many workers; each serves one connection at a time [default: the CPUs it may use]
    #[arg(long, value_name = "N", value_parser = units::count, help_heading = "Options of one mode")]
    pub workers: Option<u64>,

    /// pool: accepted connections that may wait for a worker [default: 128]
    #[arg(long, value_name = "N", value_parser = units::count, help_heading = "Options of one mode")]
    pub queue_capacity: Option<u64>,

    /// pool: what happens to a connection when the queue is full [default: wait]
    #[arg(long, value_enum, help_heading = "Options of one mode")]
    pub on_full: Option<OnFull>,

    /// Print a completion script for this shell
    #[arg(long, value_enum, value_name = "SHELL", exclusive = true)]
    pub completions: Option<Shell>,

    /// How --spawn exec starts its children
    #[arg(long, hide = true, value_name = "PARENT:COUNTERS")]
    pub serve_stdin: Option<String>,
}

/// The name of a model on the command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Mode {
    /// A thread per connection
    Thread,
    /// A process per connection
    Process,
    /// A fixed number of workers behind a queue of connections
    Pool,
}

impl Mode {
    /// As it is written on the command line.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Thread => "thread",
            Self::Process => "process",
            Self::Pool => "pool",
        }
    }
}

fn buffer(text: &str) -> Result<u64, String> {
    match units::size(text)? {
        size if (1..=BUFFER_MAX as u64).contains(&size) => Ok(size),
        _ => Err("must lie between 1 and 64KiB".to_owned()),
    }
}

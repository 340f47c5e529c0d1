//! The command line.

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{ArgAction, Parser};
use clap_complete::Shell;
use common::units::{self};

use crate::mode_options::ModeOptions;
use crate::model::Mode;
use crate::options::BUFFER_MAX;
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

fn buffer(text: &str) -> Result<u64, String> {
    match units::size(text)? {
        size if (1..=BUFFER_MAX as u64).contains(&size) => Ok(size),
        _ => Err("must lie between 1 and 64KiB".to_owned()),
    }
}

//! The command line.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;
use common::units;

use crate::chat::Eol;
use crate::chat::allowance::{self, RateLimit};
use crate::chat::people;
use crate::history;
use crate::interfaces;
use crate::log::LogArguments;
use crate::terminal::Colour;

const EXAMPLES: &str = "\
Examples:
  udp-chat                                  a chat on port 7890; type /help in it
  udp-chat --to 192.168.1.5                 every line goes there
  udp-chat send --to 192.168.1.5 dinner?    one message, and the end
  uptime | udp-chat send --to 192.168.1.5   every line of the input
  udp-chat listen -n 1 --timeout 10s        the next message, on stdout
  udp-chat log --grep dinner                who said what about dinner
Alone? In another terminal:  nc -u 127.0.0.1 7890

Exit codes:
  0  done                        2  wrong usage
  1  failed, or not all could    4  refused: nothing listens there (send)
     be sent or saved            5  the time was over before all had come (listen)
  128 + signal  ended by a second signal";

const SEND_EXAMPLES: &str = "\
Examples:
  udp-chat send --to 192.168.1.5 dinner at eight?      one message
  tail -f /var/log/messages | udp-chat send --to [fe80::1%2]:7890 --no-history

Exit codes: 0 sent (UDP gives no receipt), 1 not all could be sent or saved, 2 wrong usage, 4 refused: nothing listens there";

const LISTEN_EXAMPLES: &str = "\
Examples:
  udp-chat listen                             until Ctrl-C
  udp-chat listen -n 1 --timeout 10s          the next message, if one comes
  udp-chat listen --json | jq -r .text        the texts alone

Exit codes: 0 done, 1 failed, or not all could be saved or shown, 2 wrong usage, 5 the time was over before all had come";

/// A chat without a server: everybody has a UDP port, and a message is a datagram of plain text. So the others need no
/// udp-chat; nc -u will do.
#[derive(Debug, Parser)]
#[command(name = "udp-chat", version, after_help = EXAMPLES, max_term_width = 110, args_conflicts_with_subcommands = false)]
pub struct Arguments {
    /// What to do, if not to chat
    #[command(subcommand)]
    pub verb: Option<Verb>,

    /// Whom to talk to from the start: IP or IP:PORT
    #[arg(long, value_name = "WHO")]
    pub to: Option<String>,

    /// For every verb.
    #[command(flatten)]
    pub shared: Shared,

    /// Print a completion script for this shell
    #[arg(long, value_enum, value_name = "SHELL")]
    pub completions: Option<Shell>,
}

/// What to do, if not to chat.
#[derive(Debug, Subcommand)]
pub enum Verb {
    /// Send one message, or each line of the input, and end
    Send(SendArguments),
    /// Print what comes, and nothing else, on stdout
    Listen(ListenArguments),
    /// Show the history
    Log(LogArguments),
}

/// Options of `send`.
#[derive(Debug, Args)]
#[command(after_help = SEND_EXAMPLES)]
pub struct SendArguments {
    /// Where to: IP or IP:PORT
    #[arg(long = "to", value_name = "IP:PORT", id = "send-to")]
    pub to: String,
    /// How long to wait for a refusal after the last message
    #[arg(long, value_name = "TIME", default_value = "200ms", value_parser = units::duration)]
    pub wait: Duration,
    /// The message; without it, each line of the input is one
    #[arg(value_name = "TEXT")]
    pub text: Vec<String>,
}

/// Options of `listen`.
#[derive(Debug, Args)]
#[command(after_help = LISTEN_EXAMPLES)]
pub struct ListenArguments {
    /// End after so many messages
    #[arg(short = 'n', long, value_name = "N", value_parser = at_least_one)]
    pub count: Option<u64>,
    /// End after so long; exit code 5 if not all (without -n: if none) had come
    #[arg(long, value_name = "TIME", value_parser = units::duration)]
    pub timeout: Option<Duration>,
    /// One JSON object a message
    #[arg(long)]
    pub json: bool,
}

/// Options of all verbs.
#[derive(Debug, Args)]
pub struct Shared {
    /// Address to listen on [default: all, IPv6 and IPv4]
    #[arg(long, value_name = "ADDRESS", global = true, value_parser = bind)]
    pub bind: Option<SocketAddr>,

    /// Port to listen on, 0 picks a free one [default: 7890; send: 0]
    #[arg(long, short, global = true)]
    pub port: Option<u16>,

    /// File of the history [default: ./chat.txt]
    #[arg(long, value_name = "PATH", global = true, conflicts_with = "no_history")]
    pub history: Option<PathBuf>,

    /// Keep no history
    #[arg(long, global = true)]
    pub no_history: bool,

    /// Records with their time, or as the original program wrote them
    #[arg(long, value_enum, value_name = "FORMAT", default_value_t = LogFormat::Timed, global = true)]
    pub log_format: LogFormat,

    /// When records reach the disk, for the case of a power cut: always, off, or at the latest after a time
    #[arg(long, value_name = "WHEN", default_value = "1s", global = true)]
    pub sync: history::Sync,

    /// Records that may wait for the disk; more are counted, not kept
    #[arg(long, value_name = "N", default_value = "1024", value_parser = queue_capacity, global = true)]
    pub queue_capacity: usize,

    /// Whether a message ends with a newline; auto: as the peer does
    #[arg(long, value_enum, default_value_t = Eol::Auto, global = true)]
    pub eol: Eol,

    /// Longer messages are sent in pieces of so many bytes, cut between characters
    #[arg(long, value_name = "BYTES", default_value_t = 1024, value_parser = clap::value_parser!(u32).range(16..=65_507), global = true)]
    pub max_datagram: u32,

    /// What an address may send, as N/s or N/s,burst M, or off; what is over it is counted, not shown
    #[arg(long, value_name = "LIMIT", default_value = "200/s,burst 1000", global = true, value_parser = rate_limit)]
    pub rate_limit: Limit,

    /// Colours; NO_COLOR is obeyed
    #[arg(long, value_enum, value_name = "WHEN", default_value_t = Colour::Auto, global = true)]
    pub color: Colour,
}

/// `None`: no limit.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Limit(pub Option<RateLimit>);

/// The form of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// 2026-11-20T21:45:03.123Z >>>('192.168.1.5', 7890):hi
    Timed,
    /// >>>('192.168.1.5', 7890):hi
    Classic,
}

fn bind(text: &str) -> Result<SocketAddr, String> {
    match people::address(text, interfaces::number) {
        Some((ip, None)) => Ok(ip),
        _ => Err(
            "it is an address of this machine, for example 192.168.1.5, ::1 or fe80::1%eth0; --port is apart"
                .into(),
        ),
    }
}

fn at_least_one(text: &str) -> Result<u64, String> {
    match units::count(text)? {
        0 => Err("it is a number from 1 on".into()),
        count => Ok(count),
    }
}

fn rate_limit(text: &str) -> Result<Limit, String> {
    allowance::parse(text).map(Limit)
}

fn queue_capacity(text: &str) -> Result<usize, String> {
    match units::count(text).map(usize::try_from)? {
        Ok(capacity @ 1..=10_000_000) => Ok(capacity),
        _ => Err("it is a number from 1 to 10,000,000".into()),
    }
}

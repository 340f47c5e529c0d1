//! `udp-chat`: parse → chat, send, listen or log.

use std::io;
use std::process::ExitCode;

use clap::{CommandFactory, Parser};
use common::exit::DONE;
use udp_chat::options::Arguments;
use udp_chat::start;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    if let Some(shell) = arguments.completions {
        clap_complete::generate(shell, &mut Arguments::command(), "udp-chat", &mut io::stdout());
        return ExitCode::from(DONE);
    }
    start::start(arguments).unwrap_or_else(|failure| failure.report())
}

//! `udp-chat`: parse → chat, send, listen or log.

use std::process::ExitCode;

use clap::{CommandFactory, Parser};
use common::exit::{self, DONE};
use udp_chat::options::Arguments;
use udp_chat::start;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    if let Some(shell) = arguments.completions {
        // (made in memory: what makes it panics when it meets a closed pipe)
        let mut script = Vec::new();
        clap_complete::generate(shell, &mut Arguments::command(), "udp-chat", &mut script);
        return exit::print(&script).map_or_else(|failure| failure.report(), |_| ExitCode::from(DONE));
    }
    start::start(arguments).unwrap_or_else(|failure| failure.report())
}

//! `tcp-echo`: parse → listen → announce → serve → report.

use std::io;
use std::process::{ExitCode, id};

use clap::{CommandFactory, Parser};
use common::exit::{DONE, Failure};
use common::ready::Ready;
use common::{limits, signals};
use tcp_echo::cli::Arguments;
use tcp_echo::models::process;
use tcp_echo::server::Server;
use tcp_echo::stats::Counters;
use tcp_echo::{check, ending, listener};

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    if let Some(shell) = arguments.completions {
        clap_complete::generate(shell, &mut Arguments::command(), "tcp-echo", &mut io::stdout());
        return ExitCode::from(DONE);
    }
    run(&arguments).unwrap_or_else(|failure| failure.report())
}

fn run(arguments: &Arguments) -> Result<ExitCode, Failure> {
    let descriptors =
        limits::raise_descriptor_limit().map_err(|e| Failure::failed(format!("descriptor limit: {e}")))?;
    let (model, options) = check::check(arguments, descriptors)?;
    if let Some(inherited) = &arguments.serve_stdin {
        return process::serve_stdin(inherited, options).map(ExitCode::from).map_err(Failure::failed);
    }
    let listener = listener::open(&options)?;
    // only now: a server that cannot start leaves the statistics of the one that runs alone
    let statistics = ending::open_statistics(&options)?;
    let address = listener.local_addr().map_err(Failure::failed)?;
    signals::install().map_err(Failure::failed)?;
    let buffers = model.buffers(options.max_connections);
    let server = Counters::create()
        .and_then(|shared| Server::start(options, buffers, shared))
        .map_err(Failure::failed)?;
    server.log.tell_panics();

    Ready { address, about: format!("mode {}", model.name()), pid: id() }.announce(io::stdout()).map_err(
        |e| {
            Failure::failed(format!(
                "cannot print the ready line on stdout: {e}; >/dev/null if nobody reads it"
            ))
        },
    )?;
    model.serve(listener, server).map_err(Failure::failed)?;
    ending::report(&model, server, statistics)
}

//! `tcp-echo`: parse → listen → announce → serve → report.

use std::process::{ExitCode, id};

use clap::{CommandFactory, Parser};
use common::exit::{self, DONE, Failure};
use common::ready::Ready;
use common::{limits, signals};
use tcp_echo::cli::Arguments;
use tcp_echo::listener::{self, Opened};
use tcp_echo::models::process;
use tcp_echo::server::{Announcement, Server};
use tcp_echo::stats::Counters;
use tcp_echo::{check, ending, modes};

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    if let Some(shell) = arguments.completions {
        // (made in memory: what makes it panics when it meets a closed pipe)
        let mut script = Vec::new();
        clap_complete::generate(shell, &mut Arguments::command(), "tcp-echo", &mut script);
        return exit::print(&script).map_or_else(|failure| failure.report(), |_| ExitCode::from(DONE));
    }
    run(&arguments).unwrap_or_else(|failure| failure.report())
}

fn run(arguments: &Arguments) -> Result<ExitCode, Failure> {
    if arguments.list_modes {
        return modes::list(arguments.json).map(|()| ExitCode::from(DONE)).map_err(Failure::failed);
    }
    let descriptors =
        limits::raise_descriptor_limit().map_err(|e| Failure::failed(format!("descriptor limit: {e}")))?;
    let (model, options) = check::check(arguments, descriptors)?;
    if let Some(inherited) = &arguments.serve_stdin {
        return process::serve_stdin(inherited, options).map(ExitCode::from).map_err(Failure::failed);
    }
    let needs = model.needs(options.max_connections);
    let Opened { listeners, passed } = listener::open(&options, needs.listeners)?;
    // only now: a server that cannot start leaves the statistics of the one that runs alone
    let statistics = ending::open_statistics(&options)?;
    let address = listeners[0].local_addr().map_err(Failure::failed)?;
    signals::install().and_then(|()| signals::install_report_request()).map_err(Failure::failed)?;
    let server = Counters::create()
        .and_then(|shared| Server::start(options, needs.buffers, shared))
        .map_err(Failure::failed)?;
    server.log.tell_panics();
    let ready = Ready { address, about: format!("mode {}", arguments.mode.about().name), pid: id() };
    server.will_announce(Announcement { ready, label: needs.label, workers: needs.workers });
    if passed {
        server.will_give_back(listeners[0].try_clone().map_err(Failure::failed)?);
    }
    model.serve(listeners, server).map_err(Failure::failed)?;
    server.give_back_listener();
    ending::report(server, statistics)
}

//! `lab`: was it spawned by one of its own examples? → parse → list, show, run or tour.

use std::process::ExitCode;

use clap::Parser;
use common::process;
use lab::cli::{self, Arguments, Verb};
use lab::{entries, lessons, list, run, show, tour};

fn main() -> ExitCode {
    if let Some(code) = process::spawned(entries::ENTRIES) {
        return ExitCode::from(u8::try_from(code).unwrap_or(1));
    }
    let arguments = Arguments::parse();
    if let Some(shell) = arguments.completions {
        return cli::completions(shell).unwrap_or_else(|failure| failure.report());
    }
    let done = match arguments.verb {
        Some(Verb::List { json }) => list::list(json),
        Some(Verb::Show { lesson }) => show::show(&lesson),
        Some(Verb::Run(options)) => run::run(&options),
        Some(Verb::Tour(options)) => tour::tour(&options),
        Some(Verb::Other(words)) => Err(lessons::no_command(&words)),
        None => list::list(false),
    };
    done.unwrap_or_else(|failure| failure.report())
}

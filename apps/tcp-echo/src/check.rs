//! From the command line to a model and plain options, checked once.

use std::net::SocketAddr;
use std::time::Duration;

use clap::ValueEnum;
use common::exit::Failure;
use common::units::show_count;

use crate::cli::Arguments;
use crate::model::{Mode, Model};
use crate::options::Options;

/// Descriptors kept free for all that is not a connection.
const DESCRIPTORS_SPARED: u64 = 64;
/// The default of `--max-conns`, where the limit on descriptors allows it.
const CONNECTIONS_DEFAULT: u64 = 10_000;
/// Checks the arguments; `descriptors` is the limit on open descriptors.
///
/// # Errors
/// Says what does not fit, and what would.
pub fn check(arguments: &Arguments, descriptors: u64) -> Result<(Model, Options), Failure> {
    if arguments.faults && !arguments.bind.is_loopback() {
        return Err(Failure::usage(format!(
            "--faults lets every client crash a handler, so it needs a loopback address, not {}: leave out --bind",
            arguments.bind
        )));
    }
    let model = model(arguments)?;
    let room = descriptors.saturating_sub(DESCRIPTORS_SPARED + model.needs(u32::MAX).descriptors);
    let optional = |limit: Duration| (!limit.is_zero()).then_some(limit);
    let options = Options {
        address: SocketAddr::new(arguments.bind, arguments.port),
        backlog: arguments.backlog,
        buffer: arguments.buffer.unwrap_or(arguments.mode.about().buffer) as usize,
        max_connections: max_connections(arguments.max_conns, room)?,
        idle_timeout: optional(arguments.idle_timeout),
        write_timeout: optional(arguments.write_timeout),
        drain_timeout: arguments.drain_timeout,
        drain_idle: arguments.drain_idle,
        stats: arguments.stats.clone(),
        work: arguments.work,
        faults: arguments.faults,
        verbosity: arguments.verbose.min(2),
    };
    Ok((model, options))
}

/// `room` is how many descriptors are left for connections.
fn max_connections(wanted: Option<u64>, room: u64) -> Result<u32, Failure> {
    if room == 0 {
        return Err(Failure::usage(
            "the limit on open descriptors leaves no room for a connection: raise it with `ulimit -n`, or ask for fewer workers",
        ));
    }
    let chosen = wanted.unwrap_or_else(|| room.min(CONNECTIONS_DEFAULT));
    if chosen == 0 || chosen > room {
        let (chosen, room) = (show_count(chosen), show_count(room));
        return Err(Failure::usage(format!(
            "--max-conns {chosen} does not fit: the limit on open descriptors leaves room for 1 to {room}; \
             choose fewer, or raise it with `ulimit -n`"
        )));
    }
    u32::try_from(chosen).map_err(|_| Failure::usage("--max-conns is too large"))
}

/// The model with its settings; an option or a value that it does not take is refused rather than ignored.
fn model(arguments: &Arguments) -> Result<Model, Failure> {
    let about = arguments.mode.about();
    for (option, value) in arguments.of_mode.given() {
        let Some(choice) = about.choices.iter().find(|choice| choice.option == option) else {
            return Err(Failure::usage(format!(
                "{option} does not go with --mode {}, which takes {}; it belongs to {}",
                about.name,
                join(about.choices.iter().map(ToString::to_string), "no options of its own"),
                join(owners(option), "no mode"),
            )));
        };
        if !choice.values.is_empty() && !choice.values.contains(&value.as_str()) {
            return Err(Failure::usage(format!(
                "{option} {value} does not go with --mode {}: it takes {choice}",
                about.name
            )));
        }
    }
    Model::new(arguments.mode, &arguments.of_mode)
}

/// The modes that take this option.
fn owners(option: &str) -> impl Iterator<Item = String> {
    let takes = move |mode: &&Mode| mode.about().choices.iter().any(|choice| choice.option == option);
    Mode::value_variants().iter().filter(takes).map(|mode| format!("--mode {}", mode.about().name))
}

fn join(words: impl Iterator<Item = String>, none: &str) -> String {
    let words: Vec<String> = words.collect();
    if words.is_empty() { none.to_owned() } else { words.join(", ") }
}

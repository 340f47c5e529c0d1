//! From the command line to a model and plain options, checked once.

use std::net::SocketAddr;
use std::time::Duration;

use common::exit::Failure;
use common::units::show_count;

use crate::cli::{Arguments, Mode};
use crate::model::Model;
use crate::models::pool::{self, Of, OnFull};
use crate::models::process::Spawn;
use crate::models::thread;
use crate::options::Options;
use crate::stats::WORKERS_MAX;

/// Descriptors kept free for all that is not a connection.
const DESCRIPTORS_SPARED: u64 = 64;
/// The default of `--max-conns`, where the limit on descriptors allows it.
const CONNECTIONS_DEFAULT: u64 = 10_000;
/// The smallest stack that a handler runs in.
const STACK_MIN: u64 = 16 * 1024;
const STACK_DEFAULT: u64 = 128 * 1024;
const QUEUE_CAPACITY_DEFAULT: u64 = 128;

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
    let room = descriptors.saturating_sub(DESCRIPTORS_SPARED + model.descriptors());
    let optional = |limit: Duration| (!limit.is_zero()).then_some(limit);
    let options = Options {
        address: SocketAddr::new(arguments.bind, arguments.port),
        backlog: arguments.backlog,
        buffer: arguments.buffer as usize,
        max_connections: max_connections(arguments.max_conns, room)?,
        idle_timeout: optional(arguments.idle_timeout),
        write_timeout: optional(arguments.write_timeout),
        drain_timeout: arguments.drain_timeout,
        drain_idle: arguments.drain_idle,
        stats: arguments.stats.clone(),
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

/// The model with its settings; a setting of another model is refused rather than ignored.
fn model(arguments: &Arguments) -> Result<Model, Failure> {
    let a = arguments;
    let given = [
        ("--stack", Mode::Thread, a.stack.is_some()),
        ("--spare", Mode::Thread, a.spare.is_some()),
        ("--spawn", Mode::Process, a.spawn.is_some()),
        ("--of", Mode::Pool, a.of.is_some()),
        ("--workers", Mode::Pool, a.workers.is_some()),
        ("--queue-capacity", Mode::Pool, a.queue_capacity.is_some()),
        ("--on-full", Mode::Pool, a.on_full.is_some()),
    ];
    if let Some((option, owner, _)) = given.into_iter().find(|(_, owner, given)| *given && *owner != a.mode) {
        let own: Vec<&str> =
            given.iter().filter(|(_, owner, _)| *owner == a.mode).map(|(o, ..)| *o).collect();
        return Err(Failure::usage(format!(
            "{option} does not go with --mode {}: it belongs to --mode {}; --mode {} takes {}",
            a.mode.name(),
            owner.name(),
            a.mode.name(),
            own.join(", "),
        )));
    }
    Ok(match a.mode {
        Mode::Thread => {
            let stack = a.stack.unwrap_or(STACK_DEFAULT);
            if !(STACK_MIN..=1 << 30).contains(&stack) {
                return Err(Failure::usage("--stack must lie between 16KiB and 1GiB"));
            }
            Model::Thread(thread::Settings { stack: stack as usize, spare: a.spare.unwrap_or(0) as usize })
        }
        Mode::Process => Model::Process(a.spawn.unwrap_or(Spawn::Fork)),
        Mode::Pool => Model::Pool(pool::Settings {
            of: a.of.unwrap_or(Of::Threads),
            workers: workers(a.workers)?,
            queue_capacity: within(
                "--queue-capacity",
                a.queue_capacity.unwrap_or(QUEUE_CAPACITY_DEFAULT),
                65_536,
            )?,
            on_full: a.on_full.unwrap_or(OnFull::Wait),
        }),
    })
}

/// By default as many workers as there are CPUs for this process.
fn workers(wanted: Option<u64>) -> Result<usize, Failure> {
    match wanted {
        Some(wanted) => within("--workers", wanted, WORKERS_MAX),
        None => Ok(std::thread::available_parallelism().map_or(1, usize::from).min(WORKERS_MAX)),
    }
}

fn within(option: &str, value: u64, most: usize) -> Result<usize, Failure> {
    match usize::try_from(value) {
        Ok(value) if (1..=most).contains(&value) => Ok(value),
        _ => Err(Failure::usage(format!("{option} must lie between 1 and {}", show_count(most as u64)))),
    }
}

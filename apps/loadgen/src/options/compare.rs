//! `loadgen compare`: which servers, under which loads.

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Args, ValueEnum};
use common::exit::Failure;
use common::{limits, units};

use super::{Common, modes, run, servers};
use crate::plan::{self, ComparePlan, Contender, Pin, Scenario, Stop};
use crate::scenarios::{self, Base};
use crate::subject::placement;

/// The most workers that a pool is given to serve all connections at once.
const WORKERS_MAX: usize = 1024;
/// The fewest workers of the large pool.
const WORKERS_MANY: usize = 64;

/// The modes that are compared where nothing is named.
const MODES: [&str; 3] = ["thread", "process", "pool"];

/// Start servers, tcp-echo in each concurrency model or any others, and measure them side by side
#[derive(Debug, Args)]
pub(super) struct CompareOptions {
    /// Concurrency models, as `tcp-echo --list-modes` shows them; `all` is each of them. One whose workers serve a connection
    /// at a time is measured twice: with as many workers as CPUs, and with enough for all connections
    /// [default: thread,process,pool, or none with --server]
    #[arg(long, value_name = "LIST", value_delimiter = ',')]
    modes: Vec<String>,
    /// Any other server: the name of its row, and the command that starts it in the foreground. `{port}` in it becomes
    /// the port that it is to listen on, of this machine; it is split into words as a shell does it, but no shell runs it.
    /// NAME[workers=64]=… says that it serves so many connections at a time. May be repeated
    #[arg(long = "server", value_name = "NAME=COMMAND")]
    servers: Vec<String>,
    /// The longest time that a server may take to be ready: to print a ready line, or to listen on its port
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = units::duration)]
    ready_timeout: Duration,
    /// Experiments, or `all` of them: loads, what is done to the server meanwhile, and what theory expects
    #[arg(long, visible_alias = "workloads", value_name = "LIST", value_delimiter = ',', default_value = "persistent,churn",
          value_parser = scenarios)]
    scenario: Vec<Named>,
    /// The server program [default: tcp-echo beside this program]
    #[arg(long = "tcp-echo", value_name = "PATH")]
    tcp_echo: Option<PathBuf>,
    /// How long to measure each [default: 2s, with --quick 0.7s]
    #[arg(short = 'd', long, value_name = "TIME", value_parser = units::duration)]
    duration: Option<Duration>,
    /// Load before each measuring, not counted [default: 0.5s, with --quick 0.2s]
    #[arg(short = 'w', long, value_name = "TIME", value_parser = units::duration)]
    warmup: Option<Duration>,
    /// How often each is measured, in shuffled turns [default: 5, with --quick 3]
    #[arg(short = 'x', long, value_name = "N", value_parser = units::count)]
    trials: Option<u64>,
    /// In a quarter of the time, less exact
    #[arg(long)]
    quick: bool,
    /// The server that the others are compared with [default: the first]
    #[arg(long, value_name = "NAME")]
    reference: Option<String>,
    #[command(flatten)]
    common: Common,
}

/// One experiment, or all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Named {
    One(Scenario),
    All,
}

fn scenarios(text: &str) -> Result<Named, String> {
    if text == "all" {
        return Ok(Named::All);
    }
    Scenario::from_str(text, true).map(Named::One).map_err(|_| {
        let names: Vec<&str> = Scenario::value_variants().iter().map(|scenario| scenario.name()).collect();
        format!("there is no such experiment; choose from all, {}", names.join(", "))
    })
}

impl CompareOptions {
    pub(super) fn plan(self) -> Result<ComparePlan, Failure> {
        let [duration, warmup] = if self.quick { [700, 200] } else { [2000, 500] }.map(Duration::from_millis);
        let seed = self.common.seed();
        let stop = Stop::After(self.duration.unwrap_or(duration));
        let mut bases = Vec::new();
        for connections in run::sweep(&self.common)? {
            let load = run::load(&self.common, connections, stop, self.warmup.unwrap_or(warmup), None, seed)?;
            bases.push(Base { load, quick: self.quick, room: room(), seed });
        }
        // fewer than five show only large differences, fewer than three show none
        let trials = self.trials.unwrap_or(if self.quick { 3 } else { 5 });
        let others =
            self.servers.iter().map(|text| servers::understand(text)).collect::<Result<Vec<_>, _>>()?;
        let most = bases.iter().map(|base| base.load.connections).max().unwrap_or(1);
        let mut contenders = Vec::new();
        if others.is_empty() || !self.modes.is_empty() {
            contenders = built_in(self.modes, self.tcp_echo, most)?;
        }
        contenders.extend(others);
        servers::check_names(&contenders)?;
        let ready_within = self.ready_timeout;
        let all = self.scenario.iter().flat_map(|named| match named {
            Named::One(scenario) => std::slice::from_ref(scenario),
            Named::All => Scenario::value_variants(),
        });
        let scenarios = without_repeats(&all.copied().collect::<Vec<_>>());
        let workloads = scenarios::sweep(&scenarios, &bases);
        check_reference(self.reference.as_deref(), &contenders)?;
        let manner = self.common.manner(trials, Pin::Auto, self.reference)?;
        Ok(ComparePlan { scenarios, contenders, ready_within, workloads, seed, manner })
    }
}

fn check_reference(name: Option<&str>, contenders: &[Contender]) -> Result<(), Failure> {
    let Some(name) = name.filter(|name| contenders.iter().all(|contender| contender.name != **name)) else {
        return Ok(());
    };
    let names: Vec<&str> = contenders.iter().map(|contender| contender.name.as_str()).collect();
    Err(Failure::usage(format!(
        "--reference {name}: there is no such server; choose from {}",
        names.join(", ")
    )))
}

/// tcp-echo in these modes, or in those that are usual.
fn built_in(
    mut names: Vec<String>,
    program: Option<PathBuf>,
    connections: usize,
) -> Result<Vec<Contender>, Failure> {
    let program = match program {
        Some(path) => path,
        None => beside_this_program()?,
    };
    if !program.is_file() {
        return Err(missing(&program));
    }
    if names.is_empty() {
        names.extend(MODES.map(str::to_owned));
    }
    let modes = modes::chosen(&names, &modes::offered_by(&program)?)?;
    Ok(contenders(&program, &modes, connections))
}

fn contenders(program: &Path, modes: &[modes::Mode], connections: usize) -> Vec<Contender> {
    let plain = |mode: &str| Contender {
        name: mode.to_owned(),
        program: program.to_owned(),
        arguments: ["--mode", mode, "--port", "0"].map(str::to_owned).to_vec(),
        workers: None,
        accepts: false,
        ours: true,
    };
    let with = |workers: usize, mode: &str| {
        let mut contender = plain(mode);
        contender.name = format!("{mode} ({})", units::plural(workers as u64, "worker"));
        // named outright: the server is pinned, so its own default would be the CPUs it is pinned to
        contender.arguments.extend(["--workers".to_owned(), workers.to_string()]);
        contender.workers = Some(workers);
        contender
    };
    let few = placement::allowed_cpus().len().max(1);
    let many = connections.clamp(WORKERS_MANY, WORKERS_MAX);
    let contenders = |mode: &modes::Mode| match mode.serves.as_str() {
        "as-many-as-workers" if few == many => vec![with(many, &mode.name)],
        "as-many-as-workers" => vec![with(few, &mode.name), with(many, &mode.name)],
        "one" => vec![Contender { workers: Some(1), ..plain(&mode.name) }],
        _ => vec![plain(&mode.name)],
    };
    let ways = |mode: &modes::Mode| -> Vec<Contender> {
        let of_way = |way: &String| {
            let mut contender = plain(&mode.name);
            contender.name = format!("{} --accept {way}", mode.name);
            contender.arguments.extend(["--accept".to_owned(), way.clone()]);
            contender.accepts = true;
            contender
        };
        mode.ways_to_accept().iter().map(of_way).collect()
    };
    modes.iter().flat_map(contenders).chain(modes.iter().flat_map(ways)).collect()
}

/// Connections that a process may have here; where the limit cannot be raised, that is told later.
fn room() -> usize {
    let limit = limits::raise_descriptor_limit().unwrap_or(1024);
    usize::try_from(limit.saturating_sub(plan::SPARE_DESCRIPTORS)).unwrap_or(usize::MAX)
}

fn without_repeats<T: PartialEq + Copy>(list: &[T]) -> Vec<T> {
    list.iter().enumerate().filter(|(at, item)| !list[..*at].contains(item)).map(|(_, item)| *item).collect()
}

fn beside_this_program() -> Result<PathBuf, Failure> {
    let own = std::env::current_exe()
        .map_err(|e| Failure::failed(format!("cannot find my own program file: {e}")))?;
    Ok(own.with_file_name("tcp-echo"))
}

fn missing(server: &Path) -> Failure {
    Failure::failed(format!(
        "there is no server program {}: build it (cargo build --release) or name it with --tcp-echo PATH, or compare others with --server",
        server.display()
    ))
}

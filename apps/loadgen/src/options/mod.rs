//! The command line: parsed once into a [`crate::plan`], with help for fingers that learned another tool.

mod bystanders;
mod compare;
mod connecting;
mod costs;
mod find_max;
mod fingers;
mod gates;
mod message;
mod modes;
mod output;
mod pin;
mod rate;
mod report;
mod run;
mod selftest;
mod servers;
mod slo;

use std::time::{SystemTime, UNIX_EPOCH};

use clap::{Args, CommandFactory, Parser, Subcommand};
use clap_complete::Shell;
use common::exit::Failure;
use common::units;

use crate::plan::{ComparePlan, FindMaxPlan, Manner, Pin, ReportPlan, RunPlan, SelftestPlan};

/// What the user asked for.
#[derive(Debug)]
pub enum Asked {
    /// `loadgen run`.
    Run(Box<RunPlan>),
    /// `loadgen compare`.
    Compare(ComparePlan),
    /// `loadgen find-max`.
    FindMax(FindMaxPlan),
    /// `loadgen selftest`.
    Selftest(SelftestPlan),
    /// `loadgen report`.
    Report(ReportPlan),
    /// The completion script, the schema, `--help` or `--version`: print it and be done.
    Print(String),
    /// Become the server of a comparison (hidden: `compare` starts its servers through this).
    Become(crate::subject::become_server::Order),
    /// Keep a server that is not ours (hidden, likewise).
    Keep(crate::subject::become_server::Order),
}

/// Understands the command line.
///
/// # Errors
/// A usage failure: one line that says what is wrong and what would be right.
pub fn parse(arguments: impl Iterator<Item = std::ffi::OsString>) -> Result<Asked, Failure> {
    let mut arguments: Vec<_> = arguments.collect();
    if names_only_a_target(&arguments) {
        arguments.insert(1, "run".into());
    }
    let cli = match Cli::try_parse_from(&arguments) {
        Ok(cli) => cli,
        Err(e) if !e.use_stderr() => return Ok(Asked::Print(e.to_string())),
        Err(e) => return Err(fingers::explain(&e, &arguments)),
    };
    if let Some(shell) = cli.completions {
        let mut script = Vec::new();
        clap_complete::generate(shell, &mut Cli::command(), "loadgen", &mut script);
        return Ok(Asked::Print(String::from_utf8_lossy(&script).into_owned()));
    }
    if cli.schema {
        return Ok(Asked::Print(crate::report::schema::TEXT.to_owned()));
    }
    match cli.command {
        Some(Command::Run(options)) => options.plan().map(|plan| Asked::Run(Box::new(plan))),
        Some(Command::Compare(options)) => options.plan().map(Asked::Compare),
        Some(Command::FindMax(options)) => options.plan().map(Asked::FindMax),
        Some(Command::Selftest(options)) => options.plan().map(Asked::Selftest),
        Some(Command::Report(options)) => options.plan().map(Asked::Report),
        Some(Command::Become(order)) => Ok(Asked::Become(order)),
        Some(Command::Keep(order)) => Ok(Asked::Keep(order)),
        None => Err(Failure::usage(
            "no command was given: write `loadgen run HOST:PORT` or `loadgen compare`, or see `loadgen --help`",
        )),
    }
}

/// `loadgen 127.0.0.1:6379 -c 10` is `loadgen run …`.
fn names_only_a_target(arguments: &[std::ffi::OsString]) -> bool {
    let texts: Vec<&str> = arguments.iter().skip(1).filter_map(|argument| argument.to_str()).collect();
    let is_verb = |text: &str| Cli::command().get_subcommands().any(|verb| verb.get_name() == text);
    let is_target = |text: &str| {
        let port = text.rsplit_once(':').and_then(|(_, port)| port.parse::<u16>().ok());
        !text.starts_with('-') && port.is_some()
    };
    texts.iter().any(|text| is_target(text)) && !texts.iter().any(|text| is_verb(text) || *text == "help")
}

/// Puts a load on any TCP server that answers requests, checks what comes back, and compares concurrency models honestly.
#[derive(Debug, Parser)]
#[command(name = "loadgen", version, max_term_width = 100, after_help = EXAMPLES)]
#[command(
    override_usage = "loadgen HOST:PORT [OPTIONS]\n       loadgen run|compare|find-max|selftest|report [OPTIONS]"
)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    /// Print a completion script for this shell and exit
    #[arg(long, value_name = "SHELL")]
    completions: Option<Shell>,
    /// Print the JSON Schema of the reports and of the lines of .ndjson, and exit
    #[arg(long)]
    schema: bool,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Put a load on a server that is running already; what is meant where only HOST:PORT is given
    #[command(after_help = EXAMPLES)]
    Run(run::RunOptions),
    /// Start servers, tcp-echo in each concurrency model or any others, and measure them side by side
    #[command(after_help = EXAMPLES)]
    Compare(compare::CompareOptions),
    /// Find the highest rate at which a server keeps its promises (--slo)
    #[command(after_help = EXAMPLES)]
    FindMax(find_max::FindMaxOptions),
    /// Measure this program itself: its ceiling, its lateness, and whether its clock is right
    Selftest(selftest::SelftestOptions),
    /// Show saved reports again: as text, or with -o as a page, a document or a table
    #[command(after_help = EXAMPLES)]
    Report(report::ReportOptions),
    #[command(hide = true)]
    Become(crate::subject::become_server::Order),
    #[command(hide = true)]
    Keep(crate::subject::become_server::Order),
}

/// What both commands take.
#[derive(Debug, Args)]
struct Common {
    /// Connections in total, over all client threads; a list, 1,10,100, is measured number by number
    #[arg(short = 'c', long, value_name = "N", default_value = "50", value_delimiter = ',', value_parser = units::count)]
    connections: Vec<u64>,
    /// Client threads
    #[arg(short = 't', long, value_name = "N", default_value = "1", value_parser = fingers::threads)]
    threads: u64,
    /// Bytes of a message: 64, 1KiB, ...
    #[arg(short = 's', long, value_name = "BYTES", default_value = "64", value_parser = units::size)]
    size: u64,
    /// Requests under way at a time on each connection
    #[arg(short = 'P', long, value_name = "N", default_value = "1", value_parser = units::count)]
    pipeline: u64,
    #[command(flatten)]
    rate: rate::RateOptions,
    #[command(flatten)]
    connecting: connecting::ConnectOptions,
    #[command(flatten)]
    bystanders: bystanders::BystanderOptions,
    /// Seed of everything random: the order of the trials, arrivals [default: the time]
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// The length of the intervals that are shown while it lasts
    #[arg(short = 'i', long, value_name = "TIME", default_value = "1s", value_parser = units::duration)]
    interval: std::time::Duration,
    /// Longest time that a connect or a reply may take
    #[arg(short = 'T', long, value_name = "TIME", default_value = "5s", value_parser = units::duration)]
    timeout: std::time::Duration,
    /// Who runs where: auto, the server on the first half of the CPUs and the client on the other half; same, both on
    /// the first CPU; none, wherever the kernel puts them; or named outright, as client=1,server=0 or server=0-1,client=2,3.
    /// `run` cannot place its server and puts only the client there [default: auto]
    #[arg(long, value_name = "HOW", value_parser = pin::parse)]
    pin: Option<Pin>,
    /// Also write to a file; its extension decides what: the report as .html, .json, .csv or .md, or as .ndjson each interval
    /// and trial in a line of its own while it lasts; may be repeated
    #[arg(short = 'o', long = "output", value_name = "FILE")]
    outputs: Vec<std::path::PathBuf>,
    #[command(flatten)]
    print: output::PrintOptions,
    /// Show nothing while it lasts
    #[arg(long)]
    quiet: bool,
    // last: their headings hold for all that follows
    #[command(flatten)]
    message: message::MessageOptions,
    #[command(flatten)]
    gates: gates::GateOptions,
}

impl Common {
    fn seed(&self) -> u64 {
        let from_time =
            || SystemTime::now().duration_since(UNIX_EPOCH).map_or(1, |t| u64::from(t.subsec_nanos()) + 1);
        self.seed.unwrap_or_else(from_time)
    }

    fn manner(self, trials: u64, pin: Pin, reference: Option<String>) -> Result<Manner, Failure> {
        let outputs = self.outputs.iter().map(|path| output::understand(path)).collect::<Result<_, _>>()?;
        let trials =
            u32::try_from(trials).ok().filter(|trials| (1..=1000).contains(trials)).ok_or_else(|| {
                Failure::usage(format!("-x {trials}: a measurement is repeated 1 to 1000 times"))
            })?;
        let pin = self.pin.unwrap_or(pin);
        pin::check(&pin)?;
        let gates = self.gates.gates(u64::from(trials), reference)?;
        Ok(Manner { trials, pin, outputs, printed: self.print.understand(), quiet: self.quiet, gates })
    }
}

const EXAMPLES: &str = r"Examples:
  loadgen 127.0.0.1:6379 --protocol redis-ping       your Redis: 50 connections, 5 seconds
  loadgen 127.0.0.1:12000                            any echo server; -c 1,10,100 makes a table
  loadgen 127.0.0.1:12000 -P 16 -s 1KiB              16 requests of 1 KiB under way on each
  loadgen 127.0.0.1:12000 --reconnect 1              a new connection for every request
  loadgen 127.0.0.1:12000 -R 20k --arrivals poisson  latency at 20,000 requests/s
  loadgen 127.0.0.1:12000 --idle 5k --slow 64        beside others that sleep or hold it up
  loadgen 127.0.0.1:12000 --slo 'p99<5ms,errors<0.1%'   exit code 3 if that is not kept
  loadgen find-max 127.0.0.1:12000 --slo 'p99<5ms'   the highest rate at which it is kept
  loadgen 127.0.0.1:12000 -o now.json -o now.html    kept, and as a page with charts
  loadgen compare                                    tcp-echo: thread, process and pool
  loadgen compare --server mine='./server -p {port}' --server other='python3 other.py {port}'
  loadgen compare --scenario crash,c10k --modes all  what theory expects, and what is measured
  loadgen 127.0.0.1:9000 -e -m 'ASK {sequence}\n' --expect line --reply OK
  loadgen 127.0.0.1:80 -e -m 'GET / HTTP/1.0\r\n\r\n' --expect close --reply 're:^HTTP/1.. 200'

Without -R the load is a closed loop: a connection sends its next request when it has its reply.
That measures throughput, and service times. With -R requests are due at fixed times, whatever
the server does: that measures latency.

Exit codes: 0 done · 1 failed (errors, wrong replies, no server) · 2 usage
3 a promise broken (--slo) or a regression (--fail-on-regression)
4 not a valid measurement (--strict) · 130 interrupted, the report is partial";

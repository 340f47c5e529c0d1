//! `loadgen compare`: servers, experiments, and what is done to a server meanwhile.

use std::path::PathBuf;
use std::time::Duration;

use super::{Load, Manner};

/// `loadgen compare`: servers that are started for it.
#[derive(Debug, Clone, PartialEq)]
pub struct ComparePlan {
    /// Which experiments, in this order.
    pub scenarios: Vec<Scenario>,
    /// What is compared.
    pub contenders: Vec<Contender>,
    /// The longest wait until a server is ready.
    pub ready_within: Duration,
    /// Under which loads, each with its name.
    pub workloads: Vec<Workload>,
    /// Seed of the shuffling.
    pub seed: u64,
    /// The rest.
    pub manner: Manner,
}

/// One row of a comparison.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contender {
    /// The name in the report.
    pub name: String,
    /// The program that is started.
    pub program: PathBuf,
    /// The arguments that it is started with; of one that is not ours, `{port}` in them stands for its port.
    pub arguments: Vec<String>,
    /// Connections that it can serve at a time, where that is limited by design.
    pub workers: Option<usize>,
    /// Whether it is tcp-echo: then it prints a ready line, and must leave in order when asked to.
    pub ours: bool,
    /// A way of accepting: it takes part only in the loads that are about these.
    pub accepts: bool,
}

/// One table of a comparison.
#[derive(Debug, Clone, PartialEq)]
pub struct Workload {
    /// The name in the report.
    pub name: String,
    /// The experiment that it belongs to.
    pub scenario: Scenario,
    /// The load.
    pub load: Load,
    /// Further arguments of our own servers; others do not understand them.
    pub server: Vec<String>,
    /// Whether it says nothing of a server that does not get these arguments.
    pub ours_only: bool,
    /// What is done to the server meanwhile.
    pub act: Act,
    /// Whether it is about ways of accepting: then each of them is a row.
    pub accepts: bool,
}

/// An experiment of a comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Scenario {
    /// Connections are kept
    Persistent,
    /// A new connection for every request
    Churn,
    /// Stevens' table: CPU above that of the iterative server
    Stevens,
    /// Thousands of idle connections: memory for each, and the time of the active ones among them
    C10k,
    /// Requests that compute
    Cpu,
    /// Requests that wait or block
    Block,
    /// Slow clients beside polite ones
    Slow,
    /// One greedy client beside polite ones
    Greedy,
    /// From half to one and a half times of what the server can do
    Overload,
    /// Crashes: who goes down with a handler, and for how long
    Crash,
    /// SIGTERM under load: what is lost
    Shutdown,
    /// How connections spread over workers, by every way of accepting
    Accept,
}

impl Scenario {
    /// As on the command line.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Persistent => "persistent",
            Self::Churn => "churn",
            Self::Stevens => "stevens",
            Self::C10k => "c10k",
            Self::Cpu => "cpu",
            Self::Block => "block",
            Self::Slow => "slow",
            Self::Greedy => "greedy",
            Self::Overload => "overload",
            Self::Crash => "crash",
            Self::Shutdown => "shutdown",
            Self::Accept => "accept",
        }
    }
}

/// What is done to a server in the middle of the measured time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Act {
    /// Nothing.
    Watch,
    /// A crash is provoked.
    Crash(Crash),
    /// It is asked to leave.
    Stop,
}

/// A crash.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Crash {
    /// A handler panics: a connection orders it.
    Panic,
    /// A handler aborts its process: a connection orders it.
    Abort,
    /// One of the server's processes is killed: a child if it has any.
    Kill,
}

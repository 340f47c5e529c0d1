//! What is to be done, as plain data: complete and valid, free of command-line types.
//!
//! Everything after the parsing of options works on these values; nothing here does anything.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::gates::Gates;
use crate::ping::Protocol;

/// Descriptors for everything that is no connection.
pub const SPARE_DESCRIPTORS: u64 = 64;

/// The load of one trial.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Load {
    /// Connections, over all client threads.
    pub connections: usize,
    /// When the measuring ends.
    pub stop: Stop,
    /// Client threads.
    pub threads: usize,
    /// Bytes of a message; where the user says what it is, of the longest.
    pub size: usize,
    /// What is sent and what must come back.
    pub protocol: Protocol,
    /// Requests under way on one connection.
    pub depth: usize,
    /// Load before the measuring, in seconds in a report.
    #[serde(with = "seconds")]
    #[cfg_attr(test, schemars(with = "f64"))]
    pub warmup: Duration,
    /// A connection is closed and replaced after this many replies; `None`: it is kept.
    pub reconnect: Option<u64>,
    /// The longest time that a connect or a reply may take.
    #[serde(with = "seconds")]
    #[cfg_attr(test, schemars(with = "f64"))]
    pub timeout: Duration,
    /// What decides when a request is sent.
    pub arrivals: Arrivals,
    /// Connections that are there as well and are not measured.
    pub bystanders: Bystanders,
    /// The time in which all connections are opened; `None`: as fast as they can be.
    #[serde(with = "maybe_seconds")]
    #[cfg_attr(test, schemars(with = "Option<f64>"))]
    pub ramp: Option<Duration>,
    /// The local addresses that connections to loopback leave from; `None`: as many as are needed.
    pub sources: Option<usize>,
    /// How often the run is looked at while it lasts.
    #[serde(with = "seconds")]
    #[cfg_attr(test, schemars(with = "f64"))]
    pub interval: Duration,
}

/// What decides when a request is sent.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Arrivals {
    /// A closed loop: the reply before it. Measures throughput.
    AfterReply,
    /// An open loop: the clock. Measures latency.
    AtRate(Rate),
    /// An open loop at a share of what the server did in a closed loop before: known when that has been measured.
    OfKnee {
        /// 1 = as much as it did.
        share: f64,
        /// How the requests are spaced.
        spacing: Spacing,
        /// What the random numbers are made from.
        seed: u64,
    },
}

/// Requests per second, over all connections.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Rate {
    /// At the beginning.
    pub from: f64,
    /// At the end; in between it changes evenly.
    pub to: f64,
    /// How the requests are spaced.
    pub spacing: Spacing,
    /// What the random numbers are made from: the same seed gives the same schedule.
    pub seed: u64,
}

/// How the requests of an open loop are spaced.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Spacing {
    /// Evenly.
    Uniform,
    /// At random, as those of many clients that know nothing of each other.
    Poisson,
    /// So many at once.
    Burst(u64),
}

/// Connections that are there as well and are not measured.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Bystanders {
    /// They send one request and then nothing.
    pub idle: usize,
    /// Every other one sends a byte now and then, the others send and never read.
    pub slow: usize,
    /// They send large messages, many at a time, as fast as they are taken.
    pub greedy: usize,
}

impl Bystanders {
    /// How many there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.idle + self.slow + self.greedy
    }
}

/// When the measuring ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Stop {
    /// After this time.
    After(
        #[serde(with = "seconds")]
        #[cfg_attr(test, schemars(with = "f64"))]
        Duration,
    ),
    /// After this many requests.
    Requests(u64),
}

/// Where a load is sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// As the user wrote it.
    pub name: String,
    /// What the name means.
    pub address: SocketAddr,
    /// How many connections it serves at a time.
    pub serves: Serves,
}

/// How many connections a server serves at a time: the others wait, and that is no error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Serves {
    /// As many as come.
    All,
    /// As many as this.
    AtATime(usize),
    /// Nobody has told.
    Unknown,
}

/// Who runs on which CPUs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Pin {
    /// Server on the first half of the CPUs, client on the other; no pinning on a machine with one. With `run`, where
    /// the server is wherever it was put: only the client, likewise on the other half.
    Auto,
    /// Server and client share the first CPU: least noise, no cross-CPU wake-ups. With `run`: only the client is put
    /// there, and whether the server is there as well is up to you (taskset -c 0).
    Same,
    /// The kernel decides.
    None,
    /// Each on these CPUs; an empty list: the kernel decides.
    At {
        /// Those of the server, where it is started for this.
        server: Vec<usize>,
        /// Those of the client threads.
        client: Vec<usize>,
    },
}

/// Where a report goes, beside the terminal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Output {
    /// The file.
    pub path: PathBuf,
    /// What is written into it.
    pub format: Format,
}

/// The form of a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Everything, for programs.
    Json,
    /// One line a trial, for spreadsheets.
    Csv,
    /// The table, for documents.
    Markdown,
    /// A page, for people.
    Html,
    /// Each interval and trial in a line of its own, while it lasts; for programs.
    Ndjson,
}

/// What goes to stdout.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Printed {
    /// The report for people.
    Text,
    /// What a file of this form would hold.
    As(Format),
}

/// What both commands have.
#[derive(Debug, Clone, PartialEq)]
pub struct Manner {
    /// How often each measurement is repeated.
    pub trials: u32,
    /// Who runs where.
    pub pin: Pin,
    /// Files to write.
    pub outputs: Vec<Output>,
    /// What is printed.
    pub printed: Printed,
    /// No progress on stderr.
    pub quiet: bool,
    /// What the run is held to.
    pub gates: Gates,
}

/// `loadgen run`: one server that is there already.
#[derive(Debug, Clone, PartialEq)]
pub struct RunPlan {
    /// The server, as the user wrote it.
    pub name: String,
    /// What the name means; the first that accepts a connection is taken.
    pub addresses: Vec<SocketAddr>,
    /// The loads, one after the other, each with its name.
    pub loads: Vec<(String, Load)>,
    /// Whose cost is counted.
    pub costs: Costs,
    /// The rest.
    pub manner: Manner,
}

/// Whose cost `loadgen run` counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Costs {
    /// That of the process that listens where the load is sent, if it is on this machine and can be found.
    OfWhoListens,
    /// That of these processes and all their descendants.
    OfProcesses(Vec<i32>),
    /// That of this control group.
    OfGroup(PathBuf),
    /// Nobody's.
    OfNobody,
}

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

/// `loadgen find-max`.
#[derive(Debug, Clone, PartialEq)]
pub struct FindMaxPlan {
    /// The server, one load at some rate, and what is promised.
    pub run: RunPlan,
    /// How near the search comes: 0.05 = 5 %.
    pub precision: f64,
}

/// `loadgen selftest`.
#[derive(Debug, Clone, PartialEq)]
pub struct SelftestPlan {
    /// How long each part is measured.
    pub duration: Duration,
    /// Seed of everything random.
    pub seed: u64,
    /// The rest.
    pub manner: Manner,
}

/// `loadgen report`: what was measured before, shown again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReportPlan {
    /// Reports that were saved as JSON.
    pub files: Vec<PathBuf>,
    /// Files to write.
    pub outputs: Vec<Output>,
    /// What to print: nothing, text (`Some(None)`), or what a file of that format would hold.
    pub print: Option<Option<Format>>,
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

impl Load {
    /// Total number of requests, if one was asked for.
    #[must_use]
    pub fn total(&self) -> Option<u64> {
        match self.stop {
            Stop::Requests(total) => Some(total),
            Stop::After(_) => None,
        }
    }

    /// Requests that are really under way on a connection: never more than it carries in its whole life.
    #[must_use]
    pub fn under_way(&self) -> usize {
        self.reconnect
            .map_or(self.depth, |limit| self.depth.min(usize::try_from(limit).unwrap_or(usize::MAX)))
    }

    /// Connections with those that are not measured.
    #[must_use]
    pub fn all_connections(&self) -> usize {
        self.connections + self.bystanders.count()
    }

    /// Whether requests are sent when they are due, whatever the server does.
    #[must_use]
    pub fn open_loop(&self) -> bool {
        !matches!(self.arrivals, Arrivals::AfterReply)
    }

    /// The same load for a server that did so many requests a second in a closed loop.
    #[must_use]
    pub fn at_knee(&self, knee: f64) -> Self {
        match self.arrivals {
            Arrivals::OfKnee { share, spacing, seed } => {
                let rate = (knee * share).max(1.0);
                let arrivals = Arrivals::AtRate(Rate { from: rate, to: rate, spacing, seed });
                Self { arrivals, ..self.clone() }
            }
            Arrivals::AfterReply | Arrivals::AtRate(_) => self.clone(),
        }
    }

    /// Whether connections are replaced all the time.
    #[must_use]
    pub fn churns(&self) -> bool {
        self.reconnect.is_some()
    }
}

/// Times are numbers of seconds in a report.
mod seconds {
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub(super) fn serialize<S: Serializer>(span: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_f64(span.as_secs_f64())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
        Duration::try_from_secs_f64(f64::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}

/// As [`seconds`], or `null`.
mod maybe_seconds {
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};

    pub(super) fn serialize<S: Serializer>(
        span: &Option<Duration>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        span.map(|span| span.as_secs_f64()).serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<Duration>, D::Error> {
        let seconds = Option::<f64>::deserialize(deserializer)?;
        seconds.map(Duration::try_from_secs_f64).transpose().map_err(D::Error::custom)
    }
}

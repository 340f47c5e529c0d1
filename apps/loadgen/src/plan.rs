//! What is to be done, as plain data: complete and valid, free of command-line types.
//!
//! Everything after the parsing of options works on these values; nothing here does anything.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use serde::Serialize;

/// The load of one trial.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Load {
    /// Connections, over all client threads.
    pub connections: usize,
    /// When the measuring ends.
    pub stop: Stop,
    /// Client threads.
    pub threads: usize,
    /// Bytes of a message.
    pub size: usize,
    /// Requests under way on one connection.
    pub depth: usize,
    /// Load before the measuring, in seconds in a report.
    #[serde(serialize_with = "seconds")]
    pub warmup: Duration,
    /// A connection is closed and replaced after this many replies; `None`: it is kept.
    pub reconnect: Option<u64>,
    /// The longest time that a connect or a reply may take.
    #[serde(serialize_with = "seconds")]
    pub timeout: Duration,
}

/// When the measuring ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Stop {
    /// After this time.
    #[serde(serialize_with = "seconds")]
    After(Duration),
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
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Pin {
    /// Server on the first half of the CPUs, client on the other; no pinning on a machine with one. With `run`, where
    /// the server is wherever it was put: only the client, likewise on the other half.
    Auto,
    /// Server and client share the first CPU: least noise, no cross-CPU wake-ups. With `run`: only the client is put
    /// there, and whether the server is there as well is up to you (taskset -c 0).
    Same,
    /// The kernel decides.
    None,
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
}

/// What both commands have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Manner {
    /// How often each measurement is repeated.
    pub trials: u32,
    /// Who runs where.
    pub pin: Pin,
    /// Files to write.
    pub outputs: Vec<Output>,
    /// JSON instead of text on stdout.
    pub json: bool,
    /// No progress on stderr.
    pub quiet: bool,
}

/// `loadgen run`: one server that is there already.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunPlan {
    /// The server, as the user wrote it.
    pub name: String,
    /// What the name means; the first that accepts a connection is taken.
    pub addresses: Vec<SocketAddr>,
    /// The load.
    pub load: Load,
    /// The rest.
    pub manner: Manner,
}

/// `loadgen compare`: servers that are started for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ComparePlan {
    /// The program that is started.
    pub server: PathBuf,
    /// What is compared.
    pub contenders: Vec<Contender>,
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
    /// The arguments that the server is started with.
    pub arguments: Vec<String>,
    /// Connections that it can serve at a time, where that is limited by design.
    pub workers: Option<usize>,
}

/// One table of a comparison.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Workload {
    /// The name in the report.
    pub name: &'static str,
    /// The load.
    pub load: Load,
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

    /// Whether connections are replaced all the time.
    #[must_use]
    pub fn churns(&self) -> bool {
        self.reconnect.is_some()
    }
}

fn seconds<S: serde::Serializer>(span: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64(span.as_secs_f64())
}

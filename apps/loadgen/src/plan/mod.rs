//! What is to be done, as plain data: complete and valid, free of command-line types.
//!
//! Everything after the parsing of options works on these values; nothing here does anything.

mod compare;
mod load;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

pub use self::compare::{Act, ComparePlan, Contender, Crash, Scenario, Workload};
pub use self::load::{Arrivals, Bystanders, Load, Rate, Spacing, Stop};
use crate::gates::Gates;

/// Descriptors for everything that is no connection.
pub const SPARE_DESCRIPTORS: u64 = 64;

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

//! What a model says of itself: before it is chosen ([`About`]), and before it starts ([`Needs`]). Plain data.

use std::fmt;

use serde::Serialize;

/// What is to be known of a mode before it is chosen.
#[derive(Debug, Serialize)]
pub struct About {
    /// As on the command line.
    pub name: &'static str,
    /// What runs.
    pub runs: &'static str,
    /// The options that it takes.
    pub choices: &'static [Choice],
    /// How many connections it serves at a time.
    pub serves: Serves,
    /// The default of `--buffer` in bytes.
    pub buffer: u64,
}

/// An option of a mode.
#[derive(Debug, Serialize)]
pub struct Choice {
    /// As on the command line.
    pub option: &'static str,
    /// The values that it may have, the default first; none listed: a number or a size.
    pub values: &'static [&'static str],
}

impl Choice {
    /// An option that takes a number or a size.
    #[must_use]
    pub const fn number(option: &'static str) -> Self {
        Self { option, values: &[] }
    }

    /// An option that takes one of these, the first by default.
    #[must_use]
    pub const fn one_of(option: &'static str, values: &'static [&'static str]) -> Self {
        Self { option, values }
    }
}

/// `--accept open|mutex` or `--workers N`.
impl fmt::Display for Choice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let values = if self.values.is_empty() { "N".to_owned() } else { self.values.join("|") };
        write!(f, "{} {values}", self.option)
    }
}

/// How many connections are served at a time; the next one waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Serves {
    /// One.
    One,
    /// As many as there are workers.
    AsManyAsWorkers,
    /// As many as come.
    AsManyAsCome,
}

/// What a crash (a memory fault, an abort, a kill) in one handler ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum CrashEnds {
    /// The connection of that handler, with its process.
    ItsConnection,
    /// The whole server.
    Everything,
}

/// What a model needs from the server before it starts, and what it is called.
#[derive(Debug)]
pub struct Needs {
    /// Buffers to be reserved.
    pub buffers: usize,
    /// Descriptors of its own in the server's process.
    pub descriptors: u64,
    /// Workers with counters of their own.
    pub workers: usize,
    /// Listeners on the one address: more than one share the port (`SO_REUSEPORT`).
    pub listeners: Listeners,
    /// What a crash in one handler ends.
    pub crash: CrashEnds,
    /// The model with what tells it from others, for reports: `pool of 2 workers`.
    pub label: String,
}

/// How the port is listened on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Listeners {
    /// One listener.
    One,
    /// So many, between which the kernel chooses.
    Reuseport(usize),
}

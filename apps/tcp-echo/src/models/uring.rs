//! Completions (io_uring): to come.

use std::io;
use std::net::TcpListener;

use common::exit::Failure;
use common::units::plural;

use crate::cli::ModeOptions;
use crate::model::{About, Choice, CrashEnds, Listeners, Needs, Serves};
use crate::server::Server;

/// For the list of modes.
pub(crate) const ABOUT: About = About {
    name: "uring",
    runs: "N loops on completions (io_uring)",
    choices: &[Choice::number("--workers"), Choice::one_of("--recv", &["multishot", "oneshot"])],
    serves: Serves::AsManyAsCome,
    buffer: 16 << 10,
};

/// How data is received.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Recv {
    /// One request, many completions, in buffers that the kernel chooses.
    Multishot,
    /// A request for each message.
    Oneshot,
}

/// What `--mode uring` can be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    /// How many loops.
    pub workers: usize,
    /// How data is received.
    pub recv: Recv,
}

impl Settings {
    pub(crate) fn from(options: &ModeOptions) -> Result<Self, Failure> {
        Ok(Self { workers: options.workers()?, recv: options.recv.unwrap_or(Recv::Multishot) })
    }

    pub(crate) fn needs(&self) -> Needs {
        Needs {
            buffers: 0,
            descriptors: 4 * self.workers as u64,
            workers: self.workers,
            listeners: Listeners::One,
            crash: CrashEnds::Everything,
            label: format!("uring of {}", plural(self.workers as u64, "worker")),
        }
    }
}

/// Serves until a stop is requested and the connections have drained.
pub(crate) fn serve(
    _listeners: Vec<TcpListener>,
    _server: &'static Server,
    _settings: Settings,
) -> io::Result<()> {
    Err(io::Error::other("to come"))
}

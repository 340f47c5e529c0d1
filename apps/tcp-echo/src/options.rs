//! What every model and every handler receives: plain data, valid by construction (see [`crate::check`]).

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use crate::work::Work;

/// The most that `--buffer` may ask for: no connection holds more memory of ours.
pub const BUFFER_MAX: usize = 64 * 1024;

/// The server's settings.
#[derive(Debug, Clone)]
pub struct Options {
    /// Where to listen.
    pub address: SocketAddr,
    /// How many connections the kernel may hold ready for `accept`.
    pub backlog: u32,
    /// The size of a handler's buffer in bytes.
    pub buffer: usize,
    /// How many connections may be open at a time.
    pub max_connections: u32,
    /// How long a client may send nothing; `None`: for ever.
    pub idle_timeout: Option<Duration>,
    /// How long a client may take nothing; `None`: for ever.
    pub write_timeout: Option<Duration>,
    /// How long connections may go on after a stop request.
    pub drain_timeout: Duration,
    /// How long a client may send nothing after a stop request.
    pub drain_idle: Duration,
    /// Where the statistics go at the end.
    pub stats: Option<PathBuf>,
    /// What each request costs beside its echo.
    pub work: Work,
    /// Whether clients may order faults.
    pub faults: bool,
    /// 0: nothing, 1: connections, 2: every echo.
    pub verbosity: u8,
}

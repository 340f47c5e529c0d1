//! One connection at a time.
//!
//! **How it works.** The server accepts a connection, serves it to its end, and accepts the next one. The whole model is
//!
//! ```text
//! loop { let connection = accept(); while read(&mut buffer) > 0 { write_all(&buffer) } }
//! ```
//!
//! **What it costs.** Nothing: nothing is made, handed over or scheduled. So it is the baseline that all others are measured
//! against (Stevens: "process control CPU time" is what a model uses above the iterative server).
//!
//! **Where it breaks.** At the second client. While one is served, all others wait in the kernel's backlog, and when
//! that is full the kernel drops their SYNs. A client that stays and says nothing holds up everybody until
//! `--idle-timeout`.
//!
//! **Who does it.** Time-of-day servers, the tutorials' first example, and every model of this program *inside* one
//! of its workers.
//!
//! The one worker is a thread beside the main thread, which waits for a stop: so the port closes when a stop is requested,
//! and not when the present client pleases to leave.

use std::io;
use std::net::TcpListener;

use super::prethread;
use crate::about::{About, CrashEnds, Listeners, Needs, Serves};
use crate::mode_options::{Accept, AcceptingWorkers};
use crate::server::Server;

/// For the list of modes.
pub(crate) const ABOUT: About = About {
    name: "iterative",
    runs: "one connection at a time",
    choices: &[],
    serves: Serves::One,
    buffer: 16 << 10,
};

pub(crate) fn needs() -> Needs {
    Needs {
        buffers: 1,
        descriptors: 0,
        workers: 1,
        listeners: Listeners::One,
        crash: CrashEnds::Everything,
        label: "iterative".to_owned(),
    }
}

/// Serves until a stop is requested and the connections have drained.
pub(crate) fn serve(listeners: Vec<TcpListener>, server: &'static Server) -> io::Result<()> {
    prethread::serve(listeners, server, AcceptingWorkers { workers: 1, accept: Accept::Open })
}

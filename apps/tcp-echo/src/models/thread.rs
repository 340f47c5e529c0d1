//! A thread per connection.
//!
//! **How it works.** The main thread blocks in `accept` and gives each connection a thread of its own, which blocks
//! in `read` and `write`. In its barest form, the whole model is
//!
//! ```text
//! loop { let connection = accept(); spawn(|| while read(&mut buffer) > 0 { write_all(&buffer) }) }
//! ```
//!
//! **What it costs.** Making and ending a thread for each connection; a context switch for each request, where an event
//! loop has none; and a stack a connection: 128 KiB of address space, of which an idle one has touched two or three
//! pages. `--spare N` keeps up to N threads that have become free, and hands the next connections to them: that saves
//! making a thread, not the context switches.
//!
//! **Where it breaks.** At some ten thousand threads (memory, scheduling, the kernel's limits). A memory fault or an
//! abort in one handler ends all connections, because all threads are one process; a panic ends its own connection.
//!
//! **Who does it.** MySQL (by default), Java servers before NIO and again with virtual threads, most teaching code.

use std::io;
use std::net::TcpListener;
use std::thread;

use common::exit::Failure;
use common::signals;

use crate::about::{About, Choice, CrashEnds, Listeners, Needs, Serves};
use crate::accept::Acceptor;
use crate::handler::Connection;
use crate::mode_options::ModeOptions;
use crate::queue::Queue;
use crate::server::Server;
use crate::stats::Problem;

/// For the list of modes.
pub(crate) const ABOUT: About = About {
    name: "thread",
    runs: "a thread per connection",
    choices: &[Choice::number("--stack"), Choice::number("--spare")],
    serves: Serves::AsManyAsCome,
    buffer: 16 << 10,
};

/// The smallest stack that a handler runs in.
const STACK_MIN: u64 = 16 * 1024;
const STACK_DEFAULT: u64 = 128 * 1024;

/// What `--mode thread` can be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    /// Stack of a thread in bytes.
    pub stack: usize,
    /// How many free threads are kept for later connections.
    pub spare: usize,
}

impl Settings {
    pub(crate) fn from(options: &ModeOptions) -> Result<Self, Failure> {
        let stack = options.stack.unwrap_or(STACK_DEFAULT);
        if !(STACK_MIN..=1 << 30).contains(&stack) {
            return Err(Failure::usage("--stack must lie between 16KiB and 1GiB"));
        }
        Ok(Self { stack: stack as usize, spare: options.spare.unwrap_or(0) as usize })
    }
}

pub(crate) fn needs(max_connections: u32) -> Needs {
    Needs {
        buffers: max_connections as usize,
        descriptors: 0,
        workers: 0,
        listeners: Listeners::One,
        crash: CrashEnds::Everything,
        label: "thread".to_owned(),
    }
}

/// Serves until a stop is requested and the connections have drained.
pub(crate) fn serve(listener: TcpListener, server: &'static Server, settings: Settings) -> io::Result<()> {
    // holds connections only from the hand-over until the waiting thread has woken up
    let spares: &'static Queue<Connection> = Box::leak(Box::new(Queue::new(settings.spare)));

    server.ready()?;
    let mut acceptor = Acceptor::new(listener, server, signals::nudge_threads);
    while let Some(connection) = acceptor.next_connection()? {
        let Err(connection) = spares.hand_over(connection) else { continue };
        let handler = move || serve_and_be_spare(connection, spares, settings.spare, server);
        // Builder, because thread::spawn panics where this one says EAGAIN; the connection is closed with the closure
        if let Err(e) = thread::Builder::new().stack_size(settings.stack).spawn(handler) {
            server.counters.problem(Problem::Spawn);
            server.log.complain(format_args!("no thread for a connection, it was closed: {e}"));
        }
    }
    spares.close();
    server.wait_until_drained();
    Ok(())
}

/// A thread's life: its first connection, and those that it is handed while it is one of at most `most` spares.
fn serve_and_be_spare(first: Connection, spares: &Queue<Connection>, most: usize, server: &'static Server) {
    let mut next = Some(first);
    while let Some(connection) = next {
        // there are as many buffers as seats
        let Some(mut buffer) = server.buffers.take() else { return };
        let seat = connection.serve(server, &mut buffer);
        drop(buffer);
        drop(seat);
        next = spares.take_as_one_of(most);
    }
}

//! A fixed number of threads, each of which accepts for itself.
//!
//! **How it works.** The threads are made at the start. Each one blocks in `accept` on the one listener, serves what it
//! gets to the end, and accepts again: an [iterative](super::iterative) server, N times.
//!
//! **What it costs.** Less than a [pool](super::pool): nothing is made per connection, and nothing is handed over
//! either; the kernel's own queue, the backlog, is the queue.
//!
//! **How the kernel chooses** (`--accept`):
//! - `open`: all block in accept, and Linux wakes one for each connection, the one that has waited longest; so idle workers
//!   take turns. (Other kernels woke all of them, and one got the connection: the thundering herd.)
//! - `mutex`: who holds a mutex may accept. It was the cure for that herd; here it costs a little and changes little.
//! - `reuseport`: each worker has a listener of its own on the same port, and the kernel spreads connections by a hash
//!   of the addresses, without a look at who is free. Even on average, but a client may wait behind a busy worker while others
//!   are idle.
//!
//! **Where it breaks.** As a pool does: N clients that stay hold up everybody else; and there is no place where somebody could
//! be turned away, because who is not accepted is not seen. A memory fault ends everything.
//!
//! **Who does it.** Apache's `worker` had it within each process, and many RPC servers.

use std::io;
use std::net::TcpListener;
use std::sync::{Mutex, OnceLock, PoisonError};
use std::thread;

use common::signals;

use crate::about::{About, Choice, CrashEnds, Listeners, Needs, Serves};
use crate::accept::{self, Acceptor, BackOff};
use crate::ending;
use crate::handler::Connection;
use crate::mode_options::{Accept, AcceptingWorkers};
use crate::queue::Queue;
use crate::seats::Seat;
use crate::server::Server;

/// For the list of modes.
pub(crate) const ABOUT: About = About {
    name: "prethread",
    runs: "N threads, each accepts for itself",
    choices: &[Choice::number("--workers"), Choice::one_of("--accept", &["open", "mutex", "reuseport"])],
    serves: Serves::AsManyAsWorkers,
    buffer: 16 << 10,
};

/// A worker's stack: the handler needs a few KiB.
const STACK: usize = 128 * 1024;

pub(crate) fn needs(workers: AcceptingWorkers) -> Needs {
    let listeners = workers.listeners();
    Needs {
        buffers: workers.workers,
        descriptors: if listeners == Listeners::One { 0 } else { workers.workers as u64 },
        workers: workers.workers,
        listeners,
        crash: CrashEnds::Everything,
        label: format!("prethread of {workers}"),
    }
}

/// What the workers share.
struct Team {
    listeners: Vec<TcpListener>,
    /// Held while accepting, with `--accept mutex`.
    turn: Option<Mutex<()>>,
    /// What waited in the backlog when the stop was requested.
    last: Queue<Connection>,
    /// Why nobody can accept any more.
    broken: OnceLock<io::Error>,
}

/// Serves until a stop is requested and the connections have drained.
pub(crate) fn serve(
    listeners: Vec<TcpListener>,
    server: &'static Server,
    settings: AcceptingWorkers,
) -> io::Result<()> {
    let seats = server.options.max_connections;
    let team: &'static Team = Box::leak(Box::new(Team {
        listeners,
        turn: (settings.accept == Accept::Mutex).then(|| Mutex::new(())),
        last: Queue::new(seats as usize),
        broken: OnceLock::new(),
    }));
    for number in 0..settings.at_most(seats).workers {
        thread::Builder::new()
            .stack_size(STACK)
            .spawn(move || work(number, team, server))
            .map_err(|e| io::Error::new(e.kind(), format!("no thread for worker {number}: {e}")))?;
    }
    server.ready()?;

    ending::wait_for_stop(server);
    let mut last = Acceptor::of_the_last(&team.listeners, server, signals::nudge_threads);
    while let Some(connection) = last.next_connection()? {
        // there are as many places as seats
        let _ = team.last.put(connection);
    }
    team.last.close();
    server.wait_until_drained();
    team.broken.get().map_or(Ok(()), |e| Err(io::Error::new(e.kind(), e.to_string())))
}

/// A worker's life: accepts and serves until nobody listens any more, then helps with the last ones.
fn work(number: usize, team: &'static Team, server: &'static Server) {
    // there are as many buffers as workers
    let Some(mut buffer) = server.buffers.take() else { return };
    let worker = server.counters.worker(number);
    while let Some(connection) = accept(number, team, server) {
        connection.serve_as(worker, server, &mut buffer);
    }
    while let Some(connection) = team.last.take() {
        connection.serve_as(worker, server, &mut buffer);
    }
}

/// Blocks until there is a connection; `None` when the listener is no listener any more.
fn accept(number: usize, team: &'static Team, server: &'static Server) -> Option<Connection> {
    let listener = &team.listeners[number % team.listeners.len()];
    let mut back_off = BackOff::default();
    loop {
        let turn = team.turn.as_ref().map(|turn| turn.lock().unwrap_or_else(PoisonError::into_inner));
        // the seat comes first: no drain ends while somebody has been accepted of whom nobody knows yet
        let taken = Seat::take_with(server.counters, server.options.max_connections, || listener.accept());
        drop(turn);
        match taken {
            Ok(Some(((stream, peer), seat))) => return Some(Connection::new(stream, peer, seat)),
            // there is a seat for each worker, unless those are served who waited when the stop was requested
            Ok(None) => return None,
            Err(e) if accept::is_over(&e, server) => return None,
            Err(e) => match accept::judge(&e, server, &mut back_off) {
                Ok(None) => {}
                Ok(Some(wait)) => thread::sleep(wait),
                Err(e) => {
                    let _ = team.broken.set(e);
                    signals::request_stop();
                    signals::wake_poller();
                    return None;
                }
            },
        }
    }
}

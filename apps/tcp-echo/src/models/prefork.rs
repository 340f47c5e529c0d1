//! A fixed number of processes, each of which accepts for itself.
//!
//! **How it works.** The parent opens the listener and forks the workers, which inherit it. Each one blocks in `accept`, serves
//! what it gets to the end, and accepts again. The parent does nothing but replace workers that die.
//!
//! **What it costs.** As [`prethread`](super::prethread): nothing is made or handed over per connection. A worker costs
//! what a process costs, once.
//!
//! **How the kernel chooses** (`--accept`):
//! - `open`: all block in accept, and Linux wakes the one that has waited longest; so idle workers take turns.
//! - `flock`: who holds a lock on a file may accept. (The cure for kernels on which two processes could not safely block in
//!   accept together. The kernel gives up the lock of a process that dies.)
//! - `mutex`: who holds a mutex in shared memory may accept. Faster, but a mutex knows nothing of processes: if its holder
//!   is killed, an ordinary one stays locked for ever and nobody accepts any more. So this one is *robust*: the next
//!   one to lock it is told that the holder is dead, and goes on.
//! - `reuseport`: each worker has a listener of its own on the same port, and the kernel spreads connections by a hash of
//!   the addresses. Nobody takes part in a queue, but a client may wait behind a busy worker while others are idle.
//!
//! **Where it breaks.** As a pool does: N clients that stay hold up everybody else. In return a handler may crash, leak or be
//! killed, and takes only its own connection along.
//!
//! **Who does it.** Apache's `prefork`, gunicorn's sync workers, PHP-FPM, Unicorn.

use std::io;
use std::net::TcpListener;
use std::thread;

use crate::about::{About, Choice, CrashEnds, Listeners, Needs, Serves};
use crate::accept::{self, BackOff};
use crate::crew::{self, Channel, Parent, Source};
use crate::handler::Connection;
use crate::mode_options::OnFull;
use crate::mode_options::{AcceptingWorkers, Order};
use crate::seats::Seat;
use crate::server::Server;
use crate::turn::Turn;

/// For the list of modes.
pub(crate) const ABOUT: About = About {
    name: "prefork",
    runs: "N processes, each accepts for itself",
    choices: &[
        Choice::number("--workers"),
        Choice::one_of("--accept", &["open", "flock", "mutex", "reuseport"]),
    ],
    serves: Serves::AsManyAsWorkers,
    buffer: 16 << 10,
};

pub(crate) fn needs(workers: AcceptingWorkers) -> Needs {
    let listeners = workers.listeners();
    Needs {
        // each process has its own copy of one
        buffers: 1,
        // a channel to each worker, and its listener
        descriptors: workers.workers as u64 * if listeners == Listeners::One { 1 } else { 2 },
        workers: workers.workers,
        listeners,
        crash: CrashEnds::ItsConnection,
        label: format!("prefork of {workers}"),
    }
}

/// Serves until a stop is requested and the connections have drained.
pub(crate) fn serve(
    listeners: Vec<TcpListener>,
    server: &'static Server,
    settings: AcceptingWorkers,
) -> io::Result<()> {
    let listeners: &'static [TcpListener] = Box::leak(listeners.into_boxed_slice());
    let turn = Turn::new(settings.accept)?;
    let life = move |number, channel: &Channel| work(number, listeners, &turn, channel, server);
    let workers = settings.at_most(server.options.max_connections).workers;
    // at the end all that is left may wait: the backlog is bounded
    let queue = (Order::Fifo, server.options.backlog as usize, OnFull::Wait);
    Parent::new(Source::Workers(listeners), workers, Box::new(life), server, queue).serve()
}

/// A worker's life: accepts and serves until nobody listens any more, then serves what the parent has left.
fn work(
    number: usize,
    listeners: &'static [TcpListener],
    turn: &Turn,
    channel: &Channel,
    server: &'static Server,
) -> i32 {
    let Some(mut buffer) = server.buffers.take() else { return 1 };
    let Ok(turn) = turn.of_this_process() else { return 1 };
    let listener = &listeners[number % listeners.len()];
    let worker = server.counters.worker(number);
    let mut back_off = BackOff::default();
    loop {
        if crew::told_to_stop_alone(server) {
            return 0;
        }
        let accepted = turn.while_it_is_mine(|| accept::interruptible(listener));
        match accepted {
            Ok((stream, peer)) => {
                back_off.reset();
                let connection = Connection::new(stream, peer, Seat::take(server.counters));
                connection.serve_as(worker, server, &mut buffer);
            }
            Err(e) if accept::is_over(&e, server) => break,
            Err(e) => match accept::judge(&e, server, &mut back_off) {
                Ok(None) => {}
                Ok(Some(wait)) => thread::sleep(wait),
                Err(_) => return 1,
            },
        }
    }
    if channel.say_free().is_err() {
        return 1;
    }
    crew::serve_what_is_passed(number, channel, server, &mut buffer)
}

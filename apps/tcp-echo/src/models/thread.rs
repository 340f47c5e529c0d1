//! A thread per connection.
//!
//! **How it works.** The main thread blocks in `accept` and gives each connection a thread of its own, which blocks
//! in `read` and `write`. In its barest form, the whole model is
//!
//! ```text
//! loop { let connection = accept(); spawn(|| while read(&mut buffer) > 0 { write_all(&buffer) }) }
//! ```
//!
//! **What it costs.** About 10 µs to make and end a thread, two context switches a request where the event loop has
//! none, and a stack a connection: 128 KiB of address space, of which an idle one has touched two or three pages.
//! `--spare N` keeps up to N threads that have become free, and hands the next connections to them: that saves
//! making a thread, not the context switches.
//!
//! **Where it breaks.** At some ten thousand threads (memory, scheduling, the kernel's limits). A memory fault or an
//! abort in one handler ends all connections, because all threads are one process; a panic ends its own connection.
//!
//! **Who does it.** MySQL (by default), Java servers before NIO and again with virtual threads, most teaching code.

use std::io;
use std::net::TcpListener;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use common::signals;
use crossbeam_channel::{Receiver, Sender, bounded};

use crate::accept::Acceptor;
use crate::handler::Connection;
use crate::server::Server;
use crate::stats::Problem;

/// What `--mode thread` can be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    /// Stack of a thread in bytes.
    pub stack: usize,
    /// How many free threads are kept for later connections.
    pub spare: usize,
}

/// Serves until a stop is requested and the connections have drained.
pub(crate) fn serve(listener: TcpListener, server: &'static Server, settings: Settings) -> io::Result<()> {
    let (hand_over, handed_over) = bounded(settings.spare.max(1));
    let spares: &'static Spares =
        Box::leak(Box::new(Spares { limit: settings.spare, waiting: AtomicUsize::new(0), handed_over }));

    let mut acceptor = Acceptor::new(listener, server, signals::nudge_threads);
    while let Some(connection) = acceptor.next_connection()? {
        let Some(connection) = spares.offer(connection, &hand_over) else { continue };
        let handler = move || spares.serve_from(connection, server);
        // Builder, because thread::spawn panics where this one says EAGAIN; the connection is closed with the closure
        if let Err(e) = thread::Builder::new().stack_size(settings.stack).spawn(handler) {
            server.counters.problem(Problem::Spawn);
            server.log.complain(format_args!("no thread for a connection, it was closed: {e}"));
        }
    }
    drop(hand_over);
    server.wait_until_drained();
    Ok(())
}

/// The threads that have served a connection and wait for another.
struct Spares {
    limit: usize,
    /// How many wait, or are about to; each of them will take one connection from the channel.
    waiting: AtomicUsize,
    handed_over: Receiver<Connection>,
}

impl Spares {
    /// Hands the connection to a waiting thread, or gives it back if none waits.
    fn offer(&self, connection: Connection, hand_over: &Sender<Connection>) -> Option<Connection> {
        let claimed =
            self.waiting.try_update(Ordering::Relaxed, Ordering::Relaxed, |waiting| waiting.checked_sub(1));
        match claimed {
            // never full: no more connections are under way than threads wait
            Ok(_) => hand_over.try_send(connection).err().map(crossbeam_channel::TrySendError::into_inner),
            Err(_) => Some(connection),
        }
    }

    /// A thread's life: its first connection, and those that it is handed while it is a spare.
    fn serve_from(&self, first: Connection, server: &'static Server) {
        let mut next = Some(first);
        while let Some(connection) = next {
            // there are as many buffers as seats
            let Some(mut buffer) = server.buffers.take() else { return };
            connection.serve(server, &mut buffer);
            drop(buffer);
            let stays = self.waiting.try_update(Ordering::Relaxed, Ordering::Relaxed, |waiting| {
                (waiting < self.limit).then_some(waiting + 1)
            });
            next = stays.ok().and_then(|_| self.handed_over.recv().ok());
        }
    }
}

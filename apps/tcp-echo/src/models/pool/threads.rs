//! The pool whose workers are threads. A handler that panics ends its connection; the worker takes the next one. A
//! memory fault ends them all.

use std::io;
use std::net::TcpListener;
use std::thread;
use std::time::{Duration, Instant};

use common::signals;

use super::Settings;
use crate::accept::Acceptor;
use crate::handler::Connection;
use crate::mode_options::OnFull;
use crate::queue::Queue;
use crate::server::Server;
use crate::stats::Problem;

/// A worker's stack: the handler needs a few KiB.
const STACK: usize = 128 * 1024;
/// While the queue is full, the acceptor looks this often whether a stop was requested.
const FULL_CHECK: Duration = Duration::from_millis(50);

/// Serves until a stop is requested and the connections have drained.
pub(super) fn serve(listener: TcpListener, server: &'static Server, settings: Settings) -> io::Result<()> {
    let queue: &'static Queue<Connection> =
        Box::leak(Box::new(Queue::ordered(settings.queue_capacity, settings.queue)));
    for number in 0..settings.workers {
        thread::Builder::new()
            .stack_size(STACK)
            .spawn(move || work(number, queue, server))
            .map_err(|e| io::Error::new(e.kind(), format!("no thread for worker {number}: {e}")))?;
    }

    server.ready()?;
    let mut acceptor = Acceptor::new(listener, server, signals::nudge_threads);
    while let Some(connection) = acceptor.next_connection()? {
        put(connection, queue, &mut acceptor, server, settings.on_full);
    }
    queue.close();
    server.wait_until_drained();
    Ok(())
}

/// A worker's life: one connection after the other, until the queue is closed and empty.
fn work(number: usize, queue: &Queue<Connection>, server: &'static Server) {
    // there are as many buffers as workers
    let Some(mut buffer) = server.buffers.take() else { return };
    let worker = server.counters.worker(number);
    while let Some(connection) = queue.take() {
        server.counters.queue.taken(connection.since.elapsed(), queue.len());
        connection.serve_as(worker, server, &mut buffer);
    }
}

/// Puts a connection into the queue. While the queue is full and a stop is requested, the drain begins here: the
/// workers that it nudges are the ones that make room.
fn put(
    connection: Connection,
    queue: &Queue<Connection>,
    acceptor: &mut Acceptor,
    server: &Server,
    on_full: OnFull,
) {
    let Err(mut waiting) = queue.put(connection) else {
        server.counters.queue.put(queue.len());
        return;
    };
    if on_full == OnFull::Reject {
        server.counters.problem(Problem::Rejected);
        server.log.complain("the queue is full: connections are closed");
        return;
    }
    loop {
        if signals::stop_requested().is_some() {
            acceptor.drain();
            if Instant::now() >= server.drain_deadline() {
                server.counters.cut(1);
                return;
            }
        }
        queue.wait_for_room(FULL_CHECK);
        match queue.put(waiting) {
            Ok(()) => return,
            Err(connection) => waiting = connection,
        }
    }
}

//! One connection, served to its end by a thread or process that blocks: the handler of every blocking model.
//!
//! The time limits are the socket's own (`SO_RCVTIMEO`, `SO_SNDTIMEO`), inherited from the listener, so they cost no
//! system call. A panic ends this connection only.

use std::io;
use std::net::{SocketAddr, TcpStream};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::thread;
use std::time::Instant;

use common::signals::{self, Blocking};
use common::units::show_size;

use crate::drive::{Direct, Turn, turn};
use crate::seats::Seat;
use crate::server::Server;
use crate::session::{Limit, Session};
use crate::stats::{Problem, WorkerCounters};

/// An accepted connection.
#[derive(Debug)]
pub struct Connection {
    /// Its socket, blocking.
    pub stream: TcpStream,
    /// The client. (Asking the socket for it later may fail: the client may be gone.)
    pub peer: SocketAddr,
    /// Given back when it is dropped.
    pub seat: Seat,
    /// When it was accepted.
    pub since: Instant,
}

impl Connection {
    /// It has just been accepted.
    #[must_use]
    pub fn new(stream: TcpStream, peer: SocketAddr, seat: Seat) -> Self {
        Self { stream, peer, seat, since: Instant::now() }
    }

    /// Serves it to its end and closes it. Whoever takes the seat that is left finds a buffer only if this one has
    /// been given back before.
    #[must_use]
    pub fn serve(self, server: &'static Server, buffer: &mut [u8]) -> Seat {
        serve(&self.stream, self.peer, server, buffer);
        self.seat
    }

    /// The same by a worker that keeps account of what it did; gives back the seat. (A worker process may be killed at any
    /// moment, and its parent gives back the seats that its account says it had: so the two change together.)
    pub fn serve_as(self, worker: &WorkerCounters, server: &'static Server, buffer: &mut [u8]) {
        worker.accepted();
        let Self { stream, peer, seat, .. } = self;
        let served = serve(&stream, peer, server, buffer);
        drop(stream);
        worker.ended(served.echoed);
        drop(seat);
    }
}

/// What came of serving a connection.
#[derive(Debug, Clone, Copy)]
pub struct Served {
    /// So many bytes were sent back.
    pub echoed: u64,
    /// The handler panicked.
    pub panicked: bool,
}

/// How a connection ended: by itself or by a limit, by an error, or by a panic of its handler.
pub type Ending = thread::Result<io::Result<Option<Problem>>>;

/// Serves a connection to its end; the caller closes the socket.
#[inline(always)] // what a forked child runs should stand together: see `common::process::fork`
pub fn serve(stream: &TcpStream, peer: SocketAddr, server: &'static Server, buffer: &mut [u8]) -> Served {
    opened(peer, server);
    let mut session = server.session();
    let ending = catch_unwind(AssertUnwindSafe(|| until_closed(&mut session, peer, stream, server, buffer)));
    closed(peer, session.echoed(), &ending, server)
}

/// A connection begins: told with `-v`.
pub fn opened(peer: SocketAddr, server: &Server) {
    server.log.connection(|| format!("{peer} connected, {} active", server.counters.active()));
}

/// A connection has ended: counted, and told with `-v`.
#[inline(always)] // as above
pub fn closed(peer: SocketAddr, echoed: u64, ending: &Ending, server: &Server) -> Served {
    let Server { counters, log, .. } = server;
    counters.echoed(echoed);
    let problem = match ending {
        Ok(Ok(problem)) => *problem,
        Ok(Err(_)) => Some(Problem::Broken),
        Err(_) => Some(Problem::Panic),
    };
    if let Some(problem) = problem {
        counters.problem(problem);
    }
    log.connection(|| {
        let why = match ending {
            Ok(Ok(None)) => String::new(),
            Ok(Ok(Some(problem))) => format!(": {}", problem.name()),
            Ok(Err(e)) => format!(": {e}"),
            Err(_) => ": its handler panicked".to_owned(),
        };
        format!("{peer} closed, {} echoed{why}", show_size(echoed))
    });
    Served { echoed, panicked: ending.is_err() }
}

/// Turns until the session is over; gives the limit that ended it, if one did.
#[inline(always)] // as above
fn until_closed(
    session: &mut Session,
    peer: SocketAddr,
    stream: &TcpStream,
    server: &Server,
    buffer: &mut [u8],
) -> io::Result<Option<Problem>> {
    let mut limited_after_stop = Some(Blocking::on(stream, server.options.drain_idle));
    let socket = Direct::of(stream);
    let mut problem = None;
    let mut linger_until = None;
    loop {
        if session.limit() == Limit::Linger {
            // this limit is a shorter one of its own
            drop(limited_after_stop.take());
            let until = *linger_until.get_or_insert_with(|| Instant::now() + Server::LINGER);
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                session.expired();
            } else {
                stream.set_read_timeout(Some(left))?;
            }
        }
        let echoed = session.echoed();
        match turn(session, buffer, socket)? {
            Turn::Full | Turn::Short => {}
            Turn::Wait(span) => {
                thread::sleep(span);
                session.waited();
            }
            Turn::Blocked => {
                problem = problem.or(expired(session.limit()));
                session.expired();
            }
            Turn::Closed => return Ok(problem),
        }
        told(peer, session.echoed() - echoed, server);
    }
}

/// Bytes went back: told with `-vv`.
#[inline(always)]
pub fn told(peer: SocketAddr, echoed: u64, server: &Server) {
    if server.log.shows_echoes() && echoed > 0 {
        tell(peer, echoed, server);
    }
}

#[cold]
fn tell(peer: SocketAddr, echoed: u64, server: &Server) {
    server.log.echo(|| format!("{peer} echoed {}", show_size(echoed)));
}

/// What it means that this limit has passed. An idle client of a server that drains did nothing wrong.
#[must_use]
pub fn expired(limit: Limit) -> Option<Problem> {
    match limit {
        Limit::Idle if signals::stop_requested().is_none() => Some(Problem::Idle),
        Limit::Write => Some(Problem::Stalled),
        Limit::Idle | Limit::Linger | Limit::None => None,
    }
}

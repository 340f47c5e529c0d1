//! One connection of a model that does not block: it is taken up when its socket is ready, served as far as that goes, and
//! left alone again. The event loop, the hybrid and the tasks of tokio all serve their connections through this.
//!
//! The caller owns the buffer and lends it for a moment; only an unsent reply is kept with the connection, in memory of
//! its own length. The caller owns the clock, too: time limits are counted from [`Stamp`]s that cost next to nothing.

use std::io;
use std::net::SocketAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use crate::drive::{Socket, Turn, turn, write_reply};
use crate::handler::{self, Ending};
use crate::options::Options;
use crate::seats::Seat;
use crate::server::Server;
use crate::session::{Limit, Session, Want};
use crate::stamp::Stamp;
use crate::stats::Problem;

/// So many full buffers a connection may have in a row before it is somebody else's turn: a greedy client does not starve
/// the others.
const TURNS: usize = 4;

/// A connection between two visits.
#[derive(Debug)]
pub struct Resumable {
    session: Session,
    peer: SocketAddr,
    /// The reply that the client has not taken yet.
    kept: Option<Box<[u8]>>,
    limits: Limits,
    seat: Seat,
}

/// Which time limit of a connection runs since when; for drivers that own the clock.
#[derive(Debug)]
pub struct Limits {
    since: Stamp,
    /// How much had been echoed then: more of it is a sign of life.
    echoed: u64,
    limit: Limit,
    /// The limit whose end the driver knows. (It may have moved away since; then the driver looks in vain, once.)
    told: Limit,
    problem: Option<Problem>,
}

impl Limits {
    /// Of a new connection.
    #[must_use]
    pub fn new(now: Stamp) -> Self {
        Self { since: now, echoed: 0, limit: Limit::Idle, told: Limit::None, problem: None }
    }

    /// Something may have happened to the session.
    #[inline]
    pub fn note(&mut self, session: &Session, now: Stamp) {
        let limit = session.limit();
        if limit != self.limit || (limit != Limit::Linger && session.echoed() != self.echoed) {
            (self.limit, self.since, self.echoed) = (limit, now, session.echoed());
        }
    }

    /// Another limit runs than the one whose end the driver knows. (So nothing is reckoned for most messages.)
    #[inline]
    #[must_use]
    pub fn are_news(&self) -> bool {
        self.limit != self.told
    }

    /// When the limit that runs now will have passed; `None` if none runs. `drain` is when a stop was requested.
    #[must_use]
    pub fn deadline(&mut self, drain: Option<Stamp>, options: &Options) -> Option<Stamp> {
        self.told = self.limit;
        match self.limit {
            Limit::Idle => match drain {
                Some(stop) => Some(self.since.max(stop) + options.drain_idle),
                None => options.idle_timeout.map(|limit| self.since + limit),
            },
            Limit::Write => options.write_timeout.map(|limit| self.since + limit),
            Limit::Linger => Some(self.since + Server::LINGER),
            Limit::None => None,
        }
    }

    /// The limit has passed: what the session wants now is another thing.
    pub fn expire(&mut self, session: &mut Session) {
        self.problem = self.problem.or(handler::expired(session.limit()));
        session.expired();
    }

    /// The problem that ended the connection, if one of its limits did.
    #[must_use]
    pub fn problem(&self) -> Option<Problem> {
        self.problem
    }
}

/// What to do with a connection after a visit.
#[derive(Debug)]
pub enum After {
    /// Leave it alone until its socket is ready.
    Park,
    /// Leave it alone for so long, then take it up whether it is ready or not.
    Nap(Duration),
    /// There is more to do: take it up again after the others.
    Again,
    /// It is over.
    Over(Ending),
}

/// What is known about the socket before a visit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum News {
    /// An edge-triggered event said that it is readable or writable, and not that the client has closed: after a read that
    /// did not fill the buffer nothing is left, and whatever comes later is another event. (Asking again would be a third
    /// system call for each echo.)
    Event,
    /// Anything may be there: it must be asked until it would block.
    Unknown,
}

impl Resumable {
    /// A new connection.
    #[must_use]
    pub fn new(peer: SocketAddr, seat: Seat, now: Stamp, server: &'static Server) -> Self {
        handler::opened(peer, server);
        Self { session: server.session(), peer, kept: None, limits: Limits::new(now), seat }
    }

    /// Serves it as far as that goes without blocking. A panic in here ends this connection only.
    pub fn resume(
        &mut self,
        socket: &mut impl Socket,
        buffer: &mut [u8],
        news: News,
        now: Stamp,
        server: &Server,
    ) -> After {
        let echoed = self.session.echoed();
        let after = catch_unwind(AssertUnwindSafe(|| self.turns(socket, buffer, news)))
            .unwrap_or_else(|panic| After::Over(Err(panic)));
        handler::told(self.peer, self.session.echoed() - echoed, server);
        self.limits.note(&self.session, now);
        after
    }

    #[inline]
    fn turns(&mut self, socket: &mut impl Socket, buffer: &mut [u8], news: News) -> After {
        let mut after = After::Again;
        for _ in 0..TURNS {
            if let Some(kept) = &self.kept {
                match write_reply(&mut self.session, kept, &mut *socket) {
                    Ok(true) => self.kept = None,
                    Ok(false) => return After::Park,
                    Err(e) => return After::Over(Ok(Err(e))),
                }
            }
            let outcome = turn(&mut self.session, buffer, &mut *socket);
            let held = self.session.holds();
            if held > 0 {
                self.kept = Some(buffer[..held].into());
            }
            after = match outcome {
                Ok(Turn::Full) => continue,
                Ok(Turn::Short)
                    if news == News::Event && self.session.want() == Want::Read && self.is_open() =>
                {
                    After::Park
                }
                Ok(Turn::Short) => continue,
                Ok(Turn::Blocked) => After::Park,
                Ok(Turn::Wait(span)) => After::Nap(span),
                Ok(Turn::Closed) => After::Over(Ok(Ok(self.limits.problem()))),
                Err(e) => After::Over(Ok(Err(e))),
            };
            break;
        }
        after
    }

    fn is_open(&self) -> bool {
        self.session.limit() == Limit::Idle
    }

    /// A reply has not been taken by the client: tell when it is writable.
    #[must_use]
    pub fn wants_to_write(&self) -> bool {
        self.session.limit() == Limit::Write
    }

    /// The wait of [`After::Nap`] is over.
    pub fn waited(&mut self) {
        self.session.waited();
    }

    /// When the time limit that runs now will have passed; `None` if none runs. `drain` is when a stop was requested.
    #[must_use]
    pub fn deadline(&mut self, drain: Option<Stamp>, server: &Server) -> Option<Stamp> {
        self.limits.deadline(drain, &server.options)
    }

    /// Whether a limit runs of which the caller does not know yet when it ends.
    #[inline]
    #[must_use]
    pub fn has_new_limit(&self) -> bool {
        self.limits.are_news()
    }

    /// When a limit ends of which the caller does not know yet.
    #[inline]
    pub fn new_deadline(&mut self, drain: Option<Stamp>, server: &Server) -> Option<Stamp> {
        if self.has_new_limit() { self.deadline(drain, server) } else { None }
    }

    /// Its time limit has passed: take it up after this.
    pub fn expire(&mut self) {
        self.limits.expire(&mut self.session);
    }

    /// It is over: counted and told. Gives how many bytes were sent back, and the seat.
    pub fn close(self, ending: &Ending, server: &Server) -> (u64, Seat) {
        let served = handler::closed(self.peer, self.session.echoed(), ending, server);
        (served.echoed, self.seat)
    }
}

/// A socket that would block is no error to a loop.
#[must_use]
pub fn would_block(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::WouldBlock
}

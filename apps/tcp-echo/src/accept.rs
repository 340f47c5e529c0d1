//! Accepting: what each error of `accept` means, and the loop that every blocking model takes its connections from.
//!
//! The mistakes that this file is here to avoid, each seen in servers that people use: one broken connection ends
//! the server; a full descriptor table makes it spin at 100 % or give up; a stop resets the clients that were already
//! waiting in the backlog.

use std::collections::VecDeque;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::slice;
use std::time::{Duration, Instant};

use common::signals::{self, Blocking};
use rustix::net::{SocketFlags, acceptfrom_with};

use crate::closing;
use crate::ending;
use crate::handler::Connection;
use crate::seats::{self, Seat};
use crate::server::Server;
use crate::stats::Problem;

/// What to do about an error of `accept`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing happened: a signal, a time limit, or nobody there.
    Again,
    /// That one connection is dead. Go on at once: whoever sleeps here can be held up by anybody.
    Gone,
    /// Descriptors or memory have run out. Wait a little; the connection stays in the backlog.
    Exhausted,
    /// The listener itself is broken: a bug.
    Fatal,
}

/// Judges an error of `accept`. Linux passes on the pending network errors of the new connection, which say nothing
/// about the listener (accept(2)).
#[must_use]
pub fn verdict(error: &io::Error) -> Verdict {
    match error.raw_os_error() {
        Some(libc::EINTR | libc::EAGAIN) => Verdict::Again,
        Some(
            libc::ECONNABORTED
            | libc::EPROTO
            | libc::ENETDOWN
            | libc::ENOPROTOOPT
            | libc::EHOSTDOWN
            | libc::ENONET
            | libc::EHOSTUNREACH
            | libc::EOPNOTSUPP
            | libc::ENETUNREACH
            | libc::ETIMEDOUT
            | libc::ECONNRESET
            | libc::EPERM,
        ) => Verdict::Gone,
        Some(libc::EBADF | libc::EINVAL | libc::ENOTSOCK | libc::EFAULT) => Verdict::Fatal,
        // EMFILE, ENFILE, ENOBUFS, ENOMEM, and whatever a later kernel invents
        _ => Verdict::Exhausted,
    }
}

/// The wait after an exhausted accept: doubled each time, so that the server costs next to nothing while it cannot
/// accept, and short enough to serve again within a second of relief.
#[derive(Debug, Default)]
pub struct BackOff(u32);

impl BackOff {
    const FIRST: Duration = Duration::from_millis(5);
    const LONGEST: Duration = Duration::from_millis(500);

    /// How long to wait this time.
    pub fn next_wait(&mut self) -> Duration {
        let wait = Self::FIRST.saturating_mul(1 << self.0.min(10)).min(Self::LONGEST);
        self.0 += 1;
        wait
    }

    /// It went well: the next wait is the first again.
    pub fn reset(&mut self) {
        self.0 = 0;
    }
}

/// A blocked accept ends this soon after a stop request, if the signal itself did not end it.
pub const STOP_LATENCY: Duration = Duration::from_millis(10);

/// The source of connections of every model whose main thread accepts.
pub struct Acceptor {
    server: &'static Server,
    /// `None` once the server drains. The guard comes first: it must go before the descriptor does.
    listener: Option<(Blocking, TcpListener)>,
    /// What waited in the backlog when the stop was requested.
    last: VecDeque<(TcpStream, SocketAddr)>,
    nudge_handlers: Box<dyn Fn()>,
    back_off: BackOff,
}

impl Acceptor {
    /// Accepts from `listener`; `nudge_handlers` tells all handlers that a stop was requested.
    #[must_use]
    pub fn new(listener: TcpListener, server: &'static Server, nudge_handlers: impl Fn() + 'static) -> Self {
        let listener = Some((Blocking::on(&listener, STOP_LATENCY), listener));
        let nudge_handlers = Box::new(nudge_handlers);
        Self { server, listener, last: VecDeque::new(), nudge_handlers, back_off: BackOff::default() }
    }

    /// For models whose workers accept for themselves: a stop was requested, and from here on it is the main thread that
    /// gives out what waited in the backlogs. The listeners stop listening, so whoever is blocked in accept gets `EINVAL`.
    #[must_use]
    pub fn of_the_last(
        listeners: &[TcpListener],
        server: &'static Server,
        nudge_handlers: impl Fn() + 'static,
    ) -> Self {
        let last = closing::stop_listening(listeners, server);
        server.start_draining();
        nudge_handlers();
        Self {
            server,
            listener: None,
            last,
            nudge_handlers: Box::new(nudge_handlers),
            back_off: BackOff::default(),
        }
    }

    /// The next connection, in the order of arrival; `None` when a stop was requested and all that had arrived by then
    /// has been given out (or the drain time-out has passed). At `--max-conns` it waits for a connection to leave.
    ///
    /// # Errors
    /// The listener is broken.
    pub fn next_connection(&mut self) -> io::Result<Option<Connection>> {
        loop {
            if signals::stop_requested().is_some() {
                self.drain();
            }
            ending::report_if_asked(self.server);
            let draining = self.listener.is_none();
            if draining && Instant::now() >= self.server.drain_deadline() {
                self.give_up_the_last();
            }
            if draining && self.last.is_empty() {
                return Ok(None);
            }
            let deadline = draining.then(|| self.server.drain_deadline());
            if !seats::wait_for_one(self.server.counters, self.server.options.max_connections, deadline) {
                if draining {
                    self.give_up_the_last();
                }
                continue;
            }
            if let Some((stream, peer)) = self.take()? {
                return Ok(Some(Connection::new(stream, peer, Seat::take(self.server.counters))));
            }
        }
    }

    /// From now on nothing new is accepted: empties the backlog, closes the listener and nudges the handlers. Called
    /// again it does nothing. (The queued clients come first: a closing listener resets them.)
    pub fn drain(&mut self) {
        let Some((_, listener)) = &self.listener else { return };
        self.last = closing::take_the_last(slice::from_ref(listener), self.server);
        self.listener = None;
        self.server.start_draining();
        (self.nudge_handlers)();
    }

    /// Closes the listener and what waited in the backlog: for a forked child, which has copies of them.
    #[inline(always)] // what a child runs should stand together: see `common::process::fork`
    pub fn close(&mut self) {
        self.listener = None;
        self.last.clear();
    }

    /// One connection; `None` if there was none this time.
    fn take(&mut self) -> io::Result<Option<(TcpStream, SocketAddr)>> {
        let Some((_, listener)) = &self.listener else { return Ok(self.last.pop_front()) };
        match interruptible(listener) {
            Ok(connection) => {
                self.back_off.reset();
                Ok(Some(connection))
            }
            Err(e) => {
                if let Some(wait) = judge(&e, self.server, &mut self.back_off)? {
                    signals::pause(wait);
                }
                Ok(None)
            }
        }
    }

    fn give_up_the_last(&mut self) {
        self.server.counters.cut(self.last.len());
        self.last.clear();
    }
}

/// Accepts as the standard library does, except that a signal ends it (with `EINTR`): for a worker that has to notice one.
///
/// # Errors
/// As `accept(2)`.
pub fn interruptible(listener: &TcpListener) -> io::Result<(TcpStream, SocketAddr)> {
    let (socket, peer) = acceptfrom_with(listener, SocketFlags::CLOEXEC)?;
    let peer = peer.and_then(|peer| SocketAddr::try_from(peer).ok());
    // who is gone already may have no address any more
    let peer = peer.unwrap_or_else(|| SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0)));
    Ok((socket.into(), peer))
}

/// Whether this error of `accept` says that [`closing::stop_listening`] was called.
#[must_use]
pub fn is_over(error: &io::Error, server: &Server) -> bool {
    error.raw_os_error() == Some(libc::EINVAL) && (server.drains() || signals::stop_requested().is_some())
}

/// Counts an error of `accept`, tells the user where it is worth it, and gives how long to wait before the next try.
///
/// # Errors
/// The listener is broken.
pub fn judge(error: &io::Error, server: &Server, back_off: &mut BackOff) -> io::Result<Option<Duration>> {
    match verdict(error) {
        Verdict::Again => Ok(None),
        Verdict::Gone => {
            server.counters.problem(Problem::Accept);
            Ok(None)
        }
        Verdict::Exhausted => {
            server.counters.problem(Problem::Exhausted);
            server.log.complain(format_args!("cannot accept: {error}; clients wait until it passes"));
            Ok(Some(back_off.next_wait()))
        }
        Verdict::Fatal => Err(io::Error::new(error.kind(), format!("accept: {error}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_error_number_has_a_verdict_and_few_are_fatal() {
        let fatal: Vec<i32> =
            (1..200).filter(|n| verdict(&io::Error::from_raw_os_error(*n)) == Verdict::Fatal).collect();
        assert_eq!(fatal, [libc::EBADF, libc::EFAULT, libc::EINVAL, libc::ENOTSOCK]);
        for exhausted in [libc::EMFILE, libc::ENFILE, libc::ENOBUFS, libc::ENOMEM] {
            assert_eq!(verdict(&io::Error::from_raw_os_error(exhausted)), Verdict::Exhausted);
        }
        assert_eq!(verdict(&io::Error::from_raw_os_error(libc::ECONNABORTED)), Verdict::Gone);
        assert_eq!(verdict(&io::Error::from_raw_os_error(libc::EINTR)), Verdict::Again);
    }

    #[test]
    fn the_back_off_doubles_and_stays_under_a_second() {
        let mut back_off = BackOff::default();
        let waits: Vec<u128> = (0..40).map(|_| back_off.next_wait().as_millis()).collect();
        assert_eq!(waits[..4], [5, 10, 20, 40]);
        assert!(waits.iter().all(|w| *w <= 500));
        back_off.reset();
        assert_eq!(back_off.next_wait().as_millis(), 5);
    }
}

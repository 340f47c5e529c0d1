//! How a loop gets new connections from a listener that it watches.

use std::io;
use std::net::{SocketAddr, TcpListener as StdListener};
use std::time::{Duration, Instant};

use mio::net::{TcpListener, TcpStream};
use mio::{Interest, Poll};
use nix::sys::epoll::{Epoll, EpollEvent, EpollFlags};

use super::mail::Crowd;
use super::reactor::LISTENER;
use crate::accept::{self, BackOff};
use crate::cli::Accept;
use crate::resumable::would_block;
use crate::seats::Seat;
use crate::server::Server;
use crate::sys::descriptor;

/// A loop's side of a listener.
pub(super) struct Intake {
    /// `None`: connections come from elsewhere, or none comes any more.
    listener: Option<TcpListener>,
    /// Somebody may be waiting: the loop has been told so, and has not found that nobody is.
    ready: bool,
    /// There was no seat: the next wake-up is a reason to look again.
    full: bool,
    back_off: BackOff,
    /// After an exhausted accept: not before this time again.
    not_before: Option<Instant>,
}

impl Intake {
    /// Of a loop that is handed its connections.
    pub(super) fn none() -> Self {
        Self { listener: None, ready: false, full: false, back_off: BackOff::default(), not_before: None }
    }

    /// Watches the listener from now on, as all loops do that share it.
    pub(super) fn of(listener: &StdListener, accept: Accept, poll: &Poll) -> io::Result<Self> {
        listener.set_nonblocking(true)?;
        let mut own = TcpListener::from_std(listener.try_clone()?);
        if accept == Accept::Exclusive {
            // mio does not offer this flag, but its poll is an epoll
            let epoll = Epoll(descriptor::copy_of(poll)?);
            let flags = EpollFlags::EPOLLIN | EpollFlags::EPOLLET | EpollFlags::EPOLLEXCLUSIVE;
            epoll.add(&own, EpollEvent::new(flags, LISTENER.0 as u64))?;
        } else {
            poll.registry().register(&mut own, LISTENER, Interest::READABLE)?;
        }
        Ok(Self { listener: Some(own), ready: true, ..Self::none() })
    }

    /// The listener has become readable.
    pub(super) fn is_ready(&mut self) {
        self.ready = true;
    }

    /// Something has happened: a seat may be free again.
    pub(super) fn look_again(&mut self) {
        self.full = false;
    }

    /// Whether there may be somebody to accept right now.
    pub(super) fn may_accept(&self) -> bool {
        self.ready && !self.full && self.listener.is_some() && self.not_before.is_none_or(|at| at <= Instant::now())
    }

    /// When to try again, if the loop must not wait for an event.
    pub(super) fn retry(&self) -> Option<Duration> {
        self.not_before.filter(|_| self.ready).map(|at| at.saturating_duration_since(Instant::now()))
    }

    /// The next one who waits; `None` if there is nobody, or no seat for anybody.
    ///
    /// # Errors
    /// The listener is broken.
    pub(super) fn next(
        &mut self,
        crowd: &Crowd,
        server: &'static Server,
    ) -> io::Result<Option<(TcpStream, SocketAddr, Seat)>> {
        let Self { listener: Some(listener), .. } = self else { return Ok(None) };
        let seats = server.options.max_connections;
        self.not_before = None;
        loop {
            let mut taken = Seat::take_with(server.counters, seats, || listener.accept());
            if let Ok(None) = taken {
                crowd.is_hungry();
                // the last one may have left just before that was said
                taken = Seat::take_with(server.counters, seats, || listener.accept());
            }
            match taken {
                Ok(Some(((stream, peer), seat))) => {
                    self.back_off.reset();
                    return Ok(Some((stream, peer, seat)));
                }
                // whoever gives back a seat wakes this loop
                Ok(None) => {
                    self.full = true;
                    return Ok(None);
                }
                Err(e) => {
                    // for a moment this seat was not free
                    crowd.seat_is_free();
                    if would_block(&e) {
                        self.ready = false;
                        return Ok(None);
                    }
                    if accept::is_over(&e, server) {
                        self.listener = None;
                        return Ok(None);
                    }
                    if let Some(wait) = accept::judge(&e, server, &mut self.back_off)? {
                        self.not_before = Some(Instant::now() + wait);
                        return Ok(None);
                    }
                }
            }
        }
    }
}

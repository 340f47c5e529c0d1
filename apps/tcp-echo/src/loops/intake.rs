//! How a loop gets new connections from a listener that it watches: when to accept, and for whom there is a seat.

use std::io;
use std::net::{SocketAddr, TcpListener as StdListener};
use std::time::{Duration, Instant};

use mio::net::{TcpListener, TcpStream};

use super::crowd::Crowd;
use crate::accept::{self, BackOff};
use crate::resumable::would_block;
use crate::seats::Seat;
use crate::server::Server;

/// A loop's side of a listener.
pub(crate) struct Intake {
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
    pub(crate) fn none() -> Self {
        Self { listener: None, ready: false, full: false, back_off: BackOff::default(), not_before: None }
    }

    /// Of a loop that watches this listener itself.
    pub(crate) fn of(listener: &StdListener) -> io::Result<Self> {
        listener.set_nonblocking(true)?;
        Ok(Self { listener: Some(TcpListener::from_std(listener.try_clone()?)), ready: true, ..Self::none() })
    }

    /// The listener, for whoever watches it; `None` when nobody listens any more.
    pub(crate) fn listener(&mut self) -> Option<&mut TcpListener> {
        self.listener.as_mut()
    }

    /// Nobody listens any more.
    pub(crate) fn close(&mut self) {
        self.listener = None;
    }

    /// The listener has become readable.
    pub(crate) fn is_ready(&mut self) {
        self.ready = true;
    }

    /// Something has happened: a seat may be free again.
    pub(crate) fn look_again(&mut self) {
        self.full = false;
    }

    /// Whether there may be somebody to accept right now.
    pub(crate) fn may_accept(&self) -> bool {
        self.ready
            && !self.full
            && self.listener.is_some()
            && self.not_before.is_none_or(|at| at <= Instant::now())
    }

    /// Somebody waits whom the loop will accept itself: when it wakes up, at a certain time, or when there is a seat.
    pub(crate) fn is_waiting(&self) -> bool {
        self.ready
    }

    /// When to try again, if the loop must not wait for an event.
    pub(crate) fn retry(&self) -> Option<Duration> {
        self.not_before.filter(|_| self.ready).map(|at| at.saturating_duration_since(Instant::now()))
    }

    /// The next one who waits; `None` if there is nobody, or no seat for anybody.
    ///
    /// # Errors
    /// The listener is broken.
    pub(crate) fn next<Mail>(
        &mut self,
        crowd: &Crowd<Mail>,
        server: &'static Server,
    ) -> io::Result<Option<(TcpStream, SocketAddr, Seat)>> {
        let seats = server.options.max_connections;
        self.not_before = None;
        loop {
            let Some(listener) = &self.listener else { return Ok(None) };
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
                    self.failed(&e, server)?;
                    if !self.may_accept() {
                        return Ok(None);
                    }
                }
            }
        }
    }

    /// Accepting has failed in this way: the next try is at once, after a while, or never.
    ///
    /// # Errors
    /// The listener is broken.
    pub(crate) fn failed(&mut self, error: &io::Error, server: &Server) -> io::Result<()> {
        if accept::is_over(error, server) {
            self.close();
        } else if let Some(wait) = accept::judge(error, server, &mut self.back_off)? {
            self.not_before = Some(Instant::now() + wait);
        }
        Ok(())
    }
}

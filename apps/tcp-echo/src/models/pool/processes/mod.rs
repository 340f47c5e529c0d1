//! The pool whose workers are processes, forked at the start. The parent accepts and passes each connection's
//! descriptor to a free worker; it keeps its own copy until the worker has said that it has it, so a worker that dies
//! with a connection still in its mail loses nothing. A worker that dies is replaced.
//!
//! The parent has one thread and one loop: it waits for the listener, the workers and the stop signal in one `poll`.

mod channel;
mod crew;
mod worker;

use std::collections::VecDeque;
use std::io;
use std::net::TcpListener;
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use common::signals;
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use super::{OnFull, Settings};
use crate::accept::{self, BackOff};
use crate::handler::Connection;
use crate::seats::Seat;
use crate::server::Server;
use crate::stats::Problem;
use crew::Crew;

/// The longest sleep; everything that matters wakes the parent.
const LONGEST_SLEEP: Duration = Duration::from_secs(60);

/// Serves until a stop is requested and the connections have drained.
pub(crate) fn serve(listener: TcpListener, server: &'static Server, settings: Settings) -> io::Result<()> {
    listener.set_nonblocking(true)?;
    let mut parent = Parent {
        server,
        settings,
        listener: Some(listener),
        queue: VecDeque::new(),
        crew: Crew::new(settings.workers, server),
        back_off: BackOff::default(),
        accept_from: Instant::now(),
        pass_from: Instant::now(),
    };
    parent.crew.start(&mut parent.listener, &mut parent.queue)?;
    while !parent.is_done() {
        parent.wait_for_news();
        parent.take_in()?;
        parent.crew.replace_the_dead(&mut parent.listener, &mut parent.queue);
        parent.hand_out();
    }
    parent.crew.dismiss();
    Ok(())
}

struct Parent {
    server: &'static Server,
    settings: Settings,
    /// `None` once the server drains.
    listener: Option<TcpListener>,
    /// Accepted connections that wait for a worker, the oldest first.
    queue: VecDeque<Connection>,
    crew: Crew,
    back_off: BackOff,
    /// After an exhausted accept: not before this time again.
    accept_from: Instant,
    /// After a connection could not be passed: not before this time again.
    pass_from: Instant,
}

impl Parent {
    /// Sleeps until something happens, then hears what the workers say and notices a stop request.
    fn wait_for_news(&mut self) {
        let mut watched: Vec<PollFd> = Vec::with_capacity(self.settings.workers + 2);
        let readable = |fd| PollFd::new(fd, PollFlags::POLLIN);
        watched.extend(self.crew.channels().map(readable));
        let workers = watched.len();
        watched.extend(signals::wake_descriptor().map(|wake| readable(wake.as_fd())));
        let listener = self.listener.as_ref().filter(|_| self.may_accept());
        watched.extend(listener.map(|listener| readable(listener.as_fd())));
        match poll(&mut watched, self.sleep()) {
            Ok(_) | Err(Errno::EINTR) => {}
            Err(_) => std::thread::sleep(Duration::from_millis(10)),
        }
        let spoken: Vec<bool> = watched[..workers].iter().map(|fd| fd.any() == Some(true)).collect();
        drop(watched);
        self.crew.listen(&spoken, &mut self.queue);
        if let Some(wake) = signals::wake_descriptor() {
            let _ = wake.read();
        }
        if signals::stop_requested().is_some() {
            self.drain();
        }
    }

    fn may_accept(&self) -> bool {
        let room = self.queue.len() < self.settings.queue_capacity || self.settings.on_full == OnFull::Reject;
        let seats = self.server.counters.active() < self.server.options.max_connections;
        room && seats && self.accept_from <= Instant::now()
    }

    /// Until the next thing that happens by the clock.
    fn sleep(&self) -> PollTimeout {
        let now = Instant::now();
        let accept = (self.accept_from > now).then_some(self.accept_from);
        let cut = self.listener.is_none().then(|| self.server.drain_deadline());
        let pass = (self.pass_from > now).then_some(self.pass_from);
        let next = [accept, pass, cut, self.crew.next_replacement()].into_iter().flatten().min();
        let span =
            next.map_or(LONGEST_SLEEP, |at| at.saturating_duration_since(now) + Duration::from_millis(1));
        PollTimeout::try_from(span.min(LONGEST_SLEEP)).unwrap_or(PollTimeout::MAX)
    }

    /// Accepts what there is and what there is room for.
    fn take_in(&mut self) -> io::Result<()> {
        while self.may_accept() {
            let Some(listener) = &self.listener else { return Ok(()) };
            match listener.accept() {
                Ok((stream, peer)) => {
                    self.back_off.reset();
                    let seat = Seat::take(self.server.counters);
                    self.enqueue(Connection { stream, peer, seat });
                }
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(e) => {
                    if let Some(wait) = accept::judge(&e, self.server, &mut self.back_off)? {
                        self.accept_from = Instant::now() + wait;
                    }
                }
            }
        }
        Ok(())
    }

    /// A full queue is only seen here with `--on-full reject`.
    fn enqueue(&mut self, connection: Connection) {
        self.queue.push_back(connection);
        self.hand_out();
        if self.queue.len() > self.settings.queue_capacity {
            self.queue.pop_back();
            self.server.counters.problem(Problem::Rejected);
            self.server.log.complain("the queue is full: connections are closed");
        }
    }

    fn hand_out(&mut self) {
        if self.pass_from <= Instant::now()
            && let Some(wait) = self.crew.hand_out(&mut self.queue)
        {
            self.pass_from = Instant::now() + wait;
        }
    }

    /// A stop was requested: takes what waits in the backlog, closes the listener, nudges the workers.
    fn drain(&mut self) {
        let Some(listener) = self.listener.take() else { return };
        for (stream, peer) in accept::empty_backlog(&listener, self.server) {
            self.queue.push_back(Connection { stream, peer, seat: Seat::take(self.server.counters) });
        }
        drop(listener);
        self.server.start_draining();
        self.crew.nudge();
    }

    /// Draining, and nothing is left or the time is over.
    fn is_done(&mut self) -> bool {
        if self.listener.is_some() {
            return false;
        }
        if self.server.counters.active() == 0 {
            return true;
        }
        let late = Instant::now() >= self.server.drain_deadline();
        if late {
            self.server.counters.cut(self.server.counters.active() as usize);
        }
        late
    }
}

//! The parent of worker processes: one thread and one loop. It waits for the workers, the stop signal and, where it
//! accepts for them, the listener in one `poll`.

use std::collections::VecDeque;
use std::io;
use std::net::TcpListener;
use std::os::fd::AsFd;
use std::slice;
use std::time::{Duration, Instant};

use common::signals;
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use super::{Crew, Job, Life};
use crate::accept::{self, BackOff};
use crate::closing;
use crate::ending;
use crate::handler::Connection;
use crate::mode_options::OnFull;
use crate::mode_options::Order;
use crate::seats::Seat;
use crate::server::Server;
use crate::stats::Problem;

/// The longest sleep; everything that matters wakes the parent.
const LONGEST_SLEEP: Duration = Duration::from_secs(60);

/// Where connections come from.
pub(crate) enum Source {
    /// The parent accepts, and passes connections to its workers.
    Parent(TcpListener),
    /// The workers accept for themselves.
    Workers(&'static [TcpListener]),
    /// The server drains.
    Closed,
}

pub(crate) struct Parent {
    server: &'static Server,
    source: Source,
    /// Accepted connections that wait for a worker, the oldest first.
    queue: VecDeque<Connection>,
    order: Order,
    capacity: usize,
    on_full: OnFull,
    crew: Crew,
    back_off: BackOff,
    /// After an exhausted accept: not before this time again.
    accept_from: Instant,
    /// After a connection could not be passed: not before this time again.
    pass_from: Instant,
}

impl Parent {
    /// Prepares; `capacity` connections may wait for a worker.
    pub(crate) fn new(
        source: Source,
        workers: usize,
        life: Life,
        server: &'static Server,
        (order, capacity, on_full): (Order, usize, OnFull),
    ) -> Self {
        let first_job = match source {
            Source::Workers(_) => || Job::AcceptsForItself,
            Source::Parent(_) | Source::Closed => || Job::Free,
        };
        Self {
            server,
            source,
            queue: VecDeque::new(),
            order,
            capacity,
            on_full,
            crew: Crew::new(workers, server, life, first_job),
            back_off: BackOff::default(),
            accept_from: Instant::now(),
            pass_from: Instant::now(),
        }
    }

    /// Makes the workers and serves until a stop is requested and the connections have drained.
    pub(crate) fn serve(mut self) -> io::Result<()> {
        if let Source::Parent(listener) = &self.source {
            listener.set_nonblocking(true)?;
        }
        self.crew.start(&mut || close_in_child(&mut self.source, &mut self.queue))?;
        self.server.ready()?;
        while !self.is_done() {
            self.wait_for_news();
            self.take_in()?;
            self.crew.replace_the_dead(&mut || close_in_child(&mut self.source, &mut self.queue));
            self.hand_out();
        }
        self.crew.dismiss();
        Ok(())
    }

    /// Sleeps until something happens, then hears what the workers say and notices a stop request.
    fn wait_for_news(&mut self) {
        let mut watched: Vec<PollFd> = Vec::new();
        let readable = |fd| PollFd::new(fd, PollFlags::POLLIN);
        watched.extend(self.crew.channels().map(readable));
        let workers = watched.len();
        watched.extend(signals::wake_descriptor().map(|wake| readable(wake.as_fd())));
        if let Source::Parent(listener) = &self.source
            && self.may_accept()
        {
            watched.push(readable(listener.as_fd()));
        }
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
        ending::report_if_asked(self.server);
        if signals::stop_requested().is_some() {
            self.drain();
        }
    }

    fn may_accept(&self) -> bool {
        let room = self.queue.len() < self.capacity || self.on_full == OnFull::Reject;
        let seats = self.server.counters.seats() < self.server.options.max_connections;
        room && seats && self.accept_from <= Instant::now()
    }

    /// Until the next thing that happens by the clock.
    fn sleep(&self) -> PollTimeout {
        let now = Instant::now();
        let accept = (self.accept_from > now).then_some(self.accept_from);
        let cut = matches!(self.source, Source::Closed).then(|| self.server.drain_deadline());
        let pass = (self.pass_from > now).then_some(self.pass_from);
        let next = [accept, pass, cut, self.crew.next_replacement()].into_iter().flatten().min();
        let span =
            next.map_or(LONGEST_SLEEP, |at| at.saturating_duration_since(now) + Duration::from_millis(1));
        PollTimeout::try_from(span.min(LONGEST_SLEEP)).unwrap_or(PollTimeout::MAX)
    }

    /// Accepts what there is and what there is room for.
    fn take_in(&mut self) -> io::Result<()> {
        while self.may_accept() {
            let Source::Parent(listener) = &self.source else { return Ok(()) };
            match listener.accept() {
                Ok((stream, peer)) => {
                    self.back_off.reset();
                    let seat = Seat::take(self.server.counters);
                    self.enqueue(Connection::new(stream, peer, seat));
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
        self.server.counters.queue.put(self.queue.len());
        self.hand_out();
        if self.queue.len() > self.capacity {
            self.queue.pop_back();
            self.server.counters.problem(Problem::Rejected);
            self.server.log.complain("the queue is full: connections are closed");
        }
    }

    fn hand_out(&mut self) {
        if self.pass_from <= Instant::now()
            && let Some(wait) = self.crew.hand_out(&mut self.queue, self.order)
        {
            self.pass_from = Instant::now() + wait;
        }
    }

    /// A stop was requested: takes what waits in the backlogs, stops listening, nudges the workers.
    fn drain(&mut self) {
        if matches!(self.source, Source::Closed) {
            return;
        }
        // first, so that workers that find nobody listening any more know why
        self.server.start_draining();
        let last = match std::mem::replace(&mut self.source, Source::Closed) {
            Source::Closed => VecDeque::new(),
            Source::Parent(listener) => closing::stop_listening(slice::from_ref(&listener), self.server),
            Source::Workers(listeners) => closing::stop_listening(listeners, self.server),
        };
        for (stream, peer) in last {
            let seat = Seat::take(self.server.counters);
            self.queue.push_back(Connection::new(stream, peer, seat));
        }
        self.crew.nudge();
    }

    /// Draining, and nothing is left or the time is over.
    fn is_done(&mut self) -> bool {
        if !matches!(self.source, Source::Closed) {
            return false;
        }
        // (not: no seat is taken. A worker may have accepted somebody and not said so yet; it is free when it says so)
        if self.queue.is_empty() && self.crew.is_idle() {
            return true;
        }
        let late = Instant::now() >= self.server.drain_deadline();
        if late {
            self.server.counters.cut(self.server.counters.active() as usize);
        }
        late
    }
}

/// What a forked worker does not need. (The listeners of those that accept for themselves it does need.)
fn close_in_child(source: &mut Source, queue: &mut VecDeque<Connection>) {
    if let Source::Parent(_) = source {
        *source = Source::Closed;
    }
    queue.drain(..).for_each(|connection| connection.seat.stays_with_parent());
}

//! One client thread: a readiness loop over its share of the connections.
//!
//! How: edge-triggered, so a socket is registered once and read once an event (the number of bytes that may come is
//! known, and bytes that come later raise a new event). Writability is watched only during a connect or after a full
//! socket. Time limits are looked at in a sweep, there is no timer for each request. Cost: `epoll_wait` (shared by a
//! batch), `recv`, `send`, and a clock reading without a system call; no allocation, no lock, no output. Where it
//! breaks: a sweep is linear in the connections, which is nothing up to some 100,000.

use std::io;
use std::net::SocketAddr;
use std::sync::mpsc;
use std::time::Duration;

use common::net::{Connected, connect_nonblocking};
use mio::event::Event;
use mio::net::TcpStream;
use mio::{Events, Poll, Token, Waker};
use nix::time::{ClockId, clock_gettime};

use super::connection::{Connection, State};
use super::failure;
use super::phase::{Phase, Shared};
use super::sources::Sources;
use crate::measure::{Class, Tally};
use crate::pace;
use crate::plan::Load;

/// Bytes received at once.
const BUFFER: usize = 256 * 1024;
/// Events handled in one batch.
const EVENTS: usize = 1024;
/// Connects under way at a time while ramping up, and how many are begun before the loop looks at its events again.
const CONNECTING: usize = 64;
/// The longest sleep without any event.
const NAP: u64 = 50_000_000;
/// The token of the conductor's waker.
const WAKE: Token = Token(usize::MAX);

/// A thread has reached what its phase waits for.
#[derive(Debug, Clone, Copy)]
pub struct Arrival {
    /// Which thread.
    pub worker: usize,
    /// Which phase.
    pub phase: Phase,
    /// When, in nanoseconds of the trial.
    pub at: u64,
    /// CPU time of the thread so far.
    pub cpu: Duration,
}

/// What a thread brings home.
#[derive(Debug)]
pub struct Share {
    /// Ramp and warm-up.
    pub earlier: Tally,
    /// Measuring and draining.
    pub measured: Tally,
    /// Requests under way when the measuring began.
    pub carried_in: u64,
    /// Requests under way at the end.
    pub carried_out: u64,
    /// Slots that ever had a connection.
    pub established: usize,
    /// Slots that ever had a reply.
    pub served: usize,
}

/// The thread's state.
#[derive(Debug)]
pub struct Worker<'a> {
    index: usize,
    load: &'a Load,
    target: SocketAddr,
    shared: &'a Shared,
    arrivals: mpsc::Sender<Arrival>,
    poll: Poll,
    buffer: Box<[u8]>,
    connections: Vec<Connection>,
    sources: Sources,
    phase: Phase,
    arrived: bool,
    /// The number of the next connection: part of every message.
    number: u32,
    /// Slots that the ramp has opened already.
    ramped: usize,
    /// Connects under way.
    connecting: usize,
    next_sweep: u64,
    tallies: [Tally; 2],
    /// Which tally counts now: 0 before the measuring, 1 from its start.
    stretch: usize,
    carried_in: u64,
}

impl<'a> Worker<'a> {
    /// Allocates all that the thread will need, and the means to wake it.
    ///
    /// # Errors
    /// No descriptors left for the event queue.
    pub fn new(
        index: usize,
        connections: usize,
        load: &'a Load,
        target: SocketAddr,
        shared: &'a Shared,
        arrivals: mpsc::Sender<Arrival>,
    ) -> io::Result<(Self, Waker)> {
        let poll = Poll::new()?;
        let waker = Waker::new(poll.registry(), WAKE)?;
        let worker = Self {
            index,
            load,
            target,
            shared,
            arrivals,
            poll,
            buffer: vec![0; BUFFER].into_boxed_slice(),
            connections: (0..connections).map(|_| Connection::new(load.size, load.depth)).collect(),
            sources: Sources::new(target, load.churns(), load.connections, index * 7),
            phase: Phase::Ramp,
            arrived: false,
            number: (index as u32) << 24,
            ramped: 0,
            connecting: 0,
            next_sweep: 0,
            tallies: [Tally::new(), Tally::new()],
            stretch: 0,
            carried_in: 0,
        };
        Ok((worker, waker))
    }

    /// Works until the conductor says that it is over.
    ///
    /// # Errors
    /// The event queue failed: nothing can be measured any more.
    pub fn run(mut self) -> io::Result<Share> {
        let mut events = Events::with_capacity(EVENTS);
        let mut now = self.shared.now();
        loop {
            let phase = self.shared.phase();
            if phase != self.phase {
                self.enter(phase, now);
            }
            match self.phase {
                Phase::Finish => return Ok(self.bring_home()),
                Phase::Ramp => self.ramp(),
                _ => {}
            }
            self.arrive(now);
            match self.poll.poll(&mut events, Some(self.nap(now))) {
                Err(e) if e.kind() != io::ErrorKind::Interrupted => return Err(e),
                _ => {}
            }
            now = self.shared.now();
            for event in &events {
                if event.token() != WAKE {
                    self.on_event(event, now);
                }
            }
            self.shared.progress[self.index].set(self.tallies[0].ok + self.tallies[1].ok);
            if now >= self.next_sweep {
                self.sweep(now);
            }
        }
    }

    fn nap(&self, now: u64) -> Duration {
        if self.phase == Phase::Ramp && self.ramped < self.connections.len() && self.connecting < CONNECTING {
            return Duration::from_millis(1);
        }
        Duration::from_nanos(self.next_sweep.saturating_sub(now).clamp(1_000_000, NAP))
    }

    fn enter(&mut self, phase: Phase, now: u64) {
        self.phase = phase;
        self.arrived = false;
        if phase == Phase::Measure {
            self.stretch = 1;
            self.carried_in = self.in_flight();
        }
        if !phase.sends() {
            return;
        }
        for slot in 0..self.connections.len() {
            match self.connections[slot].state {
                State::Empty => self.open(slot),
                State::Open => self.send_more(slot, now),
                State::Connecting(_) | State::Pausing(_) => {}
            }
        }
        self.next_sweep = now;
    }

    fn ramp(&mut self) {
        let end = self.connections.len().min(self.ramped + CONNECTING);
        while self.ramped < end && self.connecting < CONNECTING {
            self.open(self.ramped);
            self.ramped += 1;
        }
    }

    /// Tells the conductor, once a phase, that what the phase waits for has come.
    fn arrive(&mut self, now: u64) {
        let there = match self.phase {
            Phase::Ramp => self.ramped == self.connections.len() && self.connecting == 0,
            Phase::Settle | Phase::Drain => !self.busy(),
            Phase::Measure => self.shared.budget.used_up() && !self.busy(),
            Phase::Warm | Phase::Finish => false,
        };
        if there && !self.arrived {
            self.arrived = true;
            let arrival = Arrival { worker: self.index, phase: self.phase, at: now, cpu: cpu_time() };
            // the conductor is gone only if it has failed; then the phase is Finish very soon
            let _ = self.arrivals.send(arrival);
        }
    }

    /// Whether a reply is still awaited, other than on connections that nobody serves.
    fn busy(&self) -> bool {
        self.connections.iter().any(|c| c.ping.in_flight() > 0 && !self.is_left_waiting(c))
    }

    /// A connection that waits for its very first reply while others are served: a pool with fewer workers than
    /// connections does that, and it is no error. Where connections are replaced all the time, or the connection
    /// itself replaced a failed one, everybody's turn must come.
    fn is_left_waiting(&self, connection: &Connection) -> bool {
        connection.first && !connection.served && !self.load.churns() && self.shared.anybody_served()
    }

    fn on_event(&mut self, event: &Event, now: u64) {
        let slot = event.token().0;
        let Some(connection) = self.connections.get(slot) else { return };
        if let State::Connecting(since) = connection.state {
            match connection.connected() {
                Ok(true) => self.established(slot, since, now),
                Ok(false) => {}
                Err(e) => self.fail(slot, failure::of_connect(&e), e.raw_os_error()),
            }
        } else if event.is_writable() {
            self.flush(slot);
        }
        if event.is_readable() || event.is_read_closed() || event.is_error() {
            self.receive(slot, event.is_read_closed() || event.is_error());
        }
    }

    fn open(&mut self, slot: usize) {
        if self.phase == Phase::Measure && self.shared.budget.used_up() {
            return;
        }
        let since = self.shared.now();
        let (socket, connected) = match connect_nonblocking(self.target, self.sources.take()) {
            Ok(begun) => begun,
            Err(e) => return self.fail(slot, failure::of_connect(&e), e.raw_os_error()),
        };
        let stream = TcpStream::from_std(socket.into());
        self.number = self.number.wrapping_add(1);
        self.connections[slot].begin(stream, self.number, State::Connecting(since));
        self.connecting += 1;
        if connected == Connected::Yes {
            // on loopback the handshake is over already: send before anything else is done
            self.established(slot, since, self.shared.now());
        }
        let connection = &mut self.connections[slot];
        let writable = match connection.state {
            State::Connecting(_) => true,
            State::Open => !connection.ping.to_send().is_empty(),
            State::Empty | State::Pausing(_) => return,
        };
        if let Err(e) = connection.watch(self.poll.registry(), Token(slot), writable) {
            self.fail(slot, Class::ClientSide, e.raw_os_error());
        }
    }

    fn established(&mut self, slot: usize, since: u64, now: u64) {
        self.connecting -= 1;
        let connection = &mut self.connections[slot];
        connection.state = State::Open;
        if !connection.established {
            connection.established = true;
            self.shared.note_established();
        }
        let tally = &mut self.tallies[self.stretch];
        tally.opened += 1;
        tally.connect.record(now - since, 1);
        if self.phase.sends() {
            self.send_more(slot, now);
        }
    }

    fn send_more(&mut self, slot: usize, now: u64) {
        let connection = &mut self.connections[slot];
        let wanted = pace::may_send(connection.ping.free(), connection.sent, self.load.reconnect);
        let count = if self.phase == Phase::Measure { self.shared.budget.take(wanted) } else { wanted };
        if count > 0 {
            connection.ping.queue(count, now);
            connection.sent += count as u64;
            self.tallies[self.stretch].scheduled += count as u64;
        }
        self.flush(slot);
    }

    fn flush(&mut self, slot: usize) {
        let connection = &mut self.connections[slot];
        let result = connection
            .flush()
            .and_then(|all| connection.watch_writable(self.poll.registry(), Token(slot), !all));
        if let Err(e) = result {
            self.fail(slot, failure::of_transfer(&e), e.raw_os_error());
        }
    }

    /// Reads once; more often only if the buffer was full or the peer has closed, because then no event comes again.
    fn receive(&mut self, slot: usize, closing: bool) {
        let connection = &mut self.connections[slot];
        let tally = &mut self.tallies[self.stretch];
        let (mut complete, mut now) = (0, 0);
        let closed = loop {
            let count = match connection.receive(&mut self.buffer) {
                Ok(None) => break false,
                Ok(Some(0)) => break true,
                Ok(Some(count)) => count,
                Err(e) => return self.fail(slot, failure::of_transfer(&e), e.raw_os_error()),
            };
            now = self.shared.now();
            match connection.ping.received(&self.buffer[..count], now, |time, n| tally.reply.record(time, n))
            {
                Ok(replies) => {
                    complete += replies;
                    tally.ok += replies as u64;
                }
                Err(wrong) => {
                    tally.losses.note_wrong(wrong);
                    return self.fail(slot, Class::Corrupt, None);
                }
            }
            if count < self.buffer.len() && !closing {
                break false;
            }
        };
        if complete > 0 {
            connection.failures = 0;
            if !connection.served {
                connection.served = true;
                self.shared.note_served();
            }
        }
        if connection.ping.in_flight() == 0
            && self.load.reconnect.is_some_and(|limit| connection.sent >= limit)
        {
            connection.end(State::Empty);
            if self.phase.sends() {
                self.open(slot);
            }
        } else if closed {
            self.fail(slot, Class::ClosedEarly, None);
        } else if complete > 0 && self.phase.sends() {
            self.send_more(slot, now);
        }
    }

    /// Counts a failed connection with what was in flight on it, and plans its replacement.
    fn fail(&mut self, slot: usize, class: Class, errno: Option<i32>) {
        let connection = &mut self.connections[slot];
        self.tallies[self.stretch].losses.add(class, errno, connection.ping.in_flight() as u64);
        self.shared.note_failure(class, errno);
        if matches!(connection.state, State::Connecting(_)) {
            self.connecting -= 1;
        }
        connection.failures = connection.failures.saturating_add(1);
        let due = self.shared.now() + pace::pause_after(connection.failures);
        connection.end(State::Pausing(due));
        self.next_sweep = self.next_sweep.min(due);
    }

    /// Looks at every time limit and every pause, and notes when to look again.
    fn sweep(&mut self, now: u64) {
        let timeout = u64::try_from(self.load.timeout.as_nanos()).unwrap_or(u64::MAX);
        self.next_sweep = now + pace::sweep_interval(timeout);
        for slot in 0..self.connections.len() {
            let connection = &self.connections[slot];
            let late = |since: u64| now.saturating_sub(since) > timeout;
            match connection.state {
                State::Connecting(since) if late(since) => self.fail(slot, Class::ConnectTimedOut, None),
                State::Open
                    if connection.ping.oldest().is_some_and(late) && !self.is_left_waiting(connection) =>
                {
                    self.fail(slot, Class::TimedOut, None);
                }
                State::Pausing(due) if self.phase.sends() && due <= now => self.open(slot),
                State::Pausing(due) if self.phase.sends() => self.next_sweep = self.next_sweep.min(due),
                _ => {}
            }
        }
    }

    fn in_flight(&self) -> u64 {
        self.connections.iter().map(|c| c.ping.in_flight() as u64).sum()
    }

    fn bring_home(self) -> Share {
        let carried_out = self.in_flight();
        let [earlier, measured] = self.tallies;
        Share {
            earlier,
            measured,
            carried_in: self.carried_in,
            carried_out,
            established: self.connections.iter().filter(|c| c.established).count(),
            served: self.connections.iter().filter(|c| c.served).count(),
        }
    }
}

fn cpu_time() -> Duration {
    clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).map(Duration::from).unwrap_or_default()
}

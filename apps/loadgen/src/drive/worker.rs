//! One client thread: a readiness loop over its share of the connections.
//!
//! How: edge-triggered, so a socket is registered once and read once an event (the number of bytes that may come is
//! known, and bytes that come later raise a new event). Writability is watched only during a connect or after a full
//! socket. Time limits are looked at in a sweep, there is no timer for each request. Cost: `epoll_wait` (shared by a
//! batch), `recv`, `send`, and a clock reading without a system call; no allocation, no lock, no output. Where it
//! breaks: a sweep is linear in the connections, which is nothing up to some 100,000.

use std::io;
use std::sync::mpsc;
use std::time::Duration;

use mio::{Events, Poll, Token, Waker};
use nix::time::{ClockId, clock_gettime};

use super::connection::{Connection, State};
use super::phase::{Phase, Shared};
use super::sources::Sources;
use crate::measure::{Class, Tally};
use crate::pace;
use crate::plan::{Load, Serves, Target};

/// Bytes received at once.
const BUFFER: usize = 256 * 1024;
/// Events handled in one batch.
const EVENTS: usize = 1024;
/// Connects under way at a time while ramping up, and how many are begun before the loop looks at its events again.
const CONNECTING: usize = 64;
/// The longest sleep without any event.
const NAP: u64 = 50_000_000;
/// A connect that takes longer than this waits for a server that does not accept it: the kernel repeats a lost SYN after
/// a second, and no round trip is this long.
const STUCK: u64 = 500_000_000;
/// The token of the conductor's waker.
const WAKE: Token = Token(usize::MAX);

/// A thread has reached what its phase waits for.
#[derive(Debug, Clone, Copy)]
pub struct Arrival {
    /// Which thread.
    pub worker: usize,
    /// Which phase.
    pub phase: Phase,
    /// When its last reply came, in nanoseconds of the trial.
    pub last_reply: u64,
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
    /// When the counting ended, in nanoseconds of the trial.
    pub ended: u64,
    /// Slots that ever had a connection.
    pub established: usize,
    /// Slots that ever had a reply.
    pub served: usize,
    /// Slots whose only connection was accepted and had no reply, though nobody knows of a limit.
    pub unanswered: usize,
    /// Connects under way at the end.
    pub pending: Pending,
}

/// Connects that have not come to an end.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Pending {
    /// All of them.
    pub connects: usize,
    /// Those that have taken longer than any network does: nobody accepts them.
    pub stuck: usize,
}

/// The thread's state.
#[derive(Debug)]
pub struct Worker<'a> {
    pub(super) index: usize,
    pub(super) load: &'a Load,
    pub(super) target: &'a Target,
    pub(super) shared: &'a Shared,
    arrivals: mpsc::SyncSender<Arrival>,
    pub(super) poll: Poll,
    pub(super) buffer: Box<[u8]>,
    pub(super) connections: Vec<Connection>,
    pub(super) sources: Sources,
    pub(super) phase: Phase,
    arrived: bool,
    /// The number of the next connection: part of every message.
    pub(super) number: u32,
    /// Slots that the ramp has opened already.
    ramped: usize,
    /// Connects under way.
    pub(super) connecting: usize,
    pub(super) next_sweep: u64,
    pub(super) tallies: [Tally; 2],
    /// Which tally counts now: 0 before the measuring, 1 from its start.
    pub(super) stretch: usize,
    carried_in: u64,
    /// When the last reply came, or was given up before the draining.
    pub(super) last_reply: u64,
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
        target: &'a Target,
        shared: &'a Shared,
        arrivals: mpsc::SyncSender<Arrival>,
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
            sources: Sources::new(target.address, load.churns(), load.connections, index * 7),
            phase: Phase::Ramp,
            arrived: false,
            number: (index as u32) << 24,
            ramped: 0,
            connecting: 0,
            next_sweep: 0,
            tallies: [Tally::new(), Tally::new()],
            stretch: 0,
            carried_in: 0,
            last_reply: 0,
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
            Phase::Settle | Phase::Drain => !self.busy(now),
            Phase::Measure => self.shared.budget.used_up() && !self.busy(now),
            Phase::Warm | Phase::Finish => false,
        };
        if there && !self.arrived {
            self.arrived = true;
            let arrival = Arrival {
                worker: self.index,
                phase: self.phase,
                last_reply: self.last_reply,
                cpu: cpu_time(),
            };
            // the conductor is gone only if it has failed; then the phase is Finish very soon
            let _ = self.arrivals.send(arrival);
        }
    }

    /// Whether a reply is still awaited, other than on connections that nobody serves.
    fn busy(&self, now: u64) -> bool {
        self.connections.iter().any(|c| c.ping.in_flight() > 0 && !self.is_left_waiting(c, now))
    }

    /// A connection that waits for its very first reply while others are served: a pool with fewer workers than
    /// connections does that, and it is no error. How many may wait so is known of our own servers; of others only
    /// that they serve somebody, so these get the whole time limit first, and the verdict tells of them. Where
    /// connections are replaced all the time, or the connection itself replaced a failed one, everybody's turn must
    /// come.
    fn is_left_waiting(&self, connection: &Connection, now: u64) -> bool {
        let waits = connection.first && !connection.served && !self.load.churns();
        waits
            && match self.target.serves {
                Serves::All => false,
                Serves::AtATime(limit) => self.shared.served() >= limit as u64,
                Serves::Unknown => self.shared.anybody_served() && self.is_overdue(connection, now),
            }
    }

    fn is_overdue(&self, connection: &Connection, now: u64) -> bool {
        connection.ping.oldest().is_some_and(|since| now.saturating_sub(since) > self.timeout())
    }

    fn timeout(&self) -> u64 {
        u64::try_from(self.load.timeout.as_nanos()).unwrap_or(u64::MAX)
    }

    /// Looks at every time limit and every pause, and notes when to look again.
    fn sweep(&mut self, now: u64) {
        let timeout = self.timeout();
        self.next_sweep = now + pace::sweep_interval(timeout);
        for slot in 0..self.connections.len() {
            let connection = &self.connections[slot];
            let late = |since: u64| now.saturating_sub(since) > timeout;
            match connection.state {
                State::Connecting(since) if late(since) => self.fail(slot, Class::ConnectTimedOut, None),
                State::Open
                    if connection.ping.oldest().is_some_and(late)
                        && !self.is_left_waiting(connection, now) =>
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

    fn pending(&self) -> Pending {
        let now = self.shared.now();
        let since = self.connections.iter().filter_map(|c| match c.state {
            State::Connecting(since) => Some(now.saturating_sub(since)),
            _ => None,
        });
        since.fold(Pending::default(), |sum, age| Pending {
            connects: sum.connects + 1,
            stuck: sum.stuck + usize::from(age > STUCK),
        })
    }

    fn bring_home(self) -> Share {
        // what is under way belongs to the books of the measured time only if there was any
        let carried_out = if self.stretch == 1 { self.in_flight() } else { 0 };
        let pending = self.pending();
        let unanswered = |c: &&Connection| c.first && !c.served && c.ping.in_flight() > 0;
        let unanswered = match self.target.serves {
            Serves::Unknown => self.connections.iter().filter(unanswered).count(),
            // the others are either left waiting by design, or have failed
            Serves::All | Serves::AtATime(_) => 0,
        };
        let ended = self.shared.now();
        let [earlier, measured] = self.tallies;
        Share {
            earlier,
            measured,
            carried_in: self.carried_in,
            carried_out,
            ended,
            established: self.connections.iter().filter(|c| c.established).count(),
            served: self.connections.iter().filter(|c| c.served).count(),
            unanswered,
            pending,
        }
    }
}

fn cpu_time() -> Duration {
    clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).map(Duration::from).unwrap_or_default()
}

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
use super::open_loop::OpenLoop;
use super::phase::{Phase, Shared};
use super::sources::Sources;
use crate::measure::series::Window;
use crate::measure::under_way::UnderWay;
use crate::measure::{Class, Latency, Tally};
use crate::pace;
use crate::plan::{Arrivals, Load, Serves, Target};

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
/// The token of an open loop's timer.
const TIMER: Token = Token(usize::MAX - 1);

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
    /// What only an open loop has.
    pub schedule: Option<OpenShare>,
    /// Requests under way × nanoseconds, over the measured time.
    pub area: u128,
    /// The replies of each established connection in the measured time.
    pub shares: Vec<u64>,
}

/// What a thread brings home of an open loop.
#[derive(Debug)]
pub struct OpenShare {
    /// Requests that were due in the measured time and never sent.
    pub unsent: u64,
    /// From the sending of each request to its reply.
    pub uncorrected: Latency,
    /// How late requests were sent although a connection was free.
    pub lag: Latency,
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
    /// The schedule, if requests are due at fixed times.
    pub(super) open_loop: Option<OpenLoop>,
    /// Requests under way now.
    pub(super) under_way: UnderWay,
    /// The present interval: replies are counted here first.
    pub(super) window: Window,
    windows: mpsc::SyncSender<(usize, Window)>,
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
        (arrivals, windows): (mpsc::SyncSender<Arrival>, mpsc::SyncSender<(usize, Window)>),
    ) -> io::Result<(Self, Waker)> {
        let poll = Poll::new()?;
        let waker = Waker::new(poll.registry(), WAKE)?;
        let open_loop = match load.arrivals {
            Arrivals::AtRate(rate) => Some(OpenLoop::new(rate, connections, poll.registry(), TIMER)?),
            Arrivals::AfterReply | Arrivals::OfKnee { .. } => None,
        };
        let protocol = load.protocol.for_thread();
        let connection = |_| Connection::new(&protocol, load.size, load.depth);
        let worker = Self {
            index,
            load,
            target,
            shared,
            arrivals,
            poll,
            buffer: vec![0; BUFFER].into_boxed_slice(),
            connections: (0..connections).map(connection).collect(),
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
            open_loop,
            under_way: UnderWay::default(),
            window: Window::new(),
            windows,
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
            let nap = self.nap_until_due(now, self.nap(now));
            match self.poll.poll(&mut events, Some(nap)) {
                Err(e) if e.kind() != io::ErrorKind::Interrupted => return Err(e),
                _ => {}
            }
            now = self.shared.now();
            self.send_due(now);
            for event in &events {
                if event.token() < TIMER {
                    self.on_event(event, now);
                    self.send_due(now);
                }
            }
            if now >= self.window_end() {
                self.hand_over(now);
            }
            self.shared.progress[self.index].set(self.tallies[0].replies() + self.tallies[1].replies());
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
        match phase {
            Phase::Measure => self.begin_measuring(now),
            Phase::Settle | Phase::Drain | Phase::Finish => self.end_schedule(now),
            Phase::Ramp | Phase::Warm => {}
        }
        if !phase.sends() {
            return;
        }
        if self.open_loop.is_some() {
            self.begin_schedule(now);
            self.next_sweep = now;
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

    fn begin_measuring(&mut self, now: u64) {
        self.tallies[self.stretch].reply.merge(&self.window.reply);
        self.window.restart(0);
        self.stretch = 1;
        self.carried_in = self.in_flight();
        self.under_way.restart(now);
        for connection in &mut self.connections {
            connection.answered = 0;
        }
    }

    /// When the present interval is over.
    fn window_end(&self) -> u64 {
        if self.stretch == 0 {
            return u64::MAX;
        }
        self.shared.begin() + (self.window.index + 1) * self.interval()
    }

    fn interval(&self) -> u64 {
        u64::try_from(self.load.interval.as_nanos()).unwrap_or(u64::MAX).max(1)
    }

    /// The interval is over: the conductor gets a copy. When it has not fetched the last ones yet, the interval goes on.
    fn hand_over(&mut self, now: u64) {
        if self.windows.try_send((self.index, self.window.clone())).is_ok() {
            self.tallies[self.stretch].reply.merge(&self.window.reply);
            self.window.restart(now.saturating_sub(self.shared.begin()) / self.interval());
        }
    }

    fn ramp(&mut self) {
        let all = self.connections.len();
        let due = match self.load.ramp {
            Some(ramp) if !ramp.is_zero() => {
                let share = self.shared.now() as f64 / ramp.as_nanos() as f64;
                all.min((share * all as f64) as usize)
            }
            _ => all,
        };
        let end = due.min(self.ramped + CONNECTING);
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
        // a connection that is greeted is busy, too
        let awaits = |c: &Connection| c.in_flight() > 0 || c.ping.oldest().is_some();
        self.connections.iter().any(|c| awaits(c) && !self.is_left_waiting(c, now))
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
        self.connections.iter().map(|c| c.in_flight() as u64).sum()
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

    fn bring_home(mut self) -> Share {
        let _ = self.windows.try_send((self.index, self.window.clone()));
        self.tallies[self.stretch].reply.merge(&self.window.reply);
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
        let shares = self.connections.iter().filter(|c| c.established).map(|c| c.answered).collect();
        let [earlier, measured] = self.tallies;
        Share {
            schedule: self.open_loop.map(|open| OpenShare {
                unsent: open.unsent,
                uncorrected: open.uncorrected,
                lag: open.lag,
            }),
            area: self.under_way.area(),
            shares,
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

/// CPU time of the calling thread so far.
pub(super) fn cpu_time() -> Duration {
    clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).map(Duration::from).unwrap_or_default()
}

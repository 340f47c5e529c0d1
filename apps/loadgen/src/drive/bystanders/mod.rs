//! Connections that are there as well and are not measured: idle, slow and greedy ones, in a thread of their own.
//!
//! How: one readiness loop over all of them, apart from those of the measuring threads. They gather first: all are
//! connected, and the idle ones have had their reply or have waited for it as long as the time limit allows; only then
//! the measured connections begin. They stay until the trial is over. One that the server closes is not replaced: that
//! it was closed, and how, is what the experiment wants to know. Cost: the thread's CPU time, which is counted apart
//! ([`Pulse`]) and is part of this program's share of the machine. Where it breaks: with one CPU for the client the
//! greedy ones take time from the measuring threads; the report says how much, and what limited the run.
//!
//! Bounds: `CONNECTING` connects at a time, `EVENTS` events a batch, twice the time limit and a millisecond for each
//! connection to gather, the memory of the messages (allocated once), and those of each kind.

pub mod fate;
mod gather;
mod greedy;
mod idle;
mod pulse;
pub mod slow;

use std::io;
use std::sync::mpsc::SyncSender;
use std::time::Duration;

use mio::event::Event;
use mio::{Events, Poll, Token, Waker};

use self::fate::{End, Fates};
use self::gather::CONNECTING;
pub use self::gather::patience;
pub use self::pulse::{Beat, Pulse};
use super::connection::{Connection, State};
use super::phase::{Phase, Shared};
use super::sources::Sources;
use super::worker::cpu_time;
use crate::ping::Protocol;
use crate::plan::{Load, Target};

/// Bytes received at once: all that a greedy connection can have under way.
const BUFFER: usize = greedy::SIZE * greedy::DEPTH;
/// Events handled in one batch.
const EVENTS: usize = 1024;
/// The longest sleep without any event.
const NAP: Duration = Duration::from_millis(50);
/// The token of the conductor's waker.
const WAKE: Token = Token(usize::MAX);

/// What a bystander does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    /// See [`idle`].
    Idle,
    /// See [`slow`].
    Dribbler,
    /// See [`slow`].
    NeverReader,
    /// See [`greedy`].
    Greedy,
}

/// One bystander.
#[derive(Debug)]
struct Guest {
    role: Role,
    connection: Connection,
    /// Bytes that its socket took.
    sent: u64,
    /// Whether its socket was full when it was last written to.
    full: bool,
    /// How the server ended it.
    end: Option<End>,
}

/// All bystanders and their thread.
#[derive(Debug)]
pub struct Crowd<'a> {
    load: &'a Load,
    target: &'a Target,
    shared: &'a Shared,
    pulse: &'a Pulse,
    gathered: SyncSender<()>,
    poll: Poll,
    buffer: Box<[u8]>,
    guests: Vec<Guest>,
    sources: Sources,
    /// Whether the slow and the greedy ones may begin.
    open: bool,
    /// The next one to connect.
    next: usize,
    /// Connects under way.
    connecting: usize,
    /// Idle ones that have had their reply.
    answered: usize,
    next_sweep: u64,
    /// When the gathering is over, whoever is missing.
    gather_by: u64,
    next_dribble: u64,
    /// Which of the dribblers' turns is next.
    turn: usize,
    beat: Beat,
    /// Why the first connect failed that did.
    connect_error: Option<i32>,
}

/// The end of the bystanders: to be kept until the measuring threads have ended, too. Its connections are open as long
/// as it lives; if they were closed sooner, their workers would begin to serve those that are measured.
#[derive(Debug)]
pub struct Parted {
    /// What became of them.
    pub fates: Fates,
    _guests: Vec<Guest>,
}

impl<'a> Crowd<'a> {
    /// Allocates all that the thread will need, and the means to wake it. `gathered` is told when the measured
    /// connections may begin.
    ///
    /// # Errors
    /// No descriptors left for the event queue.
    pub fn new(
        load: &'a Load,
        target: &'a Target,
        shared: &'a Shared,
        pulse: &'a Pulse,
        gathered: SyncSender<()>,
    ) -> io::Result<(Self, Waker)> {
        let poll = Poll::new()?;
        let waker = Waker::new(poll.registry(), WAKE)?;
        let protocol = load.protocol.for_thread();
        let crowd = Self {
            load,
            target,
            shared,
            pulse,
            gathered,
            poll,
            buffer: vec![0; BUFFER].into_boxed_slice(),
            guests: roles(load).map(|role| Guest::new(role, load, &protocol)).collect(),
            sources: Sources::new(target.address, load, usize::MAX / 2),
            open: false,
            next: 0,
            connecting: 0,
            answered: 0,
            next_sweep: 0,
            gather_by: shared.now().saturating_add(nanos(patience(load))),
            next_dribble: 0,
            turn: 0,
            beat: Beat::default(),
            connect_error: None,
        };
        Ok((crowd, waker))
    }

    /// Works until the conductor says that it is over.
    ///
    /// # Errors
    /// The event queue failed.
    pub fn run(mut self) -> io::Result<Parted> {
        let mut events = Events::with_capacity(EVENTS);
        while self.shared.phase() != Phase::Finish {
            let now = self.shared.now();
            if self.open {
                self.dribble(now);
            } else {
                self.gather(now);
            }
            self.beat.cpu = cpu_time();
            self.pulse.set(&self.beat);
            match self.poll.poll(&mut events, Some(self.nap(now))) {
                Err(e) if e.kind() != io::ErrorKind::Interrupted => return Err(e),
                _ => {}
            }
            for event in events.iter().filter(|event| event.token() != WAKE) {
                self.on_event(event);
            }
        }
        Ok(self.part())
    }

    fn nap(&self, now: u64) -> Duration {
        let until = |due: u64| NAP.min(Duration::from_nanos(due.saturating_sub(now)));
        match self.open {
            false if self.next < self.guests.len() && self.connecting < CONNECTING => Duration::ZERO,
            false => until(self.next_sweep),
            true if self.load.bystanders.slow > 0 => until(self.next_dribble),
            true => NAP,
        }
    }

    fn on_event(&mut self, event: &Event) {
        let slot = event.token().0;
        let Some(guest) = self.guests.get(slot) else { return };
        if let State::Connecting(_) = guest.connection.state {
            match guest.connection.connected() {
                Ok(true) => self.established(slot),
                Ok(false) => return,
                Err(e) => return self.missed(slot, e.raw_os_error()),
            }
        }
        let guest = &self.guests[slot];
        if guest.connection.state != State::Open {
            return;
        }
        if guest.role == Role::NeverReader {
            return self.look_at_never_reader(slot, event);
        }
        if event.is_writable() {
            self.flush(slot);
        }
        if event.is_readable() || event.is_read_closed() || event.is_error() {
            self.receive(slot, event.is_read_closed() || event.is_error());
        }
    }

    fn flush(&mut self, slot: usize) {
        let guest = &mut self.guests[slot];
        // a dribbler's bytes go when their time has come
        if guest.role != Role::Dribbler && guest.connection.flush().is_err() {
            self.lost(slot, End::Reset);
        }
    }

    /// Reads what is there, checks it, and lets a greedy one go on.
    fn receive(&mut self, slot: usize, closing: bool) {
        let guest = &mut self.guests[slot];
        let (mut complete, mut bytes) = (0, 0);
        let end = loop {
            let count = match guest.connection.receive(&mut self.buffer) {
                Ok(None) => break None,
                Ok(Some(0)) => break Some(End::Closed),
                Ok(Some(count)) => count,
                Err(_) => break Some(End::Reset),
            };
            match guest.connection.ping.received(&self.buffer[..count], |_, _| ()) {
                Ok(replies) => complete += replies,
                Err(_) => break Some(End::Wrong),
            }
            if guest.connection.ping.unexpected().is_some() {
                break Some(End::Wrong);
            }
            bytes += count;
            if count < self.buffer.len() && !closing {
                break None;
            }
        };
        if end == Some(End::Closed) {
            // where that is how a reply ends
            complete += guest.connection.ping.closed(|_, _| ());
        }
        if complete > 0 && !guest.connection.served {
            guest.connection.served = true;
            self.answered += usize::from(guest.role == Role::Idle);
        }
        let greedy = guest.role == Role::Greedy;
        if greedy {
            self.beat.replies += complete as u64;
            self.beat.bytes += bytes as u64;
        }
        if let Some(end) = end {
            self.lost(slot, end);
        } else if greedy {
            self.ask_for_more(slot, self.shared.now());
        } else if guest.role == Role::Idle {
            // it may have been greeted only now
            self.ask_once(slot);
        }
    }

    /// A connection that was there is no more.
    fn lost(&mut self, slot: usize, end: End) {
        let guest = &mut self.guests[slot];
        guest.end = Some(end);
        guest.connection.end(State::Empty);
    }

    /// What became of all of them.
    fn part(self) -> Parted {
        let mut fates = Fates { connect_error: self.connect_error, ..Fates::default() };
        for guest in &self.guests {
            match guest.role {
                Role::Idle => fates.idle.add(guest),
                Role::Dribbler => {
                    fates.dribblers.add(guest);
                    fates.dribbled += guest.sent;
                }
                Role::NeverReader => {
                    fates.never_readers.add(guest);
                    fates.taken += guest.sent;
                    fates.full += usize::from(guest.full && guest.end.is_none());
                }
                Role::Greedy => fates.greedy.add(guest),
            }
        }
        Parted { fates, _guests: self.guests }
    }
}

impl Guest {
    fn new(role: Role, load: &Load, protocol: &Protocol) -> Self {
        let (size, depth) = match role {
            Role::Idle | Role::Dribbler => (load.size, 1),
            Role::NeverReader => slow::messages(load.size),
            Role::Greedy => greedy::messages(load),
        };
        Self { role, connection: Connection::new(protocol, size, depth), sent: 0, full: false, end: None }
    }
}

/// Of the slow ones every other one dribbles, and the first of them does.
fn roles(load: &Load) -> impl Iterator<Item = Role> {
    let asked = load.bystanders;
    let slow = |index| if index % 2 == 0 { Role::Dribbler } else { Role::NeverReader };
    std::iter::repeat_n(Role::Idle, asked.idle)
        .chain((0..asked.slow).map(slow))
        .chain(std::iter::repeat_n(Role::Greedy, asked.greedy))
}

fn nanos(span: Duration) -> u64 {
    u64::try_from(span.as_nanos()).unwrap_or(u64::MAX)
}

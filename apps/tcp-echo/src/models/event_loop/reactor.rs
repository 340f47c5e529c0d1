//! One loop: what it holds, and what it does with what the kernel tells it.

use std::io;
use std::os::fd::AsRawFd;
use std::time::{Duration, Instant};

use mio::net::TcpStream;
use mio::unix::SourceFd;
use mio::{Events, Interest, Poll, Token};
use slab::Slab;

use super::offload::Job;
use crate::buffers::Buffer;
use crate::drive::Direct;
use crate::handler::{Connection, Ending};
use crate::loops::ACCEPTS;
use crate::loops::crowd::Crowd;
use crate::loops::intake::Intake;
use crate::loops::timers::{Alarm, Naps, Sweep};
use crate::queue::Queue;
use crate::resumable::{After, News, Resumable};
use crate::seats::Seat;
use crate::server::Server;
use crate::stamp::Stamp;
use crate::stats::WorkerCounters;

/// Wakes the loop for its mail.
pub(super) const MAIL: Token = Token(usize::MAX - 1);
/// A time limit may have passed.
const ALARM: Token = Token(usize::MAX - 3);
/// The listener; all other tokens are keys of connections.
pub(super) const LISTENER: Token = Token(usize::MAX - 2);

/// Events taken at a time: more wait in the kernel.
const EVENTS: usize = 1024;
/// Something for a loop.
pub(crate) enum Mail {
    /// A connection that was accepted elsewhere.
    New(Connection),
    /// The connection with this key comes back from a visit.
    Back(usize, Held, After),
}

/// A connection, while it is in its loop's or somebody else's hands.
pub(crate) struct Held {
    stream: TcpStream,
    connection: Resumable,
    /// Tells it from earlier ones with the same key.
    birth: u32,
    napping: bool,
    watched: Watched,
}

/// What the kernel tells of a connection.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd)]
enum Watched {
    Nothing,
    Reads,
    ReadsAndWrites,
}

impl Held {
    /// Serves it as far as that goes.
    pub(super) fn visit(&mut self, buffer: &mut [u8], news: News, now: Stamp, server: &Server) -> After {
        self.connection.resume(&mut Direct::of(&self.stream), buffer, news, now, server)
    }
}

/// What a loop was woken for beside its connections.
#[derive(Default)]
struct Woken {
    for_mail: bool,
    for_listener: bool,
}

/// A place in the table.
enum Place {
    Here(Held),
    /// Somebody visits it; `missed` if there was an event meanwhile.
    Away {
        missed: bool,
    },
}

/// One loop.
pub(super) struct Reactor {
    number: usize,
    poll: Poll,
    intake: Intake,
    crowd: &'static Crowd<Mail>,
    offload: Option<&'static Queue<Job>>,
    server: &'static Server,
    worker: &'static WorkerCounters,
    buffer: Buffer,
    places: Slab<Place>,
    births: u32,
    /// Connections that had more to do when it was somebody else's turn.
    again: Vec<usize>,
    naps: Naps,
    sweep: Sweep,
    alarm: Alarm,
    /// Since when the server drains.
    draining: Option<Stamp>,
    now: Stamp,
}

impl Reactor {
    pub(super) fn new(
        number: usize,
        poll: Poll,
        intake: Intake,
        crowd: &'static Crowd<Mail>,
        offload: Option<&'static Queue<Job>>,
        server: &'static Server,
    ) -> io::Result<Self> {
        let alarm = Alarm::new()?;
        poll.registry().register(&mut SourceFd(&alarm.as_raw_fd()), ALARM, Interest::READABLE)?;
        Ok(Self {
            number,
            poll,
            intake,
            crowd,
            offload,
            server,
            worker: server.counters.worker(number),
            buffer: server.buffers.take().ok_or(io::ErrorKind::OutOfMemory)?,
            places: Slab::new(),
            births: 0,
            again: Vec::new(),
            naps: Naps::default(),
            sweep: Sweep::default(),
            alarm,
            draining: None,
            now: Stamp::now(),
        })
    }

    /// The loop.
    pub(super) fn run(mut self) {
        let mut events = Events::with_capacity(EVENTS);
        let mut mail = Vec::new();
        loop {
            match self.poll.poll(&mut events, self.sleep()) {
                Err(e) if e.kind() != io::ErrorKind::Interrupted => return self.crowd.fail(e),
                Ok(()) | Err(_) => {}
            }
            self.now = Stamp::now();
            let woken = self.take_events(&events);
            if woken.for_mail {
                self.read_mail(&mut mail);
            }
            self.go_on_with_the_others();
            self.end_naps();
            self.sweep();
            if let Err(e) = self.take_in(woken.for_listener) {
                self.crowd.fail(e);
            }
            let end = Stamp::now();
            self.worker.lag(end.ms_since(self.now));
            self.alarm.rings(self.sweep.next(), end);
        }
    }

    /// How long to sleep at most; `None`: until something happens.
    fn sleep(&self) -> Option<Duration> {
        if !self.again.is_empty() || self.intake.may_accept() {
            return Some(Duration::ZERO);
        }
        [self.naps.next(), self.intake.retry()].into_iter().flatten().min()
    }

    /// Visits every connection that is ready; says what else there is.
    fn take_events(&mut self, events: &Events) -> Woken {
        let mut woken = Woken::default();
        self.intake.look_again();
        for event in events {
            match event.token() {
                MAIL => woken.for_mail = true,
                ALARM => {}
                LISTENER => {
                    woken.for_listener = true;
                    self.intake.is_ready();
                }
                Token(key) => {
                    // (a read stops at a byte that is marked urgent, though there is more)
                    let more = event.is_read_closed() || event.is_priority() || event.is_error();
                    self.is_ready(key, if more { News::Unknown } else { News::Event });
                }
            }
        }
        woken
    }

    fn is_ready(&mut self, key: usize, news: News) {
        match self.places.get_mut(key) {
            // it is taken up when its nap is over, whatever has happened by then
            Some(Place::Here(held)) if held.napping => {}
            Some(Place::Here(_)) => self.visit(key, news),
            Some(Place::Away { missed }) => *missed = true,
            None => {}
        }
    }

    /// Takes a connection up, or has it taken up.
    fn visit(&mut self, key: usize, news: News) {
        let Some(place) = self.places.get_mut(key) else { return };
        if let Some(jobs) = self.offload {
            let Place::Here(held) = std::mem::replace(place, Place::Away { missed: false }) else { return };
            let job = Job { key, held, news, of_loop: self.number, crowd: self.crowd, since: Instant::now() };
            // there is a place for every connection
            let _ = jobs.put(job);
            self.server.counters.queue.put(jobs.len());
            return;
        }
        let Place::Here(held) = place else { return };
        let after = held.visit(&mut self.buffer, news, self.now, self.server);
        // most visits end like this, and then all is as it was
        let watched = held.watched == Watched::Reads && !held.connection.wants_to_write();
        if matches!(after, After::Park) && watched {
            self.sweep.not_later_than(held.connection.new_deadline(self.draining, self.server));
        } else {
            self.settle(key, after);
        }
    }

    /// What is done with a connection after a visit.
    fn settle(&mut self, key: usize, after: After) {
        let Some(Place::Here(held)) = self.places.get_mut(key) else { return };
        let wanted = if held.connection.wants_to_write() { Watched::ReadsAndWrites } else { Watched::Reads };
        match after {
            After::Over(ending) => return self.end(key, &ending),
            After::Park => {}
            After::Again => self.again.push(key),
            After::Nap(span) => {
                held.napping = true;
                self.naps.begin(span, key, held.birth);
            }
        }
        if held.watched < wanted {
            let reads = Interest::READABLE | Interest::PRIORITY;
            let interest = match wanted {
                Watched::ReadsAndWrites => reads | Interest::WRITABLE,
                Watched::Reads | Watched::Nothing => reads,
            };
            let registry = self.poll.registry();
            let told = match held.watched {
                Watched::Nothing => registry.register(&mut held.stream, Token(key), interest),
                _ => registry.reregister(&mut held.stream, Token(key), interest),
            };
            held.watched = wanted;
            if let Err(e) = told {
                return self.end(key, &Ok(Err(e)));
            }
        }
        self.sweep.not_later_than(held.connection.new_deadline(self.draining, self.server));
    }

    fn end(&mut self, key: usize, ending: &Ending) {
        let Place::Here(held) = self.places.remove(key) else { return };
        // the socket goes first: whoever gets the seat needs a descriptor
        drop(held.stream);
        let (echoed, seat) = held.connection.close(ending, self.server);
        self.worker.ended(echoed);
        drop(seat);
        self.crowd.seat_is_free();
    }

    /// A new connection. It is taken up at once, because what it wants to say is mostly there already; if that ends it, the
    /// kernel need never be told to watch it.
    fn begin(&mut self, stream: TcpStream, connection: Resumable) {
        self.worker.accepted();
        self.births = self.births.wrapping_add(1);
        let held = Held { stream, connection, birth: self.births, napping: false, watched: Watched::Nothing };
        let key = self.places.insert(Place::Here(held));
        self.visit(key, News::Unknown);
    }

    fn read_mail(&mut self, mail: &mut Vec<Mail>) {
        if self.draining.is_none() && self.server.drains() {
            self.draining = Some(self.now);
            // all limits are others from now on
            self.sweep.not_later_than(Some(self.now));
        }
        self.crowd.collect(self.number, mail);
        for item in mail.drain(..) {
            match item {
                Mail::New(connection) => self.begin_passed(connection),
                Mail::Back(key, held, after) => self.is_back(key, held, after),
            }
        }
    }

    fn begin_passed(&mut self, connection: Connection) {
        let Connection { stream, peer, seat, .. } = connection;
        let connection = Resumable::new(peer, seat, self.now, self.server);
        match stream.set_nonblocking(true) {
            Ok(()) => self.begin(TcpStream::from_std(stream), connection),
            Err(e) => drop(connection.close(&Ok(Err(e)), self.server)),
        }
    }

    fn is_back(&mut self, key: usize, mut held: Held, after: After) {
        let Some(place) = self.places.get_mut(key) else { return };
        let missed = matches!(place, Place::Away { missed: true });
        // while it was away no sweep has seen it
        self.sweep.not_later_than(held.connection.deadline(self.draining, self.server));
        *place = Place::Here(held);
        let parked = matches!(after, After::Park);
        self.settle(key, after);
        if parked && missed {
            self.is_ready(key, News::Unknown);
        }
    }

    fn go_on_with_the_others(&mut self) {
        for key in std::mem::take(&mut self.again) {
            self.is_ready(key, News::Unknown);
        }
    }

    fn end_naps(&mut self) {
        while let Some((key, birth)) = self.naps.take_over() {
            if let Some(Place::Here(held)) = self.places.get_mut(key)
                && held.birth == birth
                && held.napping
            {
                held.napping = false;
                held.connection.waited();
                self.visit(key, News::Unknown);
            }
        }
    }

    /// Takes up every connection whose time limit has passed.
    fn sweep(&mut self) {
        if !self.sweep.begins(self.now) {
            return;
        }
        let mut expired = Vec::new();
        for (key, place) in &mut self.places {
            let Place::Here(held) = place else { continue };
            match held.connection.deadline(self.draining, self.server) {
                Some(deadline) if deadline <= self.now => {
                    held.connection.expire();
                    expired.push(key);
                }
                deadline => self.sweep.not_later_than(deadline),
            }
        }
        for key in expired {
            self.is_ready(key, News::Unknown);
        }
        self.sweep.ends(self.now);
    }

    /// Accepts who waits.
    fn take_in(&mut self, woken_for: bool) -> io::Result<()> {
        let mut first = true;
        for _ in 0..ACCEPTS {
            if !self.intake.may_accept() {
                break;
            }
            let next: Option<(TcpStream, _, Seat)> = self.intake.next(self.crowd, self.server)?;
            let Some((stream, peer, seat)) = next else {
                if first && woken_for && !self.intake.may_accept() {
                    self.worker.woken_for_nothing();
                }
                break;
            };
            first = false;
            self.begin(stream, Resumable::new(peer, seat, self.now, self.server));
        }
        Ok(())
    }
}

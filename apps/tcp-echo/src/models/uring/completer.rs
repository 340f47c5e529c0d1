//! One completion loop: what it holds, and what it does with what the kernel has done.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::os::fd::OwnedFd;
use std::time::Duration;

use common::descriptor;

use nix::sys::eventfd::EventFd;
use slab::Slab;

use super::client::{After, Client, Tags};
use crate::handler::Connection;
use crate::loops::ACCEPTS;
use crate::loops::crowd::Crowd;
use crate::loops::intake::Intake;
use crate::loops::timers::{Alarm, Naps, Sweep};
use crate::mode_options::Recv;
use crate::seats::Seat;
use crate::server::Server;
use crate::stamp::Stamp;
use crate::stats::WorkerCounters;
use crate::sys::ring::{Completion, Ring};

/// Buffers of a ring, in the end: as many messages can be on their way through a loop at a time.
const BUFFERS: u16 = 512;
/// An accept that repeats itself cannot be told how many it may accept; so it is used only while there are more seats than a
/// burst can fill.
const SEATS_FOR_A_BURST: u32 = 2_048;

// the kind of an operation stands in the highest byte of its tag, the key of its connection in the others
const ACCEPT: u64 = 1 << 56;
const WATCH: u64 = 2 << 56;
const BELL: u64 = 3 << 56;
const RECEIVE: u64 = 4 << 56;
const SEND: u64 = 5 << 56;
const CANCEL: u64 = 6 << 56;
const ALARM: u64 = 7 << 56;
const KIND: u64 = 0xff << 56;

fn tags(key: usize) -> Tags {
    let key = key as u64;
    Tags { receive: RECEIVE | key, send: SEND | key, cancel: CANCEL | key }
}

/// One loop.
pub(super) struct Completer {
    number: usize,
    recv: Recv,
    ring: &'static mut Ring,
    bell: &'static EventFd,
    intake: Intake,
    /// The operation on the listener that is under way.
    accepting: Option<u64>,
    crowd: &'static Crowd<Connection>,
    server: &'static Server,
    worker: &'static WorkerCounters,
    clients: Slab<Client>,
    births: u32,
    /// Connections that found no buffer.
    starved: Vec<(usize, u32)>,
    naps: Naps,
    sweep: Sweep,
    alarm: Alarm,
    /// Since when the server drains.
    draining: Option<Stamp>,
    has_mail: bool,
    now: Stamp,
}

impl Completer {
    /// Makes the ring, for the calling thread.
    pub(super) fn new(
        number: usize,
        recv: Recv,
        bell: &'static EventFd,
        intake: Intake,
        crowd: &'static Crowd<Connection>,
        server: &'static Server,
    ) -> io::Result<Self> {
        let ring = Ring::new(BUFFERS, server.options.buffer)?;
        ring.hear(bell, BELL);
        let alarm = Alarm::new()?;
        ring.hear(&alarm, ALARM);
        Ok(Self {
            number,
            recv,
            ring,
            bell,
            intake,
            accepting: None,
            crowd,
            server,
            worker: server.counters.worker(number),
            clients: Slab::new(),
            births: 0,
            starved: Vec::new(),
            naps: Naps::default(),
            sweep: Sweep::default(),
            alarm,
            draining: None,
            has_mail: false,
            now: Stamp::now(),
        })
    }

    /// The loop.
    pub(super) fn run(mut self) {
        let (mut done, mut mail) = (Vec::new(), Vec::new());
        loop {
            if let Err(e) = self.take_in() {
                self.crowd.fail(e);
            }
            let end = Stamp::now();
            self.worker.lag(end.ms_since(self.now));
            self.alarm.rings(self.sweep.next(), end);
            if let Err(e) = self.ring.submit_and_wait(self.sleep()) {
                return self.crowd.fail(e);
            }
            self.now = Stamp::now();
            self.intake.look_again();
            self.ring.collect(&mut done);
            for completion in done.drain(..) {
                self.is_done(completion);
            }
            if std::mem::take(&mut self.has_mail) {
                self.read_mail(&mut mail);
            }
            self.feed_the_starved();
            self.end_naps();
            self.sweep();
        }
    }

    /// How long to sleep at most; `None`: until something happens.
    fn sleep(&self) -> Option<Duration> {
        if self.intake.may_accept() {
            return Some(Duration::ZERO);
        }
        [self.naps.next(), self.intake.retry()].into_iter().flatten().min()
    }

    fn is_done(&mut self, completion: Completion) {
        let key = (completion.tag & !KIND) as usize;
        match completion.tag & KIND {
            RECEIVE => {
                let Some(client) = self.clients.get_mut(key) else { return };
                client.has_received(completion, self.ring);
                if client.starved {
                    self.starved.push((key, client.birth));
                }
                self.advance(key);
            }
            SEND => {
                let Some(client) = self.clients.get_mut(key) else { return };
                client.has_sent(completion, self.server);
                self.advance(key);
            }
            ACCEPT => self.has_accepted(completion),
            WATCH => {
                self.accepting = None;
                self.intake.is_ready();
            }
            BELL => {
                self.has_mail = true;
                self.ring.hear(self.bell, BELL);
            }
            ALARM => self.ring.hear(&self.alarm, ALARM),
            _ => {}
        }
    }

    /// Orders what comes next for a connection.
    fn advance(&mut self, key: usize) {
        let Some(client) = self.clients.get_mut(key) else { return };
        match client.advance(tags(key), self.recv, self.now, self.ring) {
            After::Nothing => {}
            After::Nap(span) => self.naps.begin(span, key, client.birth),
            After::Over => {
                let (echoed, seat) = self.clients.remove(key).close(self.server);
                self.worker.ended(echoed);
                drop(seat);
                return self.crowd.seat_is_free();
            }
        }
        self.sweep.not_later_than(client.new_deadline(self.draining, self.server));
    }

    fn begin(&mut self, socket: TcpStream, peer: SocketAddr, seat: Seat) {
        self.worker.accepted();
        self.births = self.births.wrapping_add(1);
        let client = Client::new(socket, peer, seat, self.births, self.now, self.server);
        let key = self.clients.insert(client);
        self.advance(key);
    }

    /// The accept that repeats itself has accepted somebody, or has ended. As long as its end has not been heard of, the kernel may
    /// have accepted somebody of whom nobody knows yet: so it holds a seat, and no drain ends before.
    fn has_accepted(&mut self, completion: Completion) {
        let is_over = !completion.more;
        if is_over {
            self.accepting = None;
        }
        self.take_whom_it_accepted(completion);
        if is_over {
            self.server.counters.not_needed();
        }
    }

    fn take_whom_it_accepted(&mut self, completion: Completion) {
        match completion.outcome() {
            Ok(descriptor) => {
                let socket = TcpStream::from(descriptor::adopt(descriptor));
                let seat = Seat::take(self.server.counters);
                // it comes without an address, and asking for it is a system call
                let asked = self.server.options.verbosity > 0;
                let known = asked.then(|| socket.peer_addr().ok()).flatten();
                let peer = known.unwrap_or_else(|| SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0)));
                self.begin(socket, peer, seat);
                if self.accepting == Some(ACCEPT) && !self.has_seats_for_a_burst() {
                    self.ring.cancel(ACCEPT, CANCEL);
                }
            }
            Err(e) if e.raw_os_error() == Some(libc::ECANCELED) => self.intake.is_ready(),
            Err(e) => {
                self.intake.is_ready();
                if let Err(e) = self.intake.failed(&e, self.server) {
                    self.crowd.fail(e);
                }
            }
        }
    }

    fn has_seats_for_a_burst(&self) -> bool {
        let seats = self.server.options.max_connections;
        seats.saturating_sub(self.server.counters.seats()) > SEATS_FOR_A_BURST
    }

    /// Accepts who waits, and has the kernel tell of, or accept, those who come.
    fn take_in(&mut self) -> io::Result<()> {
        for _ in 0..ACCEPTS {
            if !self.intake.may_accept() {
                break;
            }
            let Some((stream, peer, seat)) = self.intake.next(self.crowd, self.server)? else { break };
            self.begin(TcpStream::from(OwnedFd::from(stream)), peer, seat);
        }
        let bursts = self.has_seats_for_a_burst();
        if self.accepting.is_none() && !self.intake.is_waiting() {
            let Some(listener) = self.intake.listener() else { return Ok(()) };
            if bursts {
                self.server.counters.seat();
                self.ring.accept(listener, ACCEPT);
                self.accepting = Some(ACCEPT);
            } else {
                self.ring.watch(listener, WATCH);
                self.accepting = Some(WATCH);
            }
        }
        Ok(())
    }

    fn read_mail(&mut self, mail: &mut Vec<Connection>) {
        if self.draining.is_none() && self.server.drains() {
            self.draining = Some(self.now);
            // all limits are others from now on
            self.sweep.not_later_than(Some(self.now));
        }
        self.crowd.collect(self.number, mail);
        for Connection { stream, peer, seat, .. } in mail.drain(..) {
            self.begin(stream, peer, seat);
        }
    }

    /// Everybody who found no buffer is ordered again: by now some have come back. (All are given back at the latest when what
    /// they hold has been offered to the socket, so this does not go on for ever.)
    fn feed_the_starved(&mut self) {
        if !self.starved.is_empty() {
            self.ring.use_more_buffers();
        }
        for (key, birth) in std::mem::take(&mut self.starved) {
            if let Some(client) = self.clients.get_mut(key)
                && client.birth == birth
            {
                client.starved = false;
                client.order_receive_if_it_takes(tags(key), self.recv, self.ring);
            }
        }
    }

    fn end_naps(&mut self) {
        while let Some((key, birth)) = self.naps.take_over() {
            if let Some(client) = self.clients.get_mut(key)
                && client.birth == birth
                && client.napping
            {
                client.waited();
                self.advance(key);
            }
        }
    }

    /// Every connection whose time limit has passed goes on as its session says.
    fn sweep(&mut self) {
        if !self.sweep.begins(self.now) {
            return;
        }
        let mut expired = Vec::new();
        for (key, client) in &mut self.clients {
            match client.deadline(self.draining, self.server) {
                Some(deadline) if deadline <= self.now => {
                    client.expire();
                    expired.push(key);
                }
                deadline => self.sweep.not_later_than(deadline),
            }
        }
        expired.into_iter().for_each(|key| self.advance(key));
        self.sweep.ends(self.now);
    }
}

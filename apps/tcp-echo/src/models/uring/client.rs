//! One connection of a completion loop: what of it is under way in the kernel, and what comes next. All that is decided about
//! bytes is the [session's](crate::session) business; this file keeps the buffers straight.

use std::collections::VecDeque;
use std::io;
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::os::fd::AsRawFd;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use crate::handler::{self, Ending};
use crate::mode_options::Recv;
use crate::resumable::Limits;
use crate::seats::Seat;
use crate::server::Server;
use crate::session::{Session, Want};
use crate::stamp::Stamp;
use crate::sys::ring::{Completion, Filled, Outgoing, Ring};

/// So many unanswered buffers, and the client is not read from until it takes its replies. (What the kernel has already
/// received when it is told so comes on top: up to 32 more.)
const UNANSWERED: usize = 4;

/// A connection.
pub(super) struct Client {
    socket: TcpStream,
    peer: SocketAddr,
    seat: Seat,
    session: Session,
    limits: Limits,
    /// Tells it from earlier ones with the same key.
    pub(super) birth: u32,
    /// A receive is under way.
    receiving: bool,
    /// It has been told to end.
    cancelled: bool,
    /// It found no buffer, and is ordered again when there are some.
    pub(super) starved: bool,
    /// A send is under way.
    sending: bool,
    /// The reply waits for its simulated work.
    pub(super) napping: bool,
    /// The client did not take all of the last send.
    slow: bool,
    /// The client has ended its side, and all that it sent is here.
    at_end: bool,
    /// Where the session's reply lies.
    reply: Option<Data>,
    /// What has come meanwhile.
    unanswered: VecDeque<Data>,
    over: Option<Ending>,
    shut: bool,
}

/// Received bytes: in the ring, for as long as that is short, or in memory of the connection's own.
enum Data {
    InRing(Filled),
    Own(Outgoing),
}

/// The tags of a connection's operations.
#[derive(Clone, Copy)]
pub(super) struct Tags {
    pub(super) receive: u64,
    pub(super) send: u64,
    pub(super) cancel: u64,
}

/// What a loop does with a connection after something has happened to it.
pub(super) enum After {
    Nothing,
    /// Wake it after this time.
    Nap(Duration),
    /// It is over, and the kernel is done with it.
    Over,
}

impl Client {
    pub(super) fn new(
        socket: TcpStream,
        peer: SocketAddr,
        seat: Seat,
        birth: u32,
        now: Stamp,
        server: &'static Server,
    ) -> Self {
        handler::opened(peer, server);
        Self {
            socket,
            peer,
            seat,
            session: server.session(),
            limits: Limits::new(now),
            birth,
            receiving: false,
            cancelled: false,
            starved: false,
            sending: false,
            napping: false,
            slow: false,
            at_end: false,
            reply: None,
            unanswered: VecDeque::new(),
            over: None,
            shut: false,
        }
    }

    /// A receive has completed.
    pub(super) fn has_received(&mut self, mut done: Completion, ring: &mut Ring) {
        self.receiving = done.more;
        self.cancelled &= done.more;
        match done.outcome() {
            Ok(0) => self.at_end = true,
            Ok(_) => {}
            Err(e) if e.raw_os_error() == Some(libc::ENOBUFS) => self.starved = true,
            Err(e) if matches!(e.raw_os_error(), Some(libc::ECANCELED | libc::EINTR)) => {}
            Err(e) => self.fail(e),
        }
        match done.take_buffer() {
            // mostly nothing else is under way
            Some(filled) if filled.length > 0 && self.is_free() => self.receive(Data::InRing(filled), ring),
            Some(filled) if self.over.is_none() && filled.length > 0 => {
                self.unanswered.push_back(Data::InRing(filled));
                // it will not be sent soon
                if let Some(Data::Own(_)) = self.reply {
                    self.move_out_of_the_ring(ring);
                }
            }
            Some(filled) => ring.give_back(filled),
            None => {}
        }
    }

    /// A send has completed.
    pub(super) fn has_sent(&mut self, done: Completion, server: &Server) {
        self.sending = false;
        if let Some(Data::Own(outgoing)) = &mut self.reply {
            outgoing.landed();
        }
        match done.outcome() {
            Ok(n) => {
                let n = usize::try_from(n).unwrap_or(0);
                self.session.sent(n);
                self.slow = matches!(self.session.want(), Want::Write(_));
                handler::told(self.peer, n as u64, server);
            }
            Err(e) if e.raw_os_error() == Some(libc::EAGAIN) => self.slow = true,
            Err(e) if e.raw_os_error() == Some(libc::EINTR) => {}
            Err(e) => self.fail(e),
        }
    }

    fn is_free(&self) -> bool {
        self.reply.is_none() && self.unanswered.is_empty() && self.over.is_none()
    }

    fn fail(&mut self, why: io::Error) {
        if self.over.is_none() {
            self.over = Some(Ok(Err(why)));
        }
    }

    /// Orders whatever comes next.
    pub(super) fn advance(&mut self, tags: Tags, recv: Recv, now: Stamp, ring: &mut Ring) -> After {
        let after = self.go_on(tags, recv, ring);
        // a send out of the ring ends at once, one way or the other
        if !matches!((&self.reply, self.sending), (Some(Data::InRing(_)), true)) {
            self.limits.note(&self.session, now);
        }
        after
    }

    fn go_on(&mut self, tags: Tags, recv: Recv, ring: &mut Ring) -> After {
        loop {
            let want = self.session.want();
            if want == Want::Close && self.over.is_none() {
                self.over = Some(Ok(Ok(self.limits.problem())));
            }
            if self.over.is_some() {
                return self.wind_up(ring);
            }
            if self.sending || self.napping {
                self.hold_back(tags, ring);
                return After::Nothing;
            }
            match want {
                Want::Read => {
                    if let Some(data) = self.reply.take() {
                        data.give_back(ring);
                    }
                    if let Some(data) = self.unanswered.pop_front() {
                        self.receive(data, ring);
                    } else if self.at_end {
                        self.session.received(&mut []);
                    } else {
                        self.order_receive(tags, recv, ring);
                        return After::Nothing;
                    }
                }
                Want::Write(range) => {
                    if self.slow {
                        self.move_out_of_the_ring(ring);
                        self.slow = false;
                    }
                    let socket = self.socket.as_raw_fd();
                    match &mut self.reply {
                        Some(Data::InRing(filled)) => {
                            ring.send(socket, filled, range.start, range.end, tags.send);
                        }
                        Some(Data::Own(outgoing)) => {
                            ring.send_patiently(socket, outgoing, range.start, range.end, tags.send);
                        }
                        // a session replies from what it was given, and that is there
                        None => self.fail(io::ErrorKind::InvalidData.into()),
                    }
                    self.sending = true;
                }
                Want::Wait(span) => {
                    self.move_out_of_the_ring(ring);
                    self.napping = true;
                    self.hold_back(tags, ring);
                    return After::Nap(span);
                }
                Want::Finish => match self.socket.shutdown(Shutdown::Write) {
                    Ok(()) => self.session.finished(),
                    Err(e) => self.fail(e),
                },
                Want::Close => {}
            }
        }
    }

    /// Gives the session what was received. A panic in its handler ends this connection only.
    fn receive(&mut self, mut data: Data, ring: &mut Ring) {
        let bytes = data.bytes(ring);
        let session = &mut self.session;
        let handled = catch_unwind(AssertUnwindSafe(|| {
            if let Some(fault) = session.received(bytes) {
                fault.commit();
            }
        }));
        self.reply = Some(data);
        if let Err(panic) = handled {
            self.over = Some(Err(panic));
        }
    }

    /// For one that found no buffer. One that does not take its replies is not received from again: otherwise each shortage of
    /// buffers would let it send as many more as a ring has. (It is when it has taken them.)
    pub(super) fn order_receive_if_it_takes(&mut self, tags: Tags, recv: Recv, ring: &mut Ring) {
        if self.unanswered.len() < UNANSWERED {
            self.order_receive(tags, recv, ring);
        }
    }

    fn order_receive(&mut self, tags: Tags, recv: Recv, ring: &mut Ring) {
        if !self.receiving && !self.starved && !self.at_end && self.over.is_none() {
            ring.receive(self.socket.as_raw_fd(), recv == Recv::Multishot, tags.receive);
            self.receiving = true;
        }
    }

    /// Back-pressure: whoever does not take replies is not read from.
    fn hold_back(&mut self, tags: Tags, ring: &mut Ring) {
        if self.receiving && !self.cancelled && self.unanswered.len() >= UNANSWERED {
            ring.cancel(tags.receive, tags.cancel);
            self.cancelled = true;
        }
    }

    /// The client is slow, or the reply has to wait: nobody else shall lack buffers because of that.
    fn move_out_of_the_ring(&mut self, ring: &mut Ring) {
        for data in self.reply.iter_mut().chain(&mut self.unanswered) {
            if let Data::InRing(_) = data {
                let own = Data::Own(Outgoing::new(Box::from(&*data.bytes(ring))));
                std::mem::replace(data, own).give_back(ring);
            }
        }
    }

    /// It is over, as soon as nothing of it is under way any more.
    fn wind_up(&mut self, ring: &mut Ring) -> After {
        if !self.receiving && !self.sending {
            self.reply
                .take()
                .into_iter()
                .chain(self.unanswered.drain(..))
                .for_each(|data| data.give_back(ring));
            return After::Over;
        }
        if !self.shut {
            // this completes whatever is under way
            let _ = self.socket.shutdown(Shutdown::Both);
            self.shut = true;
        }
        After::Nothing
    }

    /// The wait for simulated work is over.
    pub(super) fn waited(&mut self) {
        self.napping = false;
        self.session.waited();
    }

    /// When a limit ends of which the loop does not know yet.
    #[inline]
    pub(super) fn new_deadline(&mut self, drain: Option<Stamp>, server: &Server) -> Option<Stamp> {
        if self.limits.are_news() { self.deadline(drain, server) } else { None }
    }

    /// When its time limit will have passed.
    pub(super) fn deadline(&mut self, drain: Option<Stamp>, server: &Server) -> Option<Stamp> {
        if self.over.is_some() { None } else { self.limits.deadline(drain, &server.options) }
    }

    /// Its time limit has passed.
    pub(super) fn expire(&mut self) {
        self.limits.expire(&mut self.session);
    }

    /// After [`After::Over`]: closes the socket; counted and told. Gives how many bytes were sent back, and the seat.
    pub(super) fn close(self, server: &Server) -> (u64, Seat) {
        drop(self.socket);
        let ending = self.over.unwrap_or(Ok(Ok(None)));
        let served = handler::closed(self.peer, self.session.echoed(), &ending, server);
        (served.echoed, self.seat)
    }
}

impl Data {
    fn bytes<'a>(&'a mut self, ring: &'a mut Ring) -> &'a mut [u8] {
        match self {
            Self::InRing(filled) => ring.bytes(filled),
            Self::Own(outgoing) => outgoing.bytes(),
        }
    }

    fn give_back(self, ring: &mut Ring) {
        if let Self::InRing(filled) = self {
            ring.give_back(filled);
        }
    }
}

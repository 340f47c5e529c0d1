//! One connection slot: its socket, its state and its messages.
//!
//! A slot outlives its connections: when one is used up or fails, the slot gets another.

use std::io::{self, ErrorKind};

use mio::net::TcpStream;
use mio::{Interest, Registry, Token};
use rustix::net::{RecvFlags, SendFlags, recv, send};

use crate::ping::{Ping, Protocol, Stamp};

/// Where a slot stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Never connected, or used up.
    Empty,
    /// The handshake is under way since the given time.
    Connecting(u64),
    /// Ready to send.
    Open,
    /// The connection failed; another is due at the given time.
    Pausing(u64),
}

/// One of the `-c` connections.
#[derive(Debug)]
pub struct Connection {
    stream: Option<TcpStream>,
    /// Where it stands.
    pub state: State,
    /// Its messages.
    pub ping: Ping,
    /// Requests sent on the present connection.
    pub sent: u64,
    /// Connections in a row that failed without a reply.
    pub failures: u32,
    /// Whether any connection of this slot was ever established.
    pub established: bool,
    /// Whether any connection of this slot ever received a reply.
    pub served: bool,
    /// Whether the present connection is the slot's first.
    pub first: bool,
    /// A request that waits for the connect to end: only where connections are opened for requests that are due.
    pub pending: Option<Stamp>,
    /// Whether it waits for a request, in an open loop.
    pub in_line: bool,
    /// When the first byte of a reply came of which the last is still missing.
    pub first_byte: Option<u64>,
    /// Right replies in the measured time, over all connections of this slot.
    pub answered: u64,
    watching_writable: bool,
}

impl Connection {
    /// An empty slot with memory for its messages.
    #[must_use]
    pub fn new(protocol: &Protocol, size: usize, depth: usize) -> Self {
        Self {
            stream: None,
            state: State::Empty,
            ping: Ping::new(protocol, size, depth),
            sent: 0,
            failures: 0,
            established: false,
            served: false,
            first: true,
            pending: None,
            in_line: false,
            first_byte: None,
            answered: 0,
            watching_writable: false,
        }
    }

    /// Takes a new socket whose connect is over (`State::Open`) or under way. It is not watched yet.
    pub fn begin(&mut self, stream: TcpStream, number: u32, state: State) {
        self.stream = Some(stream);
        self.state = state;
        self.sent = u64::from(self.pending.is_some());
        self.watching_writable = false;
        self.ping.restart(number);
    }

    /// Requests that are under way, or wait for the connect.
    #[must_use]
    pub fn in_flight(&self) -> usize {
        self.ping.in_flight() + usize::from(self.pending.is_some())
    }

    /// Closes the socket (with FIN, if everything was read) and leaves the slot in `state`.
    pub fn end(&mut self, state: State) {
        self.stream = None;
        self.state = state;
        self.sent = 0;
        self.pending = None;
        self.first_byte = None;
        self.first = false;
        self.ping.restart(0);
    }

    /// Sends what is unsent. `true`: all of it; `false`: the socket is full.
    ///
    /// # Errors
    /// The connection failed.
    pub fn flush(&mut self) -> io::Result<bool> {
        let Some(stream) = &mut self.stream else { return Ok(true) };
        loop {
            let bytes = self.ping.to_send();
            if bytes.is_empty() {
                return Ok(true);
            }
            // straight to the kernel: a call through libc first sees to it that its thread could be cancelled
            match send(&*stream, bytes, SendFlags::NOSIGNAL).map_err(io::Error::from) {
                Ok(count) => self.ping.sent(count),
                Err(e) if e.kind() == ErrorKind::WouldBlock => return Ok(false),
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                Err(e) => return Err(e),
            }
        }
    }

    /// Sends at most so many of the unsent bytes; 0: there are none, or the socket is full.
    ///
    /// # Errors
    /// The connection failed.
    pub fn send_at_most(&mut self, limit: usize) -> io::Result<usize> {
        let Some(stream) = &mut self.stream else { return Ok(0) };
        let bytes = self.ping.to_send();
        if bytes.is_empty() {
            return Ok(0);
        }
        match send(&*stream, &bytes[..bytes.len().min(limit)], SendFlags::NOSIGNAL).map_err(io::Error::from) {
            Ok(count) => {
                self.ping.sent(count);
                Ok(count)
            }
            Err(e) if matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => Ok(0),
            Err(e) => Err(e),
        }
    }

    /// Whether there is a socket whose connect is over.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.state == State::Open
    }

    /// One `recv`; `None`: nothing is there.
    ///
    /// # Errors
    /// The connection failed.
    pub fn receive(&mut self, buffer: &mut [u8]) -> io::Result<Option<usize>> {
        let Some(stream) = &mut self.stream else { return Ok(None) };
        loop {
            match recv(&*stream, &mut *buffer, RecvFlags::empty()).map_err(io::Error::from) {
                Ok((count, _)) => return Ok(Some(count)),
                Err(e) if e.kind() == ErrorKind::WouldBlock => return Ok(None),
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                Err(e) => return Err(e),
            }
        }
    }

    /// Asks a socket that has become writable how its connect ended; `false`: it is still under way.
    ///
    /// # Errors
    /// The connect failed.
    pub fn connected(&self) -> io::Result<bool> {
        let Some(stream) = &self.stream else { return Ok(false) };
        if let Some(error) = stream.take_error()? {
            return Err(error);
        }
        match stream.peer_addr() {
            Ok(_) => Ok(true),
            Err(e) if e.kind() == ErrorKind::NotConnected => Ok(false),
            Err(e) => Err(e),
        }
    }

    /// Begins to watch a new socket.
    ///
    /// # Errors
    /// The kernel has no memory for it.
    pub fn watch(&mut self, registry: &Registry, token: Token, writable: bool) -> io::Result<()> {
        let Some(stream) = &mut self.stream else { return Ok(()) };
        self.watching_writable = writable;
        registry.register(stream, token, interest(writable))
    }

    /// Asks to be told again of what is ready already.
    ///
    /// # Errors
    /// The kernel has no memory for it.
    pub fn watch_again(&mut self, registry: &Registry, token: Token) -> io::Result<()> {
        let Some(stream) = &mut self.stream else { return Ok(()) };
        registry.reregister(stream, token, interest(self.watching_writable))
    }

    /// Changes what is watched, if it changes: writability costs wake-ups, so it is watched only while needed.
    ///
    /// # Errors
    /// The kernel has no memory for it.
    pub fn watch_writable(&mut self, registry: &Registry, token: Token, writable: bool) -> io::Result<()> {
        let Some(stream) = &mut self.stream else { return Ok(()) };
        if self.watching_writable == writable {
            return Ok(());
        }
        self.watching_writable = writable;
        registry.reregister(stream, token, interest(writable))
    }
}

fn interest(writable: bool) -> Interest {
    if writable { Interest::READABLE | Interest::WRITABLE } else { Interest::READABLE }
}

//! A client that checks every byte.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::os::fd::AsFd;
use std::thread;
use std::time::Duration;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::{setsockopt, sockopt};

use crate::inspect::is_finishing;
use crate::server::{LONG, Server, eventually};

/// Bytes in which every loss, repetition and exchange shows: a pseudo-random sequence (xorshift).
pub(crate) struct Pattern(u64);

impl Pattern {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    pub(crate) fn fill(&mut self, bytes: &mut [u8]) {
        for byte in bytes {
            self.0 ^= self.0 << 13;
            self.0 ^= self.0 >> 7;
            self.0 ^= self.0 << 17;
            *byte = (self.0 >> 32) as u8;
        }
    }

    pub(crate) fn take(&mut self, n: usize) -> Vec<u8> {
        let mut bytes = vec![0; n];
        self.fill(&mut bytes);
        bytes
    }
}

/// A connection to the server.
#[derive(Debug)]
pub(crate) struct Client {
    pub(crate) stream: TcpStream,
    name: &'static str,
}

impl Client {
    pub(crate) fn of(server: &Server) -> Self {
        Self::try_of(server).unwrap_or_else(|e| panic!("{}: connect: {e}\n{}", server.name(), server.log()))
    }

    /// Of a server that may have closed its listener.
    pub(crate) fn try_of(server: &Server) -> std::io::Result<Self> {
        let stream = TcpStream::connect(server.address)?;
        stream.set_nodelay(true).unwrap();
        // whoever waits longer has found a server that does not answer
        stream.set_read_timeout(Some(LONG)).unwrap();
        stream.set_write_timeout(Some(LONG)).unwrap();
        Ok(Self { stream, name: server.name() })
    }

    pub(crate) fn send(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).unwrap_or_else(|e| panic!("{}: send: {e}", self.name));
    }

    /// Reads as many bytes and compares them.
    pub(crate) fn expect(&mut self, bytes: &[u8]) {
        let mut reply = vec![0; bytes.len()];
        self.stream.read_exact(&mut reply).unwrap_or_else(|e| panic!("{}: receive: {e}", self.name));
        assert!(reply == bytes, "{}: the echo differs", self.name);
    }

    pub(crate) fn expect_echo(&mut self, bytes: &[u8]) {
        self.send(bytes);
        self.expect(bytes);
    }

    /// Sends no more; the server sees the end of the stream.
    pub(crate) fn finish(&self) {
        self.stream.shutdown(Shutdown::Write).unwrap_or_else(|e| panic!("{}: shutdown: {e}", self.name));
    }

    /// One read. (With a time limit it ends early if this process was stopped and goes on; socket(7).)
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        loop {
            match self.stream.read(buffer) {
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                other => return other,
            }
        }
    }

    /// The server ends the stream, and not by a reset.
    pub(crate) fn expect_end(&mut self) {
        let mut more = [0; 64];
        match self.read(&mut more) {
            Ok(0) => {}
            other => panic!("{}: expected the end of the stream, got {other:?}", self.name),
        }
    }

    /// The connection is over, in whatever way.
    pub(crate) fn expect_over(&mut self) {
        let mut more = [0; 4096];
        loop {
            match self.read(&mut more) {
                Ok(0) => return,
                Ok(_) => {}
                Err(e) if matches!(e.kind(), ErrorKind::ConnectionReset | ErrorKind::BrokenPipe) => return,
                Err(e) => panic!("{}: expected the connection to be over: {e}", self.name),
            }
        }
    }

    /// Message, half-close, the echo, the end.
    pub(crate) fn expect_echo_then_end(&mut self, bytes: &[u8]) {
        self.send(bytes);
        self.finish();
        self.expect(bytes);
        self.expect_end();
    }

    /// Closes by a reset.
    pub(crate) fn reset(self) {
        let now = libc::linger { l_onoff: 1, l_linger: 0 };
        setsockopt(&self.stream, sockopt::Linger, &now).unwrap();
    }

    /// Whether there is something to read (or the end) within the time.
    pub(crate) fn hears_within(&self, time: Duration) -> bool {
        self.polls(PollFlags::POLLIN, time)
    }

    /// Waits until the server has ended its side, and reads nothing.
    pub(crate) fn wait_for_end_unread(&self) {
        // nix has no name for it
        let ended = PollFlags::from_bits_retain(libc::POLLRDHUP);
        assert!(self.polls(ended, LONG), "{}: the server does not end the stream", self.name);
    }

    /// Waits until the server has ended its side although we have not taken all that it sent.
    pub(crate) fn wait_for_end_behind_unread_bytes(&self) {
        let (ours, servers) = (self.stream.local_addr().unwrap(), self.stream.peer_addr().unwrap());
        assert!(
            eventually(LONG, || is_finishing(servers, ours)),
            "{}: it does not end the stream",
            self.name
        );
    }

    fn polls(&self, what: PollFlags, time: Duration) -> bool {
        let mut polled = [PollFd::new(self.stream.as_fd(), what)];
        poll(&mut polled, PollTimeout::try_from(time).unwrap()).unwrap() > 0
    }

    /// Sends `total` patterned bytes in chunks of the given sizes (in turn), pausing as told after each, while another
    /// thread reads and compares; then the end of the stream, if `finish` asks for it.
    pub(crate) fn stream_through(&mut self, total: u64, chunks: &[usize], pauses: &[Duration], finish: bool) {
        let reader = Self { stream: self.stream.try_clone().unwrap(), name: self.name };
        let seed = total ^ 0xEC40;
        thread::scope(|scope| {
            scope.spawn(move || reader.compare(total, seed));
            let (mut pattern, mut left) = (Pattern::new(seed), total);
            let plan = chunks.iter().cycle().zip(pauses.iter().cycle());
            for (chunk, pause) in plan.take_while(|_| total > 0) {
                let n = left.min(*chunk as u64);
                self.send(&pattern.take(n as usize));
                left -= n;
                if left == 0 {
                    break;
                }
                match pause.is_zero() {
                    true => thread::yield_now(),
                    false => thread::sleep(*pause),
                }
            }
            if finish {
                self.finish();
            }
        });
        if finish {
            self.expect_end();
        }
    }

    fn compare(mut self, total: u64, seed: u64) {
        let (mut pattern, mut left, mut reply) = (Pattern::new(seed), total, vec![0; 1 << 16]);
        while left > 0 {
            let room = reply.len().min(usize::try_from(left).unwrap_or(usize::MAX));
            let n = match self.read(&mut reply[..room]) {
                Ok(0) => panic!("{}: the stream ended {left} bytes early", self.name),
                Ok(n) => n,
                Err(e) => panic!("{}: {left} bytes before the end: {e}", self.name),
            };
            assert!(reply[..n] == pattern.take(n), "{}: the echo differs, {left} bytes left", self.name);
            left -= n as u64;
        }
    }
}

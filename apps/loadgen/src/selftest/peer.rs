//! The other end of a self-test: an echo in this process that does next to nothing, or waits exactly as long as it is
//! told to.
//!
//! How: one thread, one readiness loop, one read and one write a chunk. A delay is waited out on the clock, not asleep,
//! because a sleep ends some ten microseconds late and the delay is what the self-test knows. It counts what it sends
//! back. Cost: a CPU. Where it breaks: while it delays one connection it serves no other, so a delay is tried with one.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token, Waker};
use nix::sched::{CpuSet, sched_setaffinity};
use nix::unistd::Pid;

const LISTENER: Token = Token(usize::MAX);
const STOP: Token = Token(usize::MAX - 1);
/// Connections that it takes; more wait in the backlog.
const CONNECTIONS: usize = 1024;
/// Bytes read at once.
const BUFFER: usize = 256 * 1024;

/// What it does with a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Manner {
    /// Sends it back.
    Echo,
    /// Sends it back after this time.
    After(Duration),
    /// Sends it back; once, this long after the first request, it does nothing for that long.
    StallOnce {
        /// When.
        after: Duration,
        /// How long.
        length: Duration,
    },
}

/// A running peer. It ends with its owner.
#[derive(Debug)]
pub(super) struct Peer {
    pub(super) address: SocketAddr,
    echoed: Arc<AtomicU64>,
    waker: Waker,
    thread: Option<JoinHandle<()>>,
}

impl Peer {
    /// Starts it on `cpus`; on any if there are none.
    ///
    /// # Errors
    /// No thread, socket or descriptor for it.
    pub(super) fn start(manner: Manner, cpus: &[usize]) -> io::Result<Self> {
        let mut listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0).into())?;
        let address = listener.local_addr()?;
        let poll = Poll::new()?;
        let waker = Waker::new(poll.registry(), STOP)?;
        poll.registry().register(&mut listener, LISTENER, Interest::READABLE)?;
        let echoed = Arc::new(AtomicU64::new(0));
        let mut server =
            Server { listener, poll, manner, first: None, echoed: Arc::clone(&echoed), clients: Vec::new() };
        let mut set = CpuSet::new();
        for cpu in cpus {
            set.set(*cpu)?;
        }
        let pinned = !cpus.is_empty();
        let thread = thread::Builder::new().name("peer".to_owned()).spawn(move || {
            if pinned {
                // unpinned it is less exact, and the placement is told
                let _ = sched_setaffinity(Pid::from_raw(0), &set);
            }
            server.serve();
        })?;
        Ok(Self { address, echoed, waker, thread: Some(thread) })
    }

    /// Ends it; returns how many bytes it has sent back.
    pub(super) fn stop(mut self) -> u64 {
        self.end();
        self.echoed.load(Ordering::Acquire)
    }

    fn end(&mut self) {
        let _ = self.waker.wake();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        self.end();
    }
}

struct Client {
    stream: TcpStream,
    /// What the socket did not take; nothing is read until it is gone, so it never grows over one buffer.
    unsent: Vec<u8>,
}

struct Server {
    listener: TcpListener,
    poll: Poll,
    manner: Manner,
    /// When the first request came; `None`: none has come, or the one stall is over.
    first: Option<Instant>,
    echoed: Arc<AtomicU64>,
    clients: Vec<Option<Client>>,
}

impl Server {
    fn serve(&mut self) {
        let mut events = Events::with_capacity(CONNECTIONS);
        let mut buffer = vec![0; BUFFER];
        let mut stalled = false;
        loop {
            match self.poll.poll(&mut events, None) {
                Err(e) if e.kind() != ErrorKind::Interrupted => return,
                _ => {}
            }
            for event in &events {
                match event.token() {
                    STOP => return,
                    LISTENER => self.accept(),
                    Token(slot) => self.exchange(slot, &mut buffer),
                }
            }
            if let Manner::StallOnce { after, length } = self.manner
                && !stalled
                && self.first.is_some_and(|first| first.elapsed() >= after)
            {
                stalled = true;
                spin(length);
            }
        }
    }

    fn accept(&mut self) {
        while let Ok((mut stream, _)) = self.listener.accept() {
            let _ = stream.set_nodelay(true);
            let slot = self.clients.iter().position(Option::is_none).unwrap_or(self.clients.len());
            let interest = Interest::READABLE | Interest::WRITABLE;
            if slot >= CONNECTIONS
                || self.poll.registry().register(&mut stream, Token(slot), interest).is_err()
            {
                continue;
            }
            let client = Some(Client { stream, unsent: Vec::new() });
            match self.clients.get_mut(slot) {
                Some(place) => *place = client,
                None => self.clients.push(client),
            }
        }
    }

    fn exchange(&mut self, slot: usize, buffer: &mut [u8]) {
        let (manner, echoed) = (self.manner, Arc::clone(&self.echoed));
        let Some(Some(client)) = self.clients.get_mut(slot) else { return };
        match client.exchange(manner, &echoed, buffer) {
            Ok(true) => {
                self.first.get_or_insert_with(Instant::now);
            }
            Ok(false) => {}
            Err(_) => self.clients[slot] = None,
        }
    }
}

impl Client {
    /// Answers what has come; `Ok(true)`: something had.
    ///
    /// # Errors
    /// The connection is over.
    fn exchange(&mut self, manner: Manner, echoed: &AtomicU64, buffer: &mut [u8]) -> io::Result<bool> {
        let mut any = false;
        loop {
            while !self.unsent.is_empty() {
                match self.stream.write(&self.unsent) {
                    Ok(count) => {
                        echoed.fetch_add(count as u64, Ordering::Release);
                        self.unsent.drain(..count);
                    }
                    Err(e) if e.kind() == ErrorKind::WouldBlock => return Ok(any),
                    Err(e) if e.kind() == ErrorKind::Interrupted => {}
                    Err(e) => return Err(e),
                }
            }
            let count = match self.stream.read(buffer) {
                Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
                Ok(count) => count,
                Err(e) if e.kind() == ErrorKind::WouldBlock => return Ok(any),
                Err(e) if e.kind() == ErrorKind::Interrupted => continue,
                Err(e) => return Err(e),
            };
            any = true;
            if let Manner::After(delay) = manner {
                spin(delay);
            }
            let sent = match self.stream.write(&buffer[..count]) {
                Ok(sent) => sent,
                Err(e) if matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => 0,
                Err(e) => return Err(e),
            };
            echoed.fetch_add(sent as u64, Ordering::Release);
            self.unsent.extend_from_slice(&buffer[sent..count]);
            if count < buffer.len() && self.unsent.is_empty() {
                return Ok(any);
            }
        }
    }
}

/// Waits without sleeping.
fn spin(length: Duration) {
    let begin = Instant::now();
    while begin.elapsed() < length {
        std::hint::spin_loop();
    }
}

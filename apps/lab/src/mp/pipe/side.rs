//! One side of a direction: the ring, who sleeps, and the socket that is doorbell and lifeline.
//!
//! No wake-up is lost: the sleeper notes that it sleeps and *then* looks at the ring, the other moves the ring and *then* looks
//! at the note, all in one order for both (SeqCst); so one of them sees the other. The note is taken down by whoever comes first. A byte
//! that comes too late wakes somebody once for nothing. If the other side dies after it took the note and before it sent the
//! byte, its socket is closed, which wakes, too.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, ppoll};
use nix::sys::time::TimeSpec;
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, recv, send, socketpair};

use crate::mp::Wait;
use crate::mp::channel::looked_again;
use crate::mp::ring::{Beside, MESSAGES_MAX, Ring};

/// The counter that says of what type the values are.
const TYPE: usize = 0;
/// The words say who sleeps: [`Part`] has their numbers.
const BESIDE: Beside = Beside { mutexes: 0, words: 2, counters: 1 };
/// So many bytes of a doorbell that rang are taken at once. (There is one, rarely two.)
const RINGS: usize = 64;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    Sender,
    Receiver,
}

#[derive(Debug)]
pub(super) struct Side {
    ring: Arc<Ring>,
    part: Part,
    /// Until it is closed.
    bell: Option<OwnedFd>,
    peer_is_gone: bool,
}

impl Part {
    pub(super) fn word(self) -> usize {
        match self {
            Self::Sender => 0,
            Self::Receiver => 1,
        }
    }

    fn other(self) -> Self {
        match self {
            Self::Sender => Self::Receiver,
            Self::Receiver => Self::Sender,
        }
    }
}

/// The two sides of a new direction, that of the sender first.
pub(super) fn pair(bytes: usize, kind: u64) -> io::Result<(Side, Side)> {
    // (the bytes are the bound)
    let ring = Arc::new(Ring::create("pipe", MESSAGES_MAX, bytes, BESIDE)?);
    ring.extra(TYPE).store(kind, Ordering::SeqCst);
    let (one, two) = socketpair(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC, None)?;
    let side = |ring, part, bell| Side { ring, part, bell: Some(bell), peer_is_gone: false };
    Ok((side(Arc::clone(&ring), Part::Sender, one), side(ring, Part::Receiver, two)))
}

impl Side {
    pub(super) fn open([memory, bell]: [OwnedFd; 2], part: Part, kind: u64) -> io::Result<Self> {
        let ring = Ring::open(memory, BESIDE)?;
        if ring.extra(TYPE).load(Ordering::SeqCst) != kind {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "this is a pipe of other values"));
        }
        // (a socket, or the first look at it would say that nobody is there)
        rustix::net::sockopt::socket_type(&bell)?;
        Ok(Self { ring: Arc::new(ring), part, bell: Some(bell), peer_is_gone: false })
    }

    pub(super) fn descriptors(&self) -> io::Result<[BorrowedFd<'_>; 2]> {
        let bell = self.bell.as_ref().ok_or(io::ErrorKind::NotConnected)?;
        Ok([self.ring.descriptor(), bell.as_fd()])
    }

    #[inline]
    pub(super) fn ring(&self) -> &Ring {
        &self.ring
    }

    /// Closes this process's copy.
    pub(super) fn close(&mut self) {
        self.bell = None;
        self.peer_is_gone = true;
    }

    pub(super) fn is_closed(&self) -> bool {
        self.bell.is_none()
    }

    /// As far as is known; or this side is closed itself.
    #[inline]
    pub(super) fn peer_is_gone(&self) -> bool {
        self.peer_is_gone
    }

    /// Wakes the other side if it sleeps. After the ring was moved.
    #[inline]
    pub(super) fn ring_the_bell(&mut self) -> io::Result<()> {
        let sleeping = self.ring.word(self.part.other().word());
        // (asked before it is taken: the question alone leaves the memory to the other side)
        if sleeping.load(Ordering::SeqCst) != 0 && sleeping.swap(0, Ordering::SeqCst) != 0 {
            return self.send_a_byte();
        }
        Ok(())
    }

    #[cold]
    fn send_a_byte(&mut self) -> io::Result<()> {
        let Some(bell) = &self.bell else { return Ok(()) };
        loop {
            match send(bell, &[1], SendFlags::DONTWAIT | SendFlags::NOSIGNAL) {
                // (a bell that has no room rings already)
                Ok(_) | Err(rustix::io::Errno::AGAIN) => return Ok(()),
                Err(rustix::io::Errno::INTR) => {}
                Err(rustix::io::Errno::PIPE | rustix::io::Errno::CONNRESET) => {
                    self.peer_is_gone = true;
                    return Ok(());
                }
                Err(other) => return Err(other.into()),
            }
        }
    }

    /// Silences the bell, and learns whether the other side is still there.
    pub(super) fn look_after_peer(&mut self) -> io::Result<()> {
        let Some(bell) = &self.bell else { return Ok(()) };
        loop {
            match recv(bell, &mut [0u8; RINGS], RecvFlags::DONTWAIT) {
                Ok((0, _)) | Err(rustix::io::Errno::CONNRESET) => {
                    self.peer_is_gone = true;
                    return Ok(());
                }
                Err(rustix::io::Errno::AGAIN) => return Ok(()),
                Ok(_) | Err(rustix::io::Errno::INTR) => {}
                Err(other) => return Err(other.into()),
            }
        }
    }

    /// Waits until `may`, or until the other side is gone, or for nothing; `false`: the time is over.
    pub(super) fn wait(&mut self, may: impl Fn(&Ring) -> bool, wait: Wait) -> io::Result<bool> {
        if wait != Wait::No && looked_again(|| may(&self.ring)) {
            return Ok(true);
        }
        let left = wait.left();
        if left == Some(Duration::ZERO) {
            self.look_after_peer()?;
            return Ok(self.peer_is_gone || may(&self.ring));
        }
        self.ring.word(self.part.word()).store(1, Ordering::SeqCst);
        let outcome = if may(&self.ring) { Ok(()) } else { self.sleep(left) };
        self.ring.word(self.part.word()).store(0, Ordering::SeqCst);
        outcome.map(|()| true)
    }

    fn sleep(&mut self, left: Option<Duration>) -> io::Result<()> {
        let Some(bell) = &self.bell else { return Ok(()) };
        let mut polled = [PollFd::new(bell.as_fd(), PollFlags::POLLIN)];
        match ppoll(&mut polled, left.map(TimeSpec::from_duration), None) {
            Ok(_) => self.look_after_peer(),
            Err(Errno::EINTR) => Ok(()),
            Err(other) => Err(other.into()),
        }
    }
}

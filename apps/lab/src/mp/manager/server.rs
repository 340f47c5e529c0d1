//! The manager's process: a thread for each client.

use std::fs::{self, File};
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::eventfd::{EfdFlags, EventFd};
use nix::sys::signal::{SigSet, Signal};
use nix::sys::socket::{getsockopt, sockopt};
use nix::unistd::geteuid;
use rustix::process::{Pid, PidfdFlags, pidfd_open};

use super::messages::{self, Operation, Refusal, Reply, Request, SECRET};
use super::store::{Client, Outcome, Store};
use super::{ANSWER_MAX, CONNECTIONS_MAX, OBJECTS_MAX, VALUES_MAX};

/// A thread that serves a client calls nothing deep.
const STACK: usize = 256 << 10;
/// Where no connection can be made (no descriptor, no memory), the next try is so much later.
const RECOVERY: Duration = Duration::from_millis(20);

struct Shared {
    store: Mutex<Store>,
    secret: [u8; SECRET],
    clients: AtomicUsize,
}

impl Shared {
    fn store(&self) -> MutexGuard<'_, Store> {
        self.store.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Serves until this process is killed.
pub(super) fn serve(listener: &UnixListener, secret: [u8; SECRET]) -> io::Result<()> {
    keep_only(listener)?;
    // who stops a program at the terminal stops the clients; they may still need what is here on their way out
    SigSet::from(Signal::SIGINT).thread_block()?;
    let store = Mutex::new(Store::new(OBJECTS_MAX, VALUES_MAX));
    let shared = Arc::new(Shared { store, secret, clients: AtomicUsize::new(0) });
    let mut last: Client = 0;
    loop {
        last += 1;
        match listener.accept() {
            Ok((stream, _)) => admit(&shared, stream, last),
            Err(_) => thread::sleep(RECOVERY),
        }
    }
}

/// Closes the files that this process inherited. (A copy of a parent's pipe, kept here, would hide its end from whoever reads it.)
/// Their numbers stay taken: copies of the parent's values own them, and none of those is to meet a client's connection.
fn keep_only(listener: &UnixListener) -> io::Result<()> {
    let numbers: Vec<i32> = fs::read_dir("/proc/self/fd")?
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .filter(|number| *number > 2 && *number != listener.as_raw_fd())
        .collect();
    // (it gets the directory's number, which is free again)
    let nothing = File::open("/dev/null")?;
    for number in numbers {
        if number != nothing.as_raw_fd() {
            common::descriptor::replace(number, nothing.as_fd())?;
        }
    }
    Ok(())
}

/// Gives the client a thread, or tells it that there is none.
fn admit(shared: &Arc<Shared>, stream: UnixStream, client: Client) {
    let refuse = |stream: &UnixStream, refusal| {
        // a few bytes always fit into a new socket
        let _ = stream.set_nonblocking(true);
        let _ = messages::send(stream, &Reply::Refused(refusal));
    };
    let Ok(Some(peer)) = peer(&stream) else { return refuse(&stream, Refusal::Stranger) };
    if shared.clients.fetch_add(1, Ordering::SeqCst) >= CONNECTIONS_MAX {
        shared.clients.fetch_sub(1, Ordering::SeqCst);
        return refuse(&stream, Refusal::Connections);
    }
    let seat = Seat { shared: Arc::clone(shared), client };
    // if there is no thread, the seat is dropped with the closure
    let _ = thread::Builder::new().name(format!("client-{client}")).stack_size(STACK).spawn(move || {
        let Ok(bell) = EventFd::from_flags(EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK) else { return };
        let connection = Connection { seat, stream, peer, bell: Arc::new(bell) };
        // whatever ends it, the client sees the end of the connection
        let _ = connection.run();
    });
}

/// A descriptor of the process at the other end, if it is of the same user.
fn peer(stream: &UnixStream) -> io::Result<Option<OwnedFd>> {
    let credentials = getsockopt(stream, sockopt::PeerCredentials)?;
    if credentials.uid() != geteuid().as_raw() {
        return Ok(None);
    }
    let pid = Pid::from_raw(credentials.pid()).ok_or(io::ErrorKind::InvalidInput)?;
    Ok(Some(pidfd_open(pid, PidfdFlags::empty())?))
}

/// One of [`CONNECTIONS_MAX`].
struct Seat {
    shared: Arc<Shared>,
    client: Client,
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.shared.store().end(self.client);
        self.shared.clients.fetch_sub(1, Ordering::SeqCst);
    }
}

struct Connection {
    // first, so dropped first: who sees the end of this connection finds what the client held free, and its seat
    seat: Seat,
    stream: UnixStream,
    /// The process that made the connection. Its forked children have copies of its end, so that the connection need not
    /// end with it.
    peer: OwnedFd,
    bell: Arc<EventFd>,
}

/// What a wait ended with.
enum Woken {
    Rung,
    TimeOver,
    Gone,
}

impl Connection {
    fn run(&self) -> io::Result<()> {
        // a client that begins a message ends it, and takes its answer
        self.stream.set_read_timeout(Some(ANSWER_MAX))?;
        self.stream.set_write_timeout(Some(ANSWER_MAX))?;
        let secret: [u8; SECRET] = messages::receive(&self.stream)?;
        if !messages::same(&secret, &self.seat.shared.secret) {
            return messages::send(&self.stream, &Reply::Refused(Refusal::Stranger));
        }
        messages::send(&self.stream, &Reply::Welcome)?;
        while self.has_spoken()? {
            let reply = match messages::receive(&self.stream)? {
                Request::Taken if self.store().taken(self.seat.client) => continue,
                Request::Create(kind) if !self.owes() => self.store().create(kind),
                Request::On(id, operation) if !self.owes() => match self.perform(id, operation)? {
                    Some(reply) => reply,
                    None => return Ok(()),
                },
                _ => return Err(io::ErrorKind::InvalidData.into()),
            };
            messages::send(&self.stream, &reply)?;
        }
        Ok(())
    }

    fn store(&self) -> MutexGuard<'_, Store> {
        self.seat.shared.store()
    }

    /// It was sent an item, and must say that it has it before anything else.
    fn owes(&self) -> bool {
        self.store().delivers_to(self.seat.client)
    }

    /// Waits for a message; `false`: there will be none.
    fn has_spoken(&self) -> io::Result<bool> {
        let mut watched = [
            PollFd::new(self.stream.as_fd(), PollFlags::POLLIN),
            PollFd::new(self.peer.as_fd(), PollFlags::POLLIN),
        ];
        while let Err(e) = poll(&mut watched, PollTimeout::NONE) {
            if e != nix::errno::Errno::EINTR {
                return Err(e.into());
            }
        }
        // what a process said before it died counts
        Ok(watched[0].any() == Some(true))
    }

    /// Does it, if need be after waiting; `None`: the client is gone.
    fn perform(&self, id: u64, mut operation: Operation) -> io::Result<Option<Reply>> {
        let until = operation.limit().map(|limit| Instant::now().checked_add(limit));
        // a time so far away that it cannot be told is no limit
        let until = until.flatten();
        let at_once = operation.limit() == Some(Duration::ZERO);
        let mut time_over = at_once;
        loop {
            {
                let mut store = self.store();
                match store.operate(self.seat.client, id, &mut operation) {
                    Outcome::Reply(reply) => return Ok(Some(reply)),
                    Outcome::Blocked(refusal) if time_over => return Ok(Some(Reply::Refused(refusal))),
                    Outcome::Blocked(_) => store.wait_for_change(self.seat.client, id, &self.bell),
                }
            }
            let woken = self.sleep(until);
            self.store().stop_waiting(self.seat.client, id);
            match woken? {
                Woken::Rung => {}
                // once more: it may have changed in this moment
                Woken::TimeOver => time_over = true,
                Woken::Gone => return Ok(None),
            }
        }
    }

    /// Until the bell rings, the time is over, or the client is gone (one that speaks while it waits is none of ours).
    fn sleep(&self, until: Option<Instant>) -> io::Result<Woken> {
        let mut watched = [
            PollFd::new(self.bell.as_fd(), PollFlags::POLLIN),
            PollFd::new(self.stream.as_fd(), PollFlags::POLLIN),
            PollFd::new(self.peer.as_fd(), PollFlags::POLLIN),
        ];
        loop {
            let left = until.map(|until| until.saturating_duration_since(Instant::now()));
            // rounded up, so that the time is over when the poll says so
            let left = left.map(|left| PollTimeout::try_from(left + Duration::from_millis(1)));
            let timeout = left.map_or(PollTimeout::NONE, |left| left.unwrap_or(PollTimeout::MAX));
            match poll(&mut watched, timeout) {
                Ok(_) | Err(nix::errno::Errno::EINTR) => {}
                Err(e) => return Err(e.into()),
            }
            if watched[1].any() == Some(true) || watched[2].any() == Some(true) {
                return Ok(Woken::Gone);
            }
            if watched[0].any() == Some(true) {
                let _ = self.bell.read();
                return Ok(Woken::Rung);
            }
            if until.is_some_and(|until| until <= Instant::now()) {
                return Ok(Woken::TimeOver);
            }
        }
    }
}

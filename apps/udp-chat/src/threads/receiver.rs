//! The receiving thread: socket → events.

use std::net::UdpSocket;
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicBool, Ordering};

use common::fifo::Sender;
use common::signals;
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use super::Event;
use crate::socket::{self, Room};

/// At the end, so many more batches are taken at most; a sender that never stops must not keep us. More than a full socket
/// holds: what would be left in it is in nobody's books.
const LAST_BATCHES: usize = 512;

/// Receives until a stop signal, or until `ending` is set and the [wake descriptor](signals::wake_descriptor) readable.
pub(super) fn receive(socket: &UdpSocket, ending: &AtomicBool, events: &Sender<Event>) {
    let outcome = until_stopped(socket, ending, events);
    let _ = events.put(Event::ReceiverDone(outcome.err()));
}

/// The error says why nothing can be received any more. `put` fails only if the main thread is gone.
fn until_stopped(socket: &UdpSocket, ending: &AtomicBool, events: &Sender<Event>) -> Result<(), String> {
    let mut room = Room::default();
    loop {
        let something_back = wait(socket).map_err(|e| format!("cannot wait for datagrams: {}", e.desc()))?;
        let signalled = signals::stop_requested().is_some();
        let stopping = signalled || ending.load(Ordering::SeqCst);
        if signalled {
            let _ = events.put(Event::Stop);
        }
        let most = if stopping { LAST_BATCHES } else { 1 };
        for _ in 0..most {
            let back = if something_back || stopping { socket::returned(socket) } else { Vec::new() };
            let nothing_back = back.is_empty();
            if !nothing_back {
                let _ = events.put(Event::Back(back));
            }
            let batch = socket::receive(socket, &mut room).map_err(|e| format!("cannot receive: {e}"))?;
            if !batch.is_empty() {
                let _ = events.put(Event::Came(batch));
            } else if nothing_back {
                break;
            }
        }
        if stopping {
            return Ok(());
        }
    }
}

/// Sleeps until the socket has something or a stop is requested; `true`: datagrams of ours may have come back.
fn wait(socket: &UdpSocket) -> Result<bool, Errno> {
    let mut waiting_for = vec![PollFd::new(socket.as_fd(), PollFlags::POLLIN)];
    if let Some(wake) = signals::wake_descriptor() {
        // never read: once a stop is requested, it stays readable
        waiting_for.push(PollFd::new(wake.as_fd(), PollFlags::POLLIN));
    }
    match poll(&mut waiting_for, PollTimeout::NONE) {
        Ok(_) => Ok(waiting_for[0].revents().is_some_and(|events| events.contains(PollFlags::POLLERR))),
        Err(Errno::EINTR) => Ok(false),
        Err(e) => Err(e),
    }
}

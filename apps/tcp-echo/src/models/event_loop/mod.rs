//! Loops on readiness: one thread serves many connections, and never blocks on any of them.
//!
//! **How it works.** A loop asks the kernel which of its sockets are ready (`epoll_wait`, by way of the crate `mio`), takes up
//! each connection that is, serves it as far as that goes without blocking, and asks again. In its barest form,
//!
//! ```text
//! loop { for ready in epoll_wait() { if ready == listener { accept all } else { read what is there; write it } } }
//! ```
//!
//! **What it costs.** Two system calls for each request, as with a thread, and one more for each *batch* of ready
//! connections; no context switch while there is work; and next to no memory: an idle connection is an entry in a table.
//! All connections of a loop share one buffer.
//!
//! **How loops get connections** (`--accept`):
//! - `shared`: every loop watches the one listener, and all are woken for each connection (the thundering herd). One gets it; the
//!   others find out within `epoll_wait`, mostly, and sleep on. It shows in context switches, and in `--stats` as
//!   `spurious_wakeups` where a loop got as far as asking.
//! - `exclusive`: the kernel wakes one (`EPOLLEXCLUSIVE`), the first in its list that sleeps: while there is little to do, one
//!   loop gets nearly everything.
//! - `reuseport`: every loop has a listener of its own on the same port, and the kernel spreads connections by a hash of the
//!   addresses. Even on average, blind to load.
//! - `main`: the main thread accepts and hands connections to the loops in turn: even, at the price of a wake-up each.
//!
//! **Where it breaks.** A handler that computes or blocks holds up every connection of its loop (try `--work block:5ms`).
//! A connection stays with its loop, however busy that is. A memory fault ends everything; a panic is caught at the visit.
//!
//! **Who does it.** nginx and HAProxy (a loop per process or thread), Redis, Node.js, Envoy.

mod offload;
mod reactor;

use std::io;
use std::net::TcpListener;
use std::thread;

use common::descriptor;

use mio::{Interest, Poll, Waker};
use nix::sys::epoll::{Epoll, EpollEvent, EpollFlags};

use crate::about::{About, Choice, CrashEnds, Needs, Serves};
use crate::accept::Acceptor;
use crate::ending;
use crate::loops::STACK;
use crate::loops::crowd::Crowd;
use crate::loops::intake::Intake;
use crate::mode_options::{Accept, AcceptingWorkers};
use crate::queue::Queue;
use crate::server::Server;
pub(super) use offload::{Job, serve_jobs};
use reactor::{LISTENER, MAIL, Mail, Reactor};

/// For the list of modes.
pub(crate) const ABOUT: About = About {
    name: "event-loop",
    runs: "N loops on readiness (epoll)",
    choices: &[
        Choice::number("--workers"),
        Choice::one_of("--accept", &["shared", "exclusive", "reuseport", "main"]),
    ],
    serves: Serves::AsManyAsCome,
    buffer: 64 << 10,
};

pub(crate) fn needs(workers: AcceptingWorkers) -> Needs {
    Needs {
        buffers: workers.workers,
        // a poll, its waker, its alarm and two copies of a listener each
        descriptors: 5 * workers.workers as u64,
        workers: workers.workers,
        listeners: workers.listeners(),
        crash: CrashEnds::Everything,
        label: format!("event-loop of {workers}"),
    }
}

/// Serves until a stop is requested and the connections have drained.
pub(crate) fn serve(
    listeners: Vec<TcpListener>,
    server: &'static Server,
    settings: AcceptingWorkers,
) -> io::Result<()> {
    serve_with(listeners, server, settings, None)
}

/// The same; with `offload`, the loops visit no connection themselves, but put it there.
pub(super) fn serve_with(
    listeners: Vec<TcpListener>,
    server: &'static Server,
    settings: AcceptingWorkers,
    offload: Option<&'static Queue<Job>>,
) -> io::Result<()> {
    let AcceptingWorkers { workers, accept } = settings;
    let polls: Vec<Poll> = (0..workers).map(|_| Poll::new()).collect::<io::Result<_>>()?;
    let wakers: Vec<Waker> =
        polls.iter().map(|poll| Waker::new(poll.registry(), MAIL)).collect::<io::Result<_>>()?;
    let crowd: &'static Crowd<Mail> =
        Box::leak(Box::new(Crowd::new(wakers.into_iter().map(|waker| move || waker.wake()))));
    for (number, poll) in polls.into_iter().enumerate() {
        let mut intake = match accept {
            Accept::Main => Intake::none(),
            _ => Intake::of(&listeners[number % listeners.len()])?,
        };
        watch(&mut intake, accept, &poll)?;
        let reactor = Reactor::new(number, poll, intake, crowd, offload, server)?;
        thread::Builder::new()
            .stack_size(STACK)
            .spawn(move || reactor.run())
            .map_err(|e| io::Error::new(e.kind(), format!("no thread for loop {number}: {e}")))?;
    }
    server.ready()?;

    let tell_loops = move || crowd.wake_all();
    let acceptor = if accept == Accept::Main {
        let listener = listeners.into_iter().next().ok_or_else(|| io::Error::other("no listener"))?;
        Acceptor::new(listener, server, tell_loops)
    } else {
        ending::wait_for_stop(server);
        Acceptor::of_the_last(&listeners, server, tell_loops)
    };
    crowd.hand_out(acceptor, server, Mail::New)
}

/// Has the kernel tell a loop when there is somebody to accept.
fn watch(intake: &mut Intake, accept: Accept, poll: &Poll) -> io::Result<()> {
    let Some(listener) = intake.listener() else { return Ok(()) };
    if accept == Accept::Exclusive {
        // mio does not offer this flag, but its poll is an epoll
        let epoll = Epoll(descriptor::copy_of(poll)?);
        let flags = EpollFlags::EPOLLIN | EpollFlags::EPOLLET | EpollFlags::EPOLLEXCLUSIVE;
        return Ok(epoll.add(&*listener, EpollEvent::new(flags, LISTENER.0 as u64))?);
    }
    poll.registry().register(listener, LISTENER, Interest::READABLE)
}

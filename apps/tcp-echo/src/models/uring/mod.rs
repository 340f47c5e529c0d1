//! Loops on completions (io_uring): one thread serves many connections by telling the kernel what it wants done.
//!
//! **How it works.** A [readiness loop](super::event_loop) asks what is ready and then does it, a system call each. This one
//! writes down what is wanted (accept, receive, send) in memory that it shares with the kernel, and finds there what has been
//! done. One system call tells and asks for all connections at once. In its barest form,
//!
//! ```text
//! loop { submit_and_wait(); for done in completions() { match done { Received(bytes) => send(bytes), Sent => receive() } } }
//! ```
//!
//! **What it costs.** The fewest system calls of all models: under load less than one for each request. The work in the
//! kernel stays, and most of it is TCP; so it saves some 5 to 10 % of an event loop's time, not half.
//!
//! **How data is received** (`--recv`):
//! - `multishot`: a receive is ordered once a connection and completes again and again, each time in a buffer that the kernel
//!   takes from a ring of 512. So an idle connection has no buffer.
//! - `oneshot`: a receive is ordered for each message, into a buffer of the same ring.
//!
//! **Traps.** A receive that repeats itself has no back-pressure: a client that sends and never reads would fill all buffers. So
//! at four unanswered buffers its receive is cancelled, and what cannot be sent at once is moved out of the ring
//! into memory of the connection's own. When the ring is empty all the same (`ENOBUFS`), everybody who found it so is ordered
//! again as soon as buffers come back; ordering only one of them would wait for ever if that one happens to be silent. A
//! descriptor must stay open, and memory alive, until the kernel has said that it is done with it.
//!
//! **Where it breaks.** As an event loop: a handler that computes or blocks holds up its loop. Containers and hardened systems
//! often forbid io_uring altogether, and a kernel before 6.1 lacks parts of it: then this mode says so and does not start.
//! A memory fault ends everything.
//!
//! **Who does it.** TigerBeetle, ScyllaDB's Seastar (as one of its back-ends), glommio and monoio in Rust.

mod client;
mod completer;

use std::io;
use std::net::TcpListener;
use std::sync::mpsc;
use std::thread;

use common::exit::Failure;
use common::units::plural;
use nix::sys::eventfd::{EfdFlags, EventFd};

use crate::about::{About, Choice, CrashEnds, Listeners, Needs, Serves};
use crate::accept::Acceptor;
use crate::ending;
use crate::handler::Connection;
use crate::loops::STACK;
use crate::loops::crowd::Crowd;
use crate::loops::intake::Intake;
use crate::mode_options::{ModeOptions, Recv};
use crate::server::Server;
use completer::Completer;

/// For the list of modes.
pub(crate) const ABOUT: About = About {
    name: "uring",
    runs: "N loops on completions (io_uring)",
    choices: &[Choice::number("--workers"), Choice::one_of("--recv", &["multishot", "oneshot"])],
    serves: Serves::AsManyAsCome,
    buffer: 16 << 10,
};

/// What `--mode uring` can be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    /// How many loops.
    pub workers: usize,
    /// How data is received.
    pub recv: Recv,
}

impl Settings {
    pub(crate) fn from(options: &ModeOptions) -> Result<Self, Failure> {
        Ok(Self { workers: options.workers()?, recv: options.recv.unwrap_or(Recv::Multishot) })
    }

    pub(crate) fn needs(&self) -> Needs {
        let oneshot = if self.recv == Recv::Oneshot { ", oneshot" } else { "" };
        Needs {
            // the rings have their own
            buffers: 0,
            // a ring, its bell, its alarm, and a copy of the listener each
            descriptors: 4 * self.workers as u64,
            workers: self.workers,
            listeners: Listeners::One,
            crash: CrashEnds::Everything,
            label: format!("uring of {}{oneshot}", plural(self.workers as u64, "worker")),
        }
    }
}

/// Serves until a stop is requested and the connections have drained.
pub(crate) fn serve(
    listeners: Vec<TcpListener>,
    server: &'static Server,
    settings: Settings,
) -> io::Result<()> {
    // (not EFD_NONBLOCK: a ring would then be told at once that there is nothing to read)
    let bells = (0..settings.workers).map(|_| Ok(EventFd::from_flags(EfdFlags::EFD_CLOEXEC)?));
    let bells: &'static [EventFd] = Box::leak(bells.collect::<io::Result<Vec<_>>>()?.into_boxed_slice());
    let crowd: &'static Crowd<Connection> = Box::leak(Box::new(Crowd::new(
        bells.iter().map(|bell| move || bell.write(1).map(drop).map_err(io::Error::from)),
    )));
    let (told, started) = mpsc::sync_channel(settings.workers);
    for (number, bell) in bells.iter().enumerate() {
        let intake = Intake::of(&listeners[number % listeners.len()])?;
        let told = told.clone();
        // a ring belongs to the thread that made it
        let life = move || match Completer::new(number, settings.recv, bell, intake, crowd, server) {
            Ok(completer) => {
                let _ = told.send(Ok(()));
                completer.run();
            }
            Err(e) => drop(told.send(Err(e))),
        };
        thread::Builder::new()
            .stack_size(STACK)
            .spawn(life)
            .map_err(|e| io::Error::new(e.kind(), format!("no thread for loop {number}: {e}")))?;
    }
    for _ in bells {
        started.recv().map_err(io::Error::other)?.map_err(|e| refused(&e))?;
    }
    server.ready()?;

    ending::wait_for_stop(server);
    let last = Acceptor::of_the_last(&listeners, server, || crowd.wake_all());
    crowd.hand_out(last, server, |connection| connection)
}

/// Why there is no ring, and what to do.
fn refused(error: &io::Error) -> io::Error {
    let why = match error.raw_os_error() {
        Some(libc::ENOSYS) => "this kernel has no io_uring, or a container hides it (seccomp)",
        Some(libc::EPERM | libc::EACCES) => {
            "it is forbidden here, by `sysctl kernel.io_uring_disabled` or by a container's seccomp profile"
        }
        Some(libc::EINVAL) => "this kernel is too old for it: 6.1 is the first that can do what is needed",
        Some(libc::ENOMEM) => "there is not enough memory that may be locked (`ulimit -l`)",
        _ => "the kernel refuses it",
    };
    io::Error::new(error.kind(), format!("io_uring: {why} ({error}); --mode event-loop works everywhere"))
}

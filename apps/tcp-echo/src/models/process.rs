//! A process per connection.
//!
//! **How it works.** The parent accepts, makes a child and closes its own copy of the socket; the child serves the
//! one connection and exits. With `--spawn fork` the child is a copy of the parent; with `--spawn exec` it is this
//! program started anew with the socket as its standard input, as inetd does.
//!
//! **What it costs.** A fork copies the memory map and page tables of the parent, so a small parent is a cheap one
//! (which is why this binary is linked statically); an exec costs about five times as much. `docs/processes.md` has
//! figures. An idle connection has its own stack, page tables and touched pages.
//!
//! **Where it breaks.** At the limit on processes, and wherever a thousand connections arrive in a second. In return
//! nothing that a handler does can hurt another: it may crash, leak or be killed, and only its connection ends.
//!
//! **Traps.** The parent must close its copy, or the client never sees the end of the stream; the child must close
//! the listener, or the port stays taken; children must be reaped, and must not outlive a killed parent; a process
//! with threads must not fork.
//!
//! **Who does it.** inetd, sshd, PostgreSQL, the first web servers.

use std::io;
use std::net::{TcpListener, TcpStream};
use std::os::fd::{AsFd, AsRawFd};
use std::sync::atomic::Ordering;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use common::process::{self, PANICKED, die_with};
use common::signals::{self, OnStop};
use nix::spawn::{PosixSpawnAttr, PosixSpawnFlags};
use nix::sys::signal::{SigSet, Signal};
use nix::unistd::{Pid, getpid};

use crate::about::{About, Choice, CrashEnds, Listeners, Needs, Serves};
use crate::accept::Acceptor;
use crate::children;
use crate::handler::{self, Connection};
use crate::mode_options::Spawn;
use crate::options::{BUFFER_MAX, Options};
use crate::server::Server;
use crate::stats::{Counters, Problem};
use crate::sys::reap;

/// For the list of modes.
pub(crate) const ABOUT: About = About {
    name: "process",
    runs: "a process per connection",
    choices: &[Choice::one_of("--spawn", &["fork", "exec"])],
    serves: Serves::AsManyAsCome,
    buffer: 16 << 10,
};

pub(crate) fn needs(spawn: Spawn) -> Needs {
    Needs {
        // forked children have a buffer of their own, executed ones make one
        buffers: 0,
        descriptors: 0,
        workers: 0,
        listeners: Listeners::One,
        crash: CrashEnds::ItsConnection,
        label: if spawn == Spawn::Exec { "process by exec" } else { "process" }.to_owned(),
    }
}

/// The buffer of all forked children: never touched by the parent, so each writes to a copy of its own. Static, because a
/// mapping of its own would have to be copied at every fork.
static BUFFER: Mutex<[u8; BUFFER_MAX]> = Mutex::new([0; BUFFER_MAX]);

/// Killed children are waited for so long at most.
const REAP_TIME: Duration = Duration::from_secs(1);

/// Serves until a stop is requested and the connections have drained.
pub(crate) fn serve(listener: TcpListener, server: &'static Server, spawn: Spawn) -> io::Result<()> {
    // Every child copies the stack pages that it writes to. From the start of a page, what it needs is one page;
    // wherever the stack happens to stand, it is often two.
    let page = StackPage(0);
    std::hint::black_box(&page);
    serve_from_here(listener, server, spawn)
}

/// A local variable of this type makes the stack below it start on a fresh page.
#[repr(align(4096))]
struct StackPage(#[expect(dead_code, reason = "it only has to be somewhere")] u8);

#[inline(never)]
fn serve_from_here(listener: TcpListener, server: &'static Server, spawn: Spawn) -> io::Result<()> {
    reap::install(server.counters)?;
    let mut buffer = BUFFER.lock().unwrap_or_else(PoisonError::into_inner);
    let buffer = &mut buffer[..server.options.buffer];
    server.ready()?;
    let mut acceptor = Acceptor::new(listener, server, children::nudge);
    while let Some(connection) = acceptor.next_connection()? {
        let made = match spawn {
            Spawn::Fork => fork_for(connection, &mut acceptor, buffer, server),
            Spawn::Exec => exec_for(connection, server),
        };
        if let Err(e) = made {
            server.counters.problem(Problem::Spawn);
            server.log.complain(format_args!("no process for a connection, it was closed: {e}"));
        }
    }
    server.wait_until_drained();
    children::kill_all();
    // their share of the CPU counts only once they have been waited for
    signals::wait_until(Some(Instant::now() + REAP_TIME), OnStop::GoOn, || server.counters.seats() == 0);
    Ok(())
}

/// A forked child serves it; the parent's copy is closed on return.
fn fork_for(
    connection: Connection,
    acceptor: &mut Acceptor,
    buffer: &mut [u8],
    server: &'static Server,
) -> io::Result<()> {
    let Connection { stream, peer, seat, .. } = connection;
    let parent = getpid();
    reap::made(|| {
        process::fork(|| {
            if !die_with(parent) {
                return 0;
            }
            acceptor.close();
            if handler::serve(&stream, peer, server, buffer).panicked { PANICKED } else { 0 }
        })
    })?;
    seat.goes_to_child();
    Ok(())
}

/// An executed child serves it: this program with the socket as its stdin.
fn exec_for(connection: Connection, server: &'static Server) -> io::Result<()> {
    let Connection { stream, peer, seat, .. } = connection;
    let counters = server.counters_descriptor();
    let options = &server.options;
    let inherited = format!("{}/{}/{peer}", getpid(), counters.as_fd().as_raw_fd());
    let drain_idle = format!("{}us", options.drain_idle.as_micros());
    let (buffer, work) = (options.buffer.to_string(), options.work.to_string());
    let mut words = vec!["tcp-echo", "--serve-stdin", &inherited, "--buffer", &buffer, "--work", &work];
    words.extend(["--drain-idle", &drain_idle]);
    if options.faults {
        words.push("--faults");
    }
    words.extend(vec!["-v"; options.verbosity.into()]);
    // Until it has its own handlers, a signal to the whole group (Ctrl-C) would kill it with its connection: so it begins with
    // these signals blocked, and in a group of its own, where our nudge alone reaches it. It dies with its parent all the same.
    let mut attributes = PosixSpawnAttr::init()?;
    let mut blocked = SigSet::empty();
    [Signal::SIGINT, Signal::SIGTERM, Signal::SIGUSR1].into_iter().for_each(|signal| blocked.add(signal));
    attributes.set_sigmask(&blocked)?;
    attributes.set_pgroup(Pid::from_raw(0))?;
    attributes.set_flags(PosixSpawnFlags::POSIX_SPAWN_SETPGROUP | PosixSpawnFlags::POSIX_SPAWN_SETSIGMASK)?;
    reap::made(|| process::own_binary(&words, &[(stream.as_fd(), 0)], &attributes))?;
    seat.goes_to_child();
    Ok(())
}

/// The life of an executed child: serves the connection on its standard input. `inherited` is what `exec_for` made:
/// the parent's process number, the descriptor of the counters, and the client's address.
///
/// # Errors
/// It was not started by a server, or the parent is gone.
pub fn serve_stdin(inherited: &str, options: Options) -> io::Result<u8> {
    let nonsense =
        || io::Error::new(io::ErrorKind::InvalidInput, "--serve-stdin is for the server's own use");
    let [parent, counters, peer] = inherited.split('/').collect::<Vec<_>>()[..] else {
        return Err(nonsense());
    };
    let parent = Pid::from_raw(parent.parse().map_err(|_| nonsense())?);
    let peer = peer.parse().map_err(|_| nonsense())?;
    if !die_with(parent) {
        return Ok(0);
    }
    signals::install_in_child()?;
    signals::install_report_request()?;
    let shared = Counters::inherited(counters.parse().map_err(|_| nonsense())?)?;
    // a nudge that came before the handlers were there is lost; this flag is not
    if shared.counters.draining.load(Ordering::SeqCst) {
        signals::request_stop();
    }
    let server = Server::start(options, 1, shared)?;
    server.log.tell_panics();
    let stream = TcpStream::from(io::stdin().as_fd().try_clone_to_owned()?);
    let mut buffer = server.buffers.take().ok_or(io::ErrorKind::OutOfMemory)?;
    Ok(if handler::serve(&stream, peer, server, &mut buffer).panicked { PANICKED as u8 } else { 0 })
}

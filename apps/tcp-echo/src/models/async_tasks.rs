//! A tokio task per connection (`--mode async`).
//!
//! **How it works.** A task is written like a thread (read, write, again) and costs like an entry in a table: whenever it
//! would block, it is left where it is and another one runs. Tokio's runtime is an [event loop](super::event_loop) that
//! wakes tasks in the place of calling handlers, and spreads them over threads that steal from each other.
//!
//! **Which threads** (`--runtime`):
//! - `multi`: one runtime; a thread that has nothing to do takes tasks from another one. No connection is bound to a busy
//!   thread; moving tasks costs locks and cold caches.
//! - `current`: everything in one thread.
//! - `per-core`: a runtime of its own for each thread, each with its own listener on the same port; nothing is shared,
//!   nothing is stolen, and a connection stays where the kernel's hash has put it.
//!
//! **What it costs.** About as much as an event loop, and the runtime's bookkeeping; a task takes about a kilobyte while it is idle.
//! Two settings matter and are made here. `event_interval`: after so many tasks the runtime asks the kernel
//! for events, and with the default (61) five hundred ready connections overflow the runtime's local queue into a global one
//! that is served seldom, which makes the slowest replies ten times slower. And a task borrows a buffer of
//! its thread while it runs, so idle tasks have none.
//!
//! **Where it breaks.** A task that blocks or computes (try `--work block:5ms`) holds up every task of its thread: nothing
//! takes the thread away from it. A memory fault ends everything; a panic ends one task.
//!
//! **Who does it.** Most Rust servers (hyper, axum); Go, Erlang and Java's virtual threads in their own ways.

use std::cell::RefCell;
use std::future::{pending, poll_fn};
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener};
use std::pin::{Pin, pin};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::Duration;

use common::exit::Failure;
use common::signals;
use common::units::plural;
use slab::Slab;
use socket2::SockRef;
use tokio::io::{AsyncRead, Interest, ReadBuf};
use tokio::net::TcpStream;
use tokio::runtime::{self, Builder, Handle};
use tokio::sync::Notify;
use tokio::time::{Instant, sleep, sleep_until};

use super::loops::STACK;
use crate::accept::{self, Acceptor, BackOff};
use crate::buffers::Buffer;
use crate::cli::ModeOptions;
use crate::drive::{Direct, Socket};
use crate::ending;
use crate::handler::Ending;
use crate::model::{About, Choice, CrashEnds, Listeners, Needs, Serves};
use crate::resumable::{After, News, Resumable, would_block};
use crate::seats::Seat;
use crate::server::Server;
use crate::stamp::Stamp;

/// For the list of modes.
pub(crate) const ABOUT: About = About {
    name: "async",
    runs: "a tokio task per connection",
    choices: &[Choice::number("--workers"), Choice::one_of("--runtime", &["multi", "current", "per-core"])],
    serves: Serves::AsManyAsCome,
    buffer: 64 << 10,
};

/// After so many polls a runtime asks the kernel for events, even if it has tasks to run. (See above.)
const EVENT_INTERVAL: u32 = 512;
/// The shortest sleep of a time limit; the clock that limits are counted with moves in steps of 4 ms.
const SHORTEST_SLEEP: Duration = Duration::from_millis(1);

/// Which threads run the tasks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Runtime {
    /// Threads that steal tasks from each other.
    Multi,
    /// One thread.
    Current,
    /// Threads that share nothing.
    PerCore,
}

/// What `--mode async` can be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    /// How many threads.
    pub workers: usize,
    /// What they share.
    pub runtime: Runtime,
}

impl Settings {
    pub(crate) fn from(options: &ModeOptions) -> Result<Self, Failure> {
        let runtime = options.runtime.unwrap_or(Runtime::Multi);
        if runtime == Runtime::Current && options.workers.is_some() {
            return Err(Failure::usage("--workers does not go with --runtime current: that is one thread"));
        }
        Ok(Self { workers: if runtime == Runtime::Current { 1 } else { options.workers()? }, runtime })
    }

    pub(crate) fn needs(&self) -> Needs {
        let workers = plural(self.workers as u64, "worker");
        let (listeners, counted, label) = match self.runtime {
            // tasks belong to no worker
            Runtime::Multi => (Listeners::One, 0, format!("async of {workers}")),
            Runtime::Current => (Listeners::One, 1, "async in one thread".to_owned()),
            Runtime::PerCore => {
                (Listeners::Reuseport(self.workers), self.workers, format!("async of {workers}, per core"))
            }
        };
        Needs {
            buffers: self.workers,
            // what a runtime has, and two copies of a listener
            descriptors: 8 * self.workers as u64,
            workers: counted,
            listeners,
            crash: CrashEnds::Everything,
            label,
        }
    }
}

/// Serves until a stop is requested and the connections have drained.
pub(crate) fn serve(
    listeners: Vec<TcpListener>,
    server: &'static Server,
    settings: Settings,
) -> io::Result<()> {
    let crowd: &'static Crowd = Box::leak(Box::new(Crowd::new(server)));
    let mut runtimes = Vec::new();
    for (number, listener) in listeners.iter().enumerate() {
        listener.set_nonblocking(true)?;
        let accepting = accept_all(number, listener.try_clone()?, crowd);
        runtimes.push(start(number, settings, accepting)?);
    }
    server.ready()?;

    ending::wait_for_stop(server);
    let mut last = Acceptor::of_the_last(&listeners, server, || crowd.drain());
    let mut next = runtimes.iter().enumerate().cycle();
    while let Some(connection) = last.next_connection()? {
        let Some((number, runtime)) = next.next() else { break };
        runtime.spawn(async move {
            let begun =
                connection.stream.set_nonblocking(true).and_then(|()| TcpStream::from_std(connection.stream));
            if let Ok(stream) = begun {
                serve_one(number, stream, connection.peer, connection.seat, crowd).await;
            }
        });
    }
    server.wait_until_drained();
    crowd.broken.get().map_or(Ok(()), |e| Err(io::Error::new(e.kind(), e.to_string())))
}

/// Starts a runtime that lives as long as the process, with this as its first task.
fn start(
    number: usize,
    settings: Settings,
    accepting: impl Future<Output = ()> + Send + 'static,
) -> io::Result<Handle> {
    let mut builder = match settings.runtime {
        Runtime::Multi => Builder::new_multi_thread(),
        Runtime::Current | Runtime::PerCore => Builder::new_current_thread(),
    };
    builder.worker_threads(settings.workers).thread_stack_size(STACK).event_interval(EVENT_INTERVAL);
    let runtime: &'static runtime::Runtime = Box::leak(Box::new(builder.enable_io().enable_time().build()?));
    runtime.spawn(accepting);
    if settings.runtime != Runtime::Multi {
        thread::Builder::new()
            .stack_size(STACK)
            .spawn(|| runtime.block_on(pending::<()>()))
            .map_err(|e| io::Error::new(e.kind(), format!("no thread for runtime {number}: {e}")))?;
    }
    Ok(runtime.handle().clone())
}

/// What the tasks of all runtimes share.
struct Crowd {
    server: &'static Server,
    /// How to wake each connection's task: at a stop its time limit becomes another one.
    tasks: Mutex<Slab<Waker>>,
    /// When the stop was requested.
    stop: OnceLock<Stamp>,
    /// Told when a seat becomes free.
    seats: Notify,
    /// Why nobody can accept any more.
    broken: OnceLock<io::Error>,
}

impl Crowd {
    fn new(server: &'static Server) -> Self {
        Self {
            server,
            tasks: Mutex::new(Slab::new()),
            stop: OnceLock::new(),
            seats: Notify::new(),
            broken: OnceLock::new(),
        }
    }

    fn drain(&self) {
        let _ = self.stop.set(Stamp::now());
        let tasks = self.tasks.lock().unwrap_or_else(PoisonError::into_inner);
        tasks.iter().for_each(|(_, task)| task.wake_by_ref());
    }

    /// Enters a task into the list until the entry is dropped.
    fn enter(&'static self, task: &Waker) -> Entry {
        let key = self.tasks.lock().unwrap_or_else(PoisonError::into_inner).insert(task.clone());
        Entry { crowd: self, key }
    }
}

struct Entry {
    crowd: &'static Crowd,
    key: usize,
}

impl Drop for Entry {
    fn drop(&mut self) {
        let waker = self.crowd.tasks.lock().unwrap_or_else(PoisonError::into_inner).try_remove(self.key);
        // outside of the lock: it may be the last that is left of a task
        drop(waker);
    }
}

/// Accepts for a runtime until nobody listens any more.
async fn accept_all(number: usize, listener: TcpListener, crowd: &'static Crowd) {
    let server = crowd.server;
    let listener = match tokio::net::TcpListener::from_std(listener) {
        Ok(listener) => listener,
        Err(e) => return fail(e, crowd),
    };
    let take = |cx: &mut Context| {
        let accept = || match listener.poll_accept(cx) {
            Poll::Ready(accepted) => accepted,
            Poll::Pending => Err(ErrorKind::WouldBlock.into()),
        };
        match Seat::take_with(server.counters, server.options.max_connections, accept) {
            Err(e) if would_block(&e) => {
                // for a moment this seat was not free
                crowd.seats.notify_waiters();
                Poll::Pending
            }
            taken => Poll::Ready(taken),
        }
    };
    let mut back_off = BackOff::default();
    loop {
        let mut taken = poll_fn(take).await;
        if let Ok(None) = taken {
            let mut free = pin!(crowd.seats.notified());
            free.as_mut().enable();
            // the last one may have left just before that was said
            taken = match poll_fn(|cx| Poll::Ready(take(cx))).await {
                Poll::Ready(taken) => taken,
                Poll::Pending => Ok(None),
            };
            if let Ok(None) = taken {
                free.await;
            }
        }
        match taken {
            Ok(None) => {}
            Ok(Some(((stream, peer), seat))) => {
                back_off.reset();
                drop(tokio::spawn(serve_one(number, stream, peer, seat, crowd)));
            }
            Err(e) if accept::is_over(&e, server) => return,
            Err(e) => match accept::judge(&e, server, &mut back_off) {
                Ok(None) => {}
                Ok(Some(wait)) => sleep(wait).await,
                Err(e) => return fail(e, crowd),
            },
        }
    }
}

fn fail(why: io::Error, crowd: &Crowd) {
    let _ = crowd.broken.set(why);
    signals::request_stop();
    signals::wake_poller();
}

/// A connection's task.
async fn serve_one(number: usize, stream: TcpStream, peer: SocketAddr, seat: Seat, crowd: &'static Crowd) {
    let server = crowd.server;
    let worker = server.counters.worker(number);
    worker.accepted();
    let (ending, connection) =
        until_over(stream, Resumable::new(peer, seat, Stamp::now(), server), crowd).await;
    let (echoed, seat) = connection.close(&ending, server);
    worker.ended(echoed);
    drop(seat);
    crowd.seats.notify_waiters();
}

/// Serves a connection to its end and closes its socket.
async fn until_over(
    mut stream: TcpStream,
    mut connection: Resumable,
    crowd: &'static Crowd,
) -> (Ending, Resumable) {
    let server = crowd.server;
    let mut entry = None;
    // one timer for the time limit and for work that waits; started only when there is something to wait for
    let mut timer = pin!(sleep_until(Instant::now()));
    let mut limit: Option<Stamp> = None;
    let mut drains_since = None;
    let mut napping = false;
    let ending = poll_fn(|cx| {
        let entry = entry.get_or_insert_with(|| crowd.enter(cx.waker()));
        loop {
            if napping {
                if timer.as_mut().poll(cx).is_pending() {
                    return Poll::Pending;
                }
                (napping, limit) = (false, None);
                connection.waited();
            }
            let now = Stamp::now();
            let mut socket = PollSocket { stream: &mut stream, cx };
            let after = with_buffer(server, |buffer| {
                connection.resume(&mut socket, buffer, News::Unknown, now, server)
            });
            match after {
                After::Over(ending) => return Poll::Ready(ending),
                After::Again => {
                    cx.waker().wake_by_ref();
                    return Poll::Pending;
                }
                After::Nap(span) => {
                    timer.as_mut().reset(Instant::now() + span);
                    napping = true;
                }
                After::Park => {
                    let stop = entry.crowd.stop.get().copied();
                    let known = limit.is_some() && !connection.has_new_limit() && stop == drains_since;
                    if known && !timer.is_elapsed() {
                        return Poll::Pending;
                    }
                    drains_since = stop;
                    let Some(deadline) = connection.deadline(stop, server) else {
                        return Poll::Pending;
                    };
                    if deadline <= now {
                        connection.expire();
                        continue;
                    }
                    // A timer that goes off too early is set again; so a message does not have to move it.
                    if limit.is_none_or(|at| deadline < at) || timer.is_elapsed() {
                        limit = Some(deadline);
                        timer.as_mut().reset(Instant::now() + deadline.after(now).max(SHORTEST_SLEEP));
                        if timer.as_mut().poll(cx).is_ready() {
                            continue;
                        }
                    }
                    return Poll::Pending;
                }
            }
        }
    })
    .await;
    (ending, connection)
}

/// Lends the buffer of this thread: no task keeps it while it waits.
fn with_buffer<T>(server: &'static Server, action: impl FnOnce(&mut [u8]) -> T) -> T {
    thread_local! {
        static BUFFER: RefCell<Option<Buffer>> = const { RefCell::new(None) };
    }
    BUFFER.with_borrow_mut(|own| {
        if own.is_none() {
            // there are as many as threads
            *own = server.buffers.take();
        }
        match own {
            Some(buffer) => action(buffer),
            None => action(&mut vec![0; server.options.buffer]),
        }
    })
}

/// A socket of tokio as the seam sees it: it would block where the task has to wait, and the task is woken when it need not.
struct PollSocket<'a, 'b> {
    stream: &'a mut TcpStream,
    cx: &'a mut Context<'b>,
}

impl Read for PollSocket<'_, '_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut buffer = ReadBuf::new(buffer);
        // (poll_read notices a read that did not fill the buffer, and saves the next one)
        match Pin::new(&mut *self.stream).poll_read(self.cx, &mut buffer) {
            Poll::Ready(outcome) => outcome.map(|()| buffer.filled().len()),
            Poll::Pending => Err(ErrorKind::WouldBlock.into()),
        }
    }
}

impl Write for PollSocket<'_, '_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        loop {
            let stream = &*self.stream;
            match stream.try_io(Interest::WRITABLE, || Direct::of(stream).write(bytes)) {
                Err(e) if would_block(&e) => {}
                outcome => return outcome,
            }
            // not writable: the task is woken when it is
            match stream.poll_write_ready(self.cx) {
                Poll::Ready(outcome) => outcome?,
                Poll::Pending => return Err(ErrorKind::WouldBlock.into()),
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Socket for PollSocket<'_, '_> {
    fn finish(&self) -> io::Result<()> {
        SockRef::from(&*self.stream).shutdown(Shutdown::Write)
    }
}

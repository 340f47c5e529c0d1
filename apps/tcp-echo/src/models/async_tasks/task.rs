//! A connection's task.

use std::cell::RefCell;
use std::future::poll_fn;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr};
use std::pin::{Pin, pin};
use std::task::{Context, Poll};
use std::time::Duration;

use socket2::SockRef;
use tokio::io::{AsyncRead, Interest, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep_until};

use super::crowd::Crowd;
use crate::buffers::Buffer;
use crate::drive::{Direct, Socket};
use crate::handler::Ending;
use crate::resumable::{After, News, Resumable, would_block};
use crate::seats::Seat;
use crate::server::Server;
use crate::stamp::Stamp;

/// The shortest sleep of a time limit; the clock that limits are counted with moves in steps of 4 ms.
const SHORTEST_SLEEP: Duration = Duration::from_millis(1);

/// Serves a connection to its end.
pub(super) async fn serve_one(
    number: usize,
    stream: TcpStream,
    peer: SocketAddr,
    seat: Seat,
    crowd: &'static Crowd,
) {
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

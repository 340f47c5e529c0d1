//! What reaches a loop from other threads: connections, and with the [hybrid](crate::models::hybrid) what became of the
//! requests that it gave away. A mailbox is bounded by `--max-conns`: each connection is in one place at a time.

use std::io;
use std::mem;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::Instant;

use common::signals;
use mio::Waker;

use super::reactor::Held;
use crate::handler::Connection;
use crate::queue::Queue;
use crate::resumable::{After, News};
use crate::server::Server;
use crate::stamp::Stamp;

/// Something for a loop.
pub(super) enum Mail {
    /// A connection that was accepted elsewhere.
    New(Connection),
    /// A connection of this number comes back from a visit.
    Back(usize, Held, After),
}

/// A request for a thread of the hybrid: the connection with this number, of that loop.
pub(in crate::models) struct Job {
    pub(super) key: usize,
    pub(super) held: Held,
    pub(super) news: News,
    pub(super) of_loop: usize,
    pub(super) crowd: &'static Crowd,
    pub(super) since: Instant,
}

/// What the loops of a server share.
pub(super) struct Crowd {
    boxes: Vec<Mailbox>,
    /// A loop has found no free seat for somebody who may be waiting.
    hungry: AtomicBool,
    /// Why nobody can accept any more.
    broken: OnceLock<io::Error>,
}

struct Mailbox {
    mail: Mutex<Vec<Mail>>,
    waker: Waker,
}

impl Crowd {
    /// One mailbox for each waker.
    pub(super) fn new(wakers: Vec<Waker>) -> Self {
        let mailbox = |waker| Mailbox { mail: Mutex::new(Vec::new()), waker };
        Self {
            boxes: wakers.into_iter().map(mailbox).collect(),
            hungry: AtomicBool::new(false),
            broken: OnceLock::new(),
        }
    }

    /// Puts something into a loop's mailbox, and wakes the loop unless it has been woken for earlier mail.
    pub(super) fn send(&self, to: usize, mail: Mail) {
        let mailbox = &self.boxes[to % self.boxes.len()];
        let mut box_ = mailbox.mail.lock().unwrap_or_else(PoisonError::into_inner);
        box_.push(mail);
        let first = box_.len() == 1;
        drop(box_);
        if first {
            wake(&mailbox.waker);
        }
    }

    /// Empties a mailbox into `into`, which is empty.
    pub(super) fn collect(&self, of: usize, into: &mut Vec<Mail>) {
        mem::swap(&mut *self.boxes[of].mail.lock().unwrap_or_else(PoisonError::into_inner), into);
    }

    pub(super) fn wake_all(&self) {
        self.boxes.iter().for_each(|mailbox| wake(&mailbox.waker));
    }

    /// A loop has found no seat. It must look once more after this: a seat that becomes free from now on wakes it.
    pub(super) fn is_hungry(&self) {
        self.hungry.store(true, Ordering::SeqCst);
    }

    /// A seat has become free.
    pub(super) fn seat_is_free(&self) {
        if self.hungry.load(Ordering::SeqCst) && self.hungry.swap(false, Ordering::SeqCst) {
            self.wake_all();
        }
    }

    /// Nobody can accept any more: the server stops, and says why.
    pub(super) fn fail(&self, why: io::Error) {
        let _ = self.broken.set(why);
        signals::request_stop();
        signals::wake_poller();
    }

    /// What [`Crowd::fail`] was told.
    pub(super) fn failure(&self) -> io::Result<()> {
        self.broken.get().map_or(Ok(()), |e| Err(io::Error::new(e.kind(), e.to_string())))
    }
}

/// (An eventfd: writing to it fails only if it overflows, and then the loop is awake.)
fn wake(waker: &Waker) {
    let _ = waker.wake();
}

/// The life of a thread of the hybrid: visits one connection after the other.
pub(in crate::models) fn serve_jobs(jobs: &Queue<Job>, server: &'static Server) {
    // there are as many buffers as threads
    let Some(mut buffer) = server.buffers.take() else { return };
    while let Some(mut job) = jobs.take() {
        server.counters.queue.taken(job.since.elapsed(), jobs.len());
        let after = job.held.visit(&mut buffer, job.news, Stamp::now(), server);
        job.crowd.send(job.of_loop, Mail::Back(job.key, job.held, after));
    }
}

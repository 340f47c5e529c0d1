//! What the loops of a server share: mailboxes by which other threads reach them, and the word that a seat is free. A mailbox
//! is bounded by `--max-conns`: each connection is in one place at a time.

use std::io;
use std::mem;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};

use common::signals;

use crate::accept::Acceptor;
use crate::handler::Connection;
use crate::server::Server;

/// The loops; `Mail` is what reaches them.
pub(crate) struct Crowd<Mail> {
    boxes: Vec<Mailbox<Mail>>,
    /// A loop has found no free seat for somebody who may be waiting.
    hungry: AtomicBool,
    /// Why nobody can accept any more.
    broken: OnceLock<io::Error>,
}

struct Mailbox<Mail> {
    mail: Mutex<Vec<Mail>>,
    wake: Box<dyn Fn() -> io::Result<()> + Send + Sync>,
}

impl<Mail> Mailbox<Mail> {
    /// A wake-up that is lost is mail that nobody collects: so one that a signal has ended is tried again. (It has no other reason to
    /// fail: writing to an eventfd fails only if its counter overflows, and then the loop is awake.)
    fn wake(&self) {
        while (self.wake)().is_err_and(|e| e.kind() == io::ErrorKind::Interrupted) {}
    }
}

impl<Mail> Crowd<Mail> {
    /// So many loops, each with a way to wake it.
    pub(crate) fn new<W>(wakers: impl Iterator<Item = W>) -> Self
    where
        W: Fn() -> io::Result<()> + Send + Sync + 'static,
    {
        let mailbox = |wake| Mailbox { mail: Mutex::new(Vec::new()), wake: Box::new(wake) as Box<_> };
        Self { boxes: wakers.map(mailbox).collect(), hungry: AtomicBool::new(false), broken: OnceLock::new() }
    }

    /// Puts something into a loop's mailbox, and wakes the loop unless it has been woken for earlier mail.
    pub(crate) fn send(&self, to: usize, item: Mail) {
        let mailbox = &self.boxes[to % self.boxes.len()];
        let mut mail = mailbox.mail.lock().unwrap_or_else(PoisonError::into_inner);
        mail.push(item);
        let first = mail.len() == 1;
        drop(mail);
        if first {
            mailbox.wake();
        }
    }

    /// Empties a mailbox into `into`, which is empty.
    pub(crate) fn collect(&self, of: usize, into: &mut Vec<Mail>) {
        mem::swap(&mut *self.boxes[of].mail.lock().unwrap_or_else(PoisonError::into_inner), into);
    }

    /// Every loop looks around.
    pub(crate) fn wake_all(&self) {
        self.boxes.iter().for_each(Mailbox::wake);
    }

    /// A loop has found no seat. It must look once more after this: a seat that becomes free from now on wakes it.
    pub(crate) fn is_hungry(&self) {
        self.hungry.store(true, Ordering::SeqCst);
    }

    /// A seat has become free.
    pub(crate) fn seat_is_free(&self) {
        if self.hungry.load(Ordering::SeqCst) && self.hungry.swap(false, Ordering::SeqCst) {
            self.wake_all();
        }
    }

    /// Nobody can accept any more: the server stops, and says why.
    pub(crate) fn fail(&self, why: io::Error) {
        let _ = self.broken.set(why);
        signals::request_stop();
        signals::wake_poller();
    }

    /// The main thread's part in the end: gives what the acceptor has to the loops in turn, and waits for the drain.
    pub(crate) fn hand_out(
        &self,
        mut acceptor: Acceptor,
        server: &Server,
        mail: impl Fn(Connection) -> Mail,
    ) -> io::Result<()> {
        let mut next = (0..self.boxes.len()).cycle();
        while let Some(connection) = acceptor.next_connection()? {
            self.send(next.next().unwrap_or(0), mail(connection));
        }
        server.wait_until_drained();
        self.broken.get().map_or(Ok(()), |e| Err(io::Error::new(e.kind(), e.to_string())))
    }
}

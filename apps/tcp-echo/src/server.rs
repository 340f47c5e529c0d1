//! What every model and every handler needs: the options, the counters, the log and the buffers. Lives as long as
//! the process, so that threads and children share it by a plain reference.

use std::io;
use std::net::TcpListener;
use std::os::fd::AsFd;
use std::sync::OnceLock;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use common::ready::Ready;
use common::signals::{self, OnStop};
use socket2::SockRef;

use crate::buffers::Buffers;
use crate::log::Log;
use crate::options::Options;
use crate::report::Report;
use crate::session::Session;
use crate::stats::Counters;
use crate::supervisor;
use crate::sys::shared::SharedCounters;

/// The server's common ground.
#[derive(Debug)]
pub struct Server {
    /// What the user asked for.
    pub options: Options,
    /// What has happened so far.
    pub counters: &'static Counters,
    /// Where log lines go.
    pub log: Log,
    /// Where buffers come from.
    pub buffers: Buffers,
    shared: SharedCounters,
    started: Instant,
    drain_deadline: OnceLock<Instant>,
    announcement: OnceLock<Announcement>,
    passed: OnceLock<TcpListener>,
}

/// What is said when the server is ready.
#[derive(Debug)]
pub struct Announcement {
    /// The ready line.
    pub ready: Ready,
    /// How the model calls itself in reports.
    pub label: String,
    /// Workers with counters of their own.
    pub workers: usize,
}

impl Server {
    /// Prepares everything, with so many buffers; `shared` are fresh counters, or those of the parent.
    ///
    /// # Errors
    /// There is no memory for the buffers.
    pub fn start(options: Options, buffers: usize, shared: SharedCounters) -> io::Result<&'static Self> {
        crate::sys::early::faults_kill_again();
        let counters = shared.counters;
        Ok(Box::leak(Box::new(Self {
            log: Log::open(options.verbosity, counters),
            buffers: Buffers::reserve(buffers, options.buffer)?,
            options,
            counters,
            shared,
            started: Instant::now(),
            drain_deadline: OnceLock::new(),
            announcement: OnceLock::new(),
            passed: OnceLock::new(),
        })))
    }

    /// What [`Server::ready`] will say.
    pub fn will_announce(&self, announcement: Announcement) {
        let _ = self.announcement.set(announcement);
    }

    /// A copy of the listener that was passed to us: others have it, too, and may go on with it.
    pub fn will_give_back(&self, listener: TcpListener) {
        let _ = self.passed.set(listener);
    }

    /// Whether the listener is not ours alone.
    #[must_use]
    pub fn listener_is_passed(&self) -> bool {
        self.passed.get().is_some()
    }

    /// A listener that was passed to us listens again: models shut it down when they stop.
    pub fn give_back_listener(&self) {
        let backlog = i32::try_from(self.options.backlog).unwrap_or(i32::MAX);
        if let Some(listener) = self.passed.get()
            && let Err(e) = SockRef::from(listener).listen(backlog)
        {
            self.log.complain(format_args!("the listener that was passed does not listen any more: {e}"));
        }
    }

    /// The model is complete, workers and all, and accepts: tells whoever waits for it.
    ///
    /// # Errors
    /// stdout cannot be written, so nobody will ever learn the port.
    pub fn ready(&self) -> io::Result<()> {
        let Some(announcement) = self.announcement.get() else { return Ok(()) };
        announcement.ready.announce(io::stdout()).map_err(|e| {
            let advice = ">/dev/null if nobody reads it";
            io::Error::new(e.kind(), format!("cannot print the ready line on stdout: {e}; {advice}"))
        })?;
        supervisor::ready();
        Ok(())
    }

    /// The statistics as they are now.
    ///
    /// # Errors
    /// The kernel has no accounts for us.
    pub fn report(&self) -> io::Result<Report> {
        let (label, workers) =
            self.announcement.get().map_or(("", 0), |said| (said.label.as_str(), said.workers));
        Report::of(self.counters, label.to_owned(), workers, self.started.elapsed().as_secs_f64())
    }

    /// The memory of the counters, for a child that is executed.
    pub fn counters_descriptor(&self) -> impl AsFd + use<'_> {
        self.shared.as_fd()
    }

    /// When connections that are still open will be cut. The first call, at the stop request, sets it.
    pub fn drain_deadline(&self) -> Instant {
        *self.drain_deadline.get_or_init(|| Instant::now() + self.options.drain_timeout)
    }

    /// A session for a new connection.
    #[must_use]
    pub fn session(&'static self) -> Session {
        Session::new(self.options.faults, &self.options.work)
    }

    /// A stop was requested: the drain time-out runs, and children that are only being started will know.
    pub fn start_draining(&self) {
        self.drain_deadline();
        supervisor::stopping();
        self.counters.draining.store(true, Ordering::SeqCst);
    }

    /// A stop was requested, here or in the parent, and the port is closed.
    #[must_use]
    pub fn drains(&self) -> bool {
        self.counters.draining.load(Ordering::SeqCst)
    }

    /// Waits until every connection has ended, or for the drain time-out; what is left then is counted as cut.
    pub fn wait_until_drained(&self) {
        let deadline = self.drain_deadline();
        if !signals::wait_until(Some(deadline), OnStop::GoOn, || self.counters.seats() == 0) {
            self.counters.cut(self.counters.active() as usize);
        }
    }

    /// How long a read-and-throw-away may take in all before a finished connection is closed.
    pub const LINGER: Duration = Duration::from_secs(2);
}

//! Children are reaped in the signal handler: at once, whatever the parent is doing, and without a system call
//! while none has died.
//!
//! Not every child is ours. A shell may have started jobs before it became this program, and the first process of a
//! container inherits every orphan. They are reaped, too, and nothing else: only a child in the [`Roll`] gives back a
//! seat. A child may die before its parent has heard of its number; for that moment the handler keeps what it does not
//! know, and [`made`] looks there.

use std::cell::Cell;
use std::io;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicU64, AtomicUsize, Ordering};

use common::process::PANICKED;
use libc::c_int;
use nix::errno::Errno;
use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, sigaction};
use nix::unistd::Pid;

use crate::stats::{Counters, Problem};

/// Linux gives no higher number (`PID_MAX_LIMIT`).
const PIDS: usize = 1 << 22;
/// So many children that are not known yet are kept while one is being made.
const EARLY_MAX: usize = 256;

static COUNTERS: OnceLock<&'static Counters> = OnceLock::new();
static EARLY: [(AtomicI32, AtomicI32); EARLY_MAX] =
    [const { (AtomicI32::new(0), AtomicI32::new(0)) }; EARLY_MAX];
static EARLY_COUNT: AtomicUsize = AtomicUsize::new(0);

/// Which process numbers are our children's: a bit each. It stands in shared memory: a private page that the parent
/// writes to after a fork would have to be copied each time.
#[derive(Debug)]
#[repr(C)]
pub(crate) struct Roll {
    own: [AtomicU64; PIDS / 64],
    /// A child is being made: one that is not here may be that one.
    making: AtomicBool,
}

impl Roll {
    fn place(&self, pid: i32) -> Option<(&AtomicU64, u64)> {
        let pid = usize::try_from(pid).ok()?;
        Some((self.own.get(pid / 64)?, 1 << (pid % 64)))
    }

    fn add(&self, pid: i32) {
        if let Some((word, bit)) = self.place(pid) {
            word.fetch_or(bit, Ordering::SeqCst);
        }
    }

    fn holds(&self, pid: i32) -> bool {
        self.place(pid).is_some_and(|(word, bit)| word.load(Ordering::SeqCst) & bit != 0)
    }

    /// `true` if it was there.
    fn remove(&self, pid: i32) -> bool {
        self.place(pid).is_some_and(|(word, bit)| word.fetch_and(!bit, Ordering::SeqCst) & bit != 0)
    }
}

/// From now on, every child that [`made`] has made gives back its seat when it ends; one that did not end with exit
/// code 0 is counted.
///
/// # Errors
/// The kernel refused the handler.
pub(crate) fn install(counters: &'static Counters) -> io::Result<()> {
    let _ = COUNTERS.set(counters);
    // SA_RESTART: a child's end interrupts nothing; SA_NOCLDSTOP: a stopped child has not ended
    let flags = SaFlags::SA_RESTART | SaFlags::SA_NOCLDSTOP;
    let action = SigAction::new(SigHandler::Handler(on_child), flags, SigSet::empty());
    // SAFETY: the handler calls waitpid and touches atomics only, and preserves errno.
    unsafe { sigaction(Signal::SIGCHLD, &action) }?;
    // whoever started us may have blocked it
    let mut child = SigSet::empty();
    child.add(Signal::SIGCHLD);
    Ok(child.thread_unblock()?)
}

/// Makes a child and enters it into the roll.
///
/// # Errors
/// As `make`.
#[inline(always)] // see `fork`
pub(crate) fn made(make: impl FnOnce() -> io::Result<Pid>) -> io::Result<()> {
    let Some(counters) = COUNTERS.get() else { return make().map(drop) };
    let roll = &counters.own_children;
    roll.making.store(true, Ordering::SeqCst);
    let child = make();
    if let Ok(child) = &child {
        roll.add(child.as_raw());
    }
    roll.making.store(false, Ordering::SeqCst);
    // was it quicker than we?
    for (pid, status) in &EARLY[..EARLY_COUNT.load(Ordering::SeqCst).min(EARLY_MAX)] {
        if child.as_ref().is_ok_and(|child| pid.load(Ordering::SeqCst) == child.as_raw())
            && roll.remove(pid.load(Ordering::SeqCst))
        {
            settle(counters, status.load(Ordering::SeqCst));
        }
    }
    if EARLY_COUNT.load(Ordering::SeqCst) > 0 {
        EARLY_COUNT.store(0, Ordering::SeqCst);
    }
    child.map(drop)
}

/// Whether this is a child that [`made`] has made.
pub(crate) fn is_own(pid: Pid) -> bool {
    COUNTERS.get().is_some_and(|counters| counters.own_children.holds(pid.as_raw()))
}

extern "C" fn on_child(_: c_int) {
    let errno = Errno::last_raw();
    // several deaths may come as one signal
    while let Some((pid, status)) = reap_one() {
        let Some(counters) = COUNTERS.get() else { continue };
        if counters.own_children.remove(pid) {
            settle(counters, status);
        } else if counters.own_children.making.load(Ordering::SeqCst) {
            // this handler interrupts the thread that makes children, so nobody else is at it
            let place = EARLY_COUNT.fetch_add(1, Ordering::SeqCst) % EARLY_MAX;
            EARLY[place].0.store(pid, Ordering::SeqCst);
            EARLY[place].1.store(status, Ordering::SeqCst);
        }
    }
    Errno::set_raw(errno);
}

/// (`nix` gives an error for a death by a real-time signal, whose number it does not know.)
fn reap_one() -> Option<(i32, c_int)> {
    let status = Cell::new(0);
    // SAFETY: waitpid writes one integer to the place that it is given, and is async-signal-safe.
    let pid = unsafe { libc::waitpid(-1, status.as_ptr(), libc::WNOHANG) };
    (pid > 0).then(|| (pid, status.get()))
}

/// One of our children has ended.
fn settle(counters: &Counters, status: c_int) {
    let fine = if libc::WIFEXITED(status) {
        // one that panicked has counted that itself
        matches!(libc::WEXITSTATUS(status), 0 | PANICKED)
    } else {
        // we killed it ourselves, because the drain time-out had passed
        libc::WTERMSIG(status) == libc::SIGKILL && counters.draining.load(Ordering::SeqCst)
    };
    if !fine {
        counters.problem(Problem::Crash);
    }
    counters.left();
}

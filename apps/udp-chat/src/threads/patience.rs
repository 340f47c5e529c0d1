//! Waiting for a terminal or a reader that may stand still, but never beyond a stop request: somebody who sends SIGTERM wants
//! the program to end, whoever does not read any more.

use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use common::fifo::{self, Next, Refused, Sender};
use common::signals;

/// How often somebody who waits looks whether it is still worth it. Only a program that nobody reads wakes up so often.
const LOOK: Duration = Duration::from_millis(100);
/// Once there is hurry, what is left is waited for so long.
const LAST_LINES: Duration = Duration::from_secs(2);

/// No more waiting: a stop was requested, or this moment has passed.
pub(super) fn is_over(until: Option<Instant>) -> bool {
    signals::stop_requested().is_some() || until.is_some_and(|until| until <= Instant::now())
}

/// Waits for room and puts the item in, unless the waiting [is over](is_over) first; `false`: it did not go in.
pub(super) fn put<T>(queue: &Sender<T>, item: T, until: Option<Instant>) -> bool {
    let mut waiting = match queue.offer(item) {
        Ok(()) => return true,
        Err(Refused::Closed(_)) => return false,
        Err(Refused::Full(item)) => item,
    };
    while !is_over(until) {
        let look = Instant::now() + LOOK;
        match queue.put_before(waiting, until.map_or(look, |until| until.min(look))) {
            Ok(()) => return true,
            Err(Refused::Closed(_)) => return false,
            Err(Refused::Full(item)) => waiting = item,
        }
    }
    false
}

/// Waits for the end of a thread; once there is hurry, only so long. `false`: it goes on, and ends with the process.
pub(super) fn join(thread: JoinHandle<()>, is_hurried: impl Fn() -> bool) -> bool {
    let (done_in, done) = fifo::bounded::<()>(1);
    let waiting = thread::Builder::new().spawn(move || {
        let _ = thread.join();
        drop(done_in);
    });
    let mut last = None;
    while waiting.is_ok() && last.is_none_or(|last| Instant::now() < last) {
        if done.next_before(Some(Instant::now() + LOOK)) == Next::End {
            return true;
        }
        if last.is_none() && is_hurried() {
            last = Some(Instant::now() + LAST_LINES);
        }
    }
    false
}

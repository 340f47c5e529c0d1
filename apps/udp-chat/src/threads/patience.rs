//! Waiting for a terminal or a reader that may stand still, but never beyond a stop request: somebody who sends SIGTERM wants
//! the program to end, whoever does not read any more.

use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use common::fifo::{self, Next, Refused, Sender};
use common::signals;

/// How often somebody who waits looks whether it is still worth it. Only a program that nobody reads wakes up so often.
const LOOK: Duration = Duration::from_millis(100);
/// Once there is hurry, all waiting together takes no longer.
const LAST_LINES: Duration = Duration::from_secs(2);

/// As long as it takes, until there is hurry: then there is an end to it.
#[derive(Debug, Default)]
pub(super) struct Patience {
    /// From this moment on there is hurry, as there is from a stop request on.
    pub(super) until: Option<Instant>,
    /// The end of all waiting, once there is hurry.
    last: Option<Instant>,
}

impl Patience {
    /// Now there is hurry.
    pub(super) fn hurry(&mut self) {
        self.last.get_or_insert_with(|| Instant::now() + LAST_LINES);
    }

    /// So long may be waited before the next look; `None`: no more.
    fn next_look(&mut self) -> Option<Instant> {
        let now = Instant::now();
        if signals::stop_requested().is_some() || self.until.is_some_and(|until| until <= now) {
            self.hurry();
        }
        let end = self.last.or(self.until);
        let look = end.map_or(now + LOOK, |end| end.min(now + LOOK));
        (look > now).then_some(look)
    }

    /// Waits for room and puts the item in; `false`: it did not go in.
    pub(super) fn put<T>(&mut self, queue: &Sender<T>, item: T) -> bool {
        let mut waiting = match queue.offer(item) {
            Ok(()) => return true,
            Err(Refused::Closed(_)) => return false,
            Err(Refused::Full(item)) => item,
        };
        while let Some(look) = self.next_look() {
            match queue.put_before(waiting, look) {
                Ok(()) => return true,
                Err(Refused::Closed(_)) => return false,
                Err(Refused::Full(item)) => waiting = item,
            }
        }
        false
    }

    /// Waits for the end of a thread. `false`: it goes on, and ends with the process.
    pub(super) fn join(&mut self, thread: JoinHandle<()>) -> bool {
        let (done_in, done) = fifo::bounded::<()>(1);
        let waiting = thread::Builder::new().spawn(move || {
            let _ = thread.join();
            drop(done_in);
        });
        while waiting.is_ok()
            && let Some(look) = self.next_look()
        {
            if done.next_before(Some(look)) == Next::End {
                return true;
            }
        }
        false
    }
}

//! Threads that begin at the same moment and are all joined: what the lessons on shared numbers and locks need.

use std::io;
use std::sync::{PoisonError, RwLock};
use std::thread;

use common::exit::Failure;

/// Runs this in so many threads, which get their numbers from 0 on, and gives what they gave back, in that order. None begins before
/// all are there.
///
/// # Errors
/// The kernel has no room for so many threads (then none has begun), or one panicked.
pub(crate) fn together<T: Send>(count: usize, run: impl Fn(usize) -> T + Sync) -> Result<Vec<T>, Failure> {
    let run = &run;
    // closed while this thread may write to it; then it says whether to begin
    let gate = &RwLock::new(false);
    let results = thread::scope(|threads| {
        let mut closed = gate.write().unwrap_or_else(PoisonError::into_inner);
        let start = |number| {
            let begin = move || {
                let all_are_there = *gate.read().unwrap_or_else(PoisonError::into_inner);
                all_are_there.then(|| run(number))
            };
            thread::Builder::new().name(format!("thread {}", number + 1)).spawn_scoped(threads, begin)
        };
        let started: io::Result<Vec<_>> = (0..count).map(start).collect();
        *closed = started.is_ok();
        drop(closed);
        // joined one by one: at the end of a scope a thread may still be on its way out
        let joined = started?.into_iter().map(thread::ScopedJoinHandle::join);
        Ok::<_, io::Error>(joined.collect::<Vec<_>>())
    });
    let results = results.map_err(|e| Failure::failed(format!("cannot start {count} threads: {e}")))?;
    let result = |joined: thread::Result<Option<T>>| {
        joined.ok().flatten().ok_or_else(|| Failure::failed("a thread of the example panicked"))
    };
    results.into_iter().map(result).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Barrier;

    #[test]
    fn all_run_at_once_and_answer_in_order() {
        let all = Barrier::new(4);
        let answers = together(4, |number| {
            all.wait();
            number * 10
        });
        assert_eq!(answers.unwrap(), [0, 10, 20, 30]);
    }

    #[test]
    fn a_panic_is_an_error() {
        assert!(together(2, |number| assert!(number == 0)).is_err());
    }
}

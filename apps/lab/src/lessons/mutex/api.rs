//! What can be done with a lock.

use std::io;
use std::sync::{Barrier, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use common::exit::Failure;
use common::lock::Lock;
use common::units::show_duration;

use crate::lesson::{Example, Saw};
use crate::stage::Stage;

/// How long somebody else holds the lock while it is tried, and the limit of whoever waits less than that (at the original pace).
const HELD: Duration = Duration::from_secs(1);
const PATIENCE: Duration = Duration::from_millis(500);

pub(super) const API: Example =
    Example::new("api", "lock, try, wait for a limited time, lock twice", &[29], api);

fn api(stage: &Stage) -> Result<Saw, Failure> {
    let failed = |e: io::Error| Failure::failed(format!("lock: {e}"));
    let (mutex, lock, tried) = (Mutex::new(()), Lock::new().map_err(failed)?, Barrier::new(2));
    let seen = thread::scope(|threads| {
        let held = (mutex.lock(), lock.lock().map_err(failed)?);
        stage.says("main", "lock: I hold both");
        let other = thread::Builder::new().spawn_scoped(threads, || {
            let at_once = mutex.try_lock().is_ok();
            stage.says("other", format!("try_lock: {}", got(at_once)));
            let begin = Instant::now();
            let in_time = lock.lock_within(stage.paced(PATIENCE)).is_ok_and(|guard| guard.is_some());
            let patience = begin.elapsed();
            stage.says("other", format!("lock_within: {} after {}", got(in_time), show_duration(patience)));
            tried.wait();
            let (begin, guard) = (Instant::now(), mutex.lock());
            let waited = begin.elapsed();
            stage.says("other", format!("lock: {} after {}", got(guard.is_ok()), show_duration(waited)));
            Attempts { at_once, in_time, patience, waited }
        });
        let other = other.map_err(failed)?;
        tried.wait();
        let twice = lock.lock().err().map(|e| e.to_string());
        stage.says("main", format!("lock, once more: {}", twice.as_deref().unwrap_or("I hold it twice")));
        stage.pause(HELD);
        stage.says("main", "I release both");
        drop(held);
        let attempts = other.join().map_err(|_| Failure::failed("the other thread panicked"))?;
        Ok::<_, Failure>((attempts, twice))
    });
    let (Attempts { at_once, in_time, patience, waited }, twice) = seen?;
    let times = format!(
        "While somebody held the lock, try_lock said so at once, a limit of {} ended after {}, and lock waited {}.",
        show_duration(stage.paced(PATIENCE)),
        show_duration(patience),
        show_duration(waited)
    );
    let refused = twice.is_some();
    let held_back = !at_once && !in_time;
    Ok(Saw::new()
        .fact("try_lock_while_held", at_once)
        .fact("lock_within_while_held", in_time)
        .fact("limit_ms", patience.as_secs_f64() * 1e3)
        .fact("waited_ms", waited.as_secs_f64() * 1e3)
        .fact("locked_twice", twice)
        .say(if held_back { times } else { "A lock was got that somebody else held.".to_owned() })
        .say(format!(
            "Locking twice in the same thread was {}.",
            if refused { "an error" } else { "allowed" }
        ))
        .note(
            "That is common::lock::Lock. The standard library's Mutex has no time limit, and who locks it twice may wait for \
             ever, for itself.",
        )
        .shown(held_back && refused))
}

fn got(it: bool) -> &'static str {
    if it { "I have it" } else { "not got" }
}

/// What came of it, while somebody else held the locks.
struct Attempts {
    at_once: bool,
    in_time: bool,
    patience: Duration,
    waited: Duration,
}

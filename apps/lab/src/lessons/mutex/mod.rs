//! The count of the race, with a lock; what a lock can do, and what it costs.

mod counting;

use std::io;
use std::sync::{Barrier, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use common::exit::Failure;
use common::lock::Lock;
use common::process::usable_cpus;
use common::units::{plural, show_count, show_duration};

use self::counting::Cost;
use crate::lesson::{Example, Lesson, Saw};
use crate::lessons::together::together;
use crate::stage::Stage;

const EACH: u64 = 1_000_000;
const EXPECTED: u64 = 2 * EACH;
/// How long somebody else holds the lock while it is tried, and the limit of whoever waits less than that (at the original pace).
const HELD: Duration = Duration::from_secs(1);
const PATIENCE: Duration = Duration::from_millis(500);

pub(crate) const LESSON: Lesson = Lesson {
    name: "mutex",
    title: "a lock: the count is right, and what that costs",
    about: "Two threads add to the same number, and a lock lets one at a time do so: the count is right. A lock costs time, most \
            of all when several want it.",
    look_for: "That all two million are there now. What each way of counting costs, with one thread and with two: the cheapest \
               way for two threads is to share nothing until the end.",
    file: "apps/lab/src/lessons/mutex/mod.rs",
    examples: &[
        Example {
            name: "correct",
            about: "two threads add a million each, with a lock",
            rows: &[30],
            run: correct,
        },
        Example {
            name: "api",
            about: "lock, try, wait for a limited time, lock twice",
            rows: &[29],
            run: api,
        },
        Example {
            name: "cost",
            about: "what an addition costs with a lock, an atomic, a sum of one's own and with nothing",
            rows: &[30, 31],
            run: cost,
        },
    ],
};

fn correct(stage: &Stage) -> Result<Saw, Failure> {
    let number = Mutex::new(0_u64);
    together(2, |thread| {
        for _ in 0..EACH {
            *number.lock().unwrap_or_else(PoisonError::into_inner) += 1;
        }
        let reads = *number.lock().unwrap_or_else(PoisonError::into_inner);
        let what = format!("my million is done; the number is {}", show_count(reads));
        stage.says(&format!("thread {}", thread + 1), what);
    })?;
    let got = number.into_inner().unwrap_or_else(PoisonError::into_inner);
    let all = if got == EXPECTED { "nothing is lost" } else { "that is wrong" };
    Ok(Saw::new()
        .fact("expected", EXPECTED)
        .fact("got", got)
        .say(format!("{} of {}: {all}.", show_count(got), show_count(EXPECTED)))
        .note(
            "In Rust the number is inside the lock: without holding it nobody can reach it, and the guard gives it back when it \
             goes out of scope. An acquire without its release cannot be written by mistake.",
        )
        .shown(got == EXPECTED))
}

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

fn cost(stage: &Stage) -> Result<Saw, Failure> {
    let costs = counting::measure_all()?;
    for cost in &costs {
        let Cost { label, one, two, .. } = cost;
        stage.says("main", format!("{label}: {one:.2} ns an addition with one thread, {two:.2} ns with two"));
    }
    let [racy, atomic, mutex, own] = &costs;
    let cpus = usable_cpus();
    let right = costs.iter().skip(1).all(|cost| cost.lost == 0);
    let counted =
        if right { "All but the first counted right" } else { "One that should count right did not" };
    let saw = costs.iter().fold(Saw::new(), |saw, cost| saw.fact(cost.name, cost));
    Ok(saw
        .fact("usable_cpus", cpus)
        .say(format!(
            "An addition under the lock took {:.1} ns with one thread and {:.1} ns with two, {:.1} and {:.1} times as long as one \
             without any care.",
            mutex.one, mutex.two, mutex.one / racy.one, mutex.two / racy.two
        ))
        .say(format!(
            "fetch_add took {:.1} and {:.1} ns. With a sum of one's own for each thread, added up at the end, two threads took \
             {:.2} ns: {:.0} additions in the time of one under the lock.",
            atomic.one,
            atomic.two,
            own.two,
            mutex.two / own.two
        ))
        .say(format!("{counted}; the one without care lost {} additions, on {}.", show_count(racy.lost), plural(cpus as u64, "CPU")))
        .shown(right))
}

//! Workers of a pool that are killed at any instant: nothing hangs, nothing is lost, nothing is run twice.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use lab::mp::pool::{Handle, Pool, TaskError};
use nix::sys::ptrace;
use nix::sys::signal::{Signal, kill, raise};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;

use crate::family::{LONG, Random};
use crate::pool::{count, counters, got};
use crate::runner::Test;

pub(crate) const TESTS: &[Test] = &[
    ("pool_killed_at_random_instants", killed_at_random_instants),
    ("pool_killed_at_random_instants_of_map", killed_at_random_instants_of_map),
    ("pool_killed_at_every_instant", killed_at_every_instant),
];

/// Whether it was done; if not, its worker was killed.
fn was_done(handle: Handle<'_, usize>, expected: usize) -> bool {
    match got(handle) {
        Ok(value) => {
            assert_eq!(value, expected);
            true
        }
        Err(TaskError::WorkerDied { exit_code: -9, .. }) => false,
        Err(e) => panic!("{e}"),
    }
}

fn killed_at_random_instants() {
    const TASKS: usize = 24;
    let runs = counters(TASKS);
    let mut random = Random(47);
    let pool = Pool::new(2, |n: usize| {
        runs.counter(n).fetch_add(1, Ordering::SeqCst);
        n
    });
    let pool = pool.unwrap();
    let (mut lost, mut kills) = (0, 0);
    for round in 0..1000 {
        (0..TASKS).for_each(|n| runs.counter(n).store(0, Ordering::SeqCst));
        let pids = pool.pids();
        assert_eq!(pids.len(), 2);
        let handles: Vec<_> = (0..TASKS).map(|n| pool.apply_async(n).unwrap()).collect();
        random.instant_within(Duration::from_micros(60));
        let victims = 1 + round % 2;
        pids.iter().take(victims).for_each(|pid| {
            // (gone already, if the last round's signal came late)
            let _ = kill(Pid::from_raw(*pid), Signal::SIGKILL);
        });
        let mut killed = 0;
        for (n, handle) in handles.into_iter().enumerate() {
            let done = was_done(handle, n);
            killed += usize::from(!done);
            let runs = count(runs.counter(n));
            assert!(runs == 1 || runs == 0 && !done, "task {n} was run {runs} times, done: {done}");
        }
        // (one that is killed late in a round may still take a task of the next one)
        kills += victims;
        lost += killed;
        assert!(lost <= kills, "{lost} tasks failed, {kills} workers were killed");
    }
    assert!(lost > 0, "no worker was met at work");
}

fn killed_at_random_instants_of_map() {
    const TASKS: usize = 400;
    let runs = counters(TASKS);
    let mut random = Random(11);
    let pool = Pool::builder().workers(2).bytes(4096).start(|n: usize| {
        runs.counter(n).fetch_add(1, Ordering::SeqCst);
        vec![n; 20]
    });
    let pool = pool.unwrap();
    let mut failed = 0;
    for _ in 0..300 {
        (0..TASKS).for_each(|n| runs.counter(n).store(0, Ordering::SeqCst));
        let victim = Pid::from_raw(pool.pids()[0]);
        // killed by somebody else: this process waits in `map`
        let span = Duration::from_micros(random.below(1000));
        let killer = crate::family::child(|| {
            let end = Instant::now() + span;
            while Instant::now() < end {}
            // (gone already, if the last round's signal came late)
            let _ = kill(victim, Signal::SIGKILL);
        });
        match pool.map(0..TASKS) {
            Ok(values) => assert!(values.into_iter().enumerate().all(|(n, value)| value == [n; 20])),
            Err(TaskError::WorkerDied { exit_code: -9, .. }) => failed += 1,
            Err(e) => panic!("{e}"),
        }
        assert!((0..TASKS).all(|n| count(runs.counter(n)) <= 1), "twice");
        crate::family::ends_well(&killer);
    }
    assert!(failed > 0, "no worker was met at work");
}

/// A worker is run instruction by instruction from its first task until it has taken its second one, and killed after each of them
/// (each seventh: which ones, changes with the round).
fn killed_at_every_instant() {
    const STEP: usize = 7;
    let shared = counters(4);
    let traced = shared.counter(3);
    let pool = Pool::new(1, |n: usize| {
        if count(traced) == 1 {
            if n == 0 {
                ptrace::traceme().unwrap();
            }
            raise(Signal::SIGSTOP).unwrap();
        }
        shared.counter(n).fetch_add(1, Ordering::SeqCst);
        n
    });
    let pool = pool.unwrap();
    let (mut done, mut lost, mut instructions) = ([0; 2], [0; 2], 0);
    loop {
        (0..3).for_each(|n| shared.counter(n).store(0, Ordering::SeqCst));
        traced.store(1, Ordering::SeqCst);
        let worker = Pid::from_raw(pool.pids()[0]);
        let handles = [0, 1].map(|n| pool.apply_async(n).unwrap());
        assert_eq!(stopped_by(worker), Signal::SIGSTOP);
        let mut steps = 0;
        while steps < instructions && {
            ptrace::step(worker, None).unwrap();
            stopped_by(worker) == Signal::SIGTRAP
        } {
            steps += 1;
        }
        traced.store(0, Ordering::SeqCst);
        kill(worker, Signal::SIGKILL).unwrap();
        let mut was_done_now = [false; 2];
        for (n, handle) in handles.into_iter().enumerate() {
            let is_done = was_done(handle, n);
            was_done_now[n] = is_done;
            done[n] += usize::from(is_done);
            lost[n] += usize::from(!is_done);
        }
        assert_eq!(got(pool.apply_async(2).unwrap()).unwrap(), 2);
        // (whatever was still queued was run before that one; the victim never came so far as to run its second task)
        let runs = [0, 1].map(|n| count(shared.counter(n)));
        assert!(runs[0] == 1 || steps < 100 && !was_done_now[0] && runs[0] == 0, "{runs:?} {was_done_now:?}");
        assert_eq!(runs[1], u64::from(was_done_now[1]), "after {steps} instructions");
        if steps < instructions {
            break;
        }
        instructions += STEP;
    }
    // the first one may be lost until its result is there; the second one from when it was taken
    assert!(
        instructions > 300 && done.iter().chain(&lost).all(|n| *n > 0),
        "{instructions}: {done:?} {lost:?}"
    );
}

fn stopped_by(worker: Pid) -> Signal {
    let end = Instant::now() + LONG;
    loop {
        match waitpid(worker, Some(WaitPidFlag::WNOHANG)).unwrap() {
            WaitStatus::StillAlive => assert!(Instant::now() < end, "it does not go on"),
            WaitStatus::Stopped(_, signal) => return signal,
            other => panic!("{other:?}"),
        }
    }
}

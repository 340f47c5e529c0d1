//! Workers of a pool that end in the middle of a task, or between two.

use std::process::{abort, exit, id};
use std::sync::mpsc::sync_channel;
use std::thread;

use lab::mp::pool::{Pool, TaskError};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::family::{LONG, state, until};
use crate::pool::{counters, got, until_opened};
use crate::runner::Test;

pub(crate) const TESTS: &[Test] = &[
    ("pool_a_task_fails_with_its_worker", a_task_fails_with_its_worker),
    ("pool_who_only_looks_hears_of_a_death", who_only_looks_hears_of_a_death),
    ("pool_an_idle_worker_is_replaced", an_idle_worker_is_replaced),
    ("pool_what_is_queued_survives_all_workers", what_is_queued_survives_all_workers),
    ("pool_many_deaths_in_a_row_give_up", many_deaths_in_a_row_give_up),
    ("pool_no_worker_is_no_hang", no_worker_is_no_hang),
];

pub(crate) fn killed(pid: i32) {
    kill(Pid::from_raw(pid), Signal::SIGKILL).unwrap();
    // (a zombie: its parent, the pool, has not looked yet)
    until(|| matches!(state(pid), None | Some('Z' | 'X')));
}

fn a_task_fails_with_its_worker() {
    let pool = Pool::new(2, |n: i32| match n {
        0 => abort(),
        1 => exit(3),
        2 => exit(0),
        _ => n,
    });
    let pool = pool.unwrap();
    for (task, code, text) in [
        (0, -6, "worker died by signal 6"),
        (1, 3, "worker ended with exit code 3 in the middle of the task"),
        (2, 0, "worker ended with exit code 0 in the middle of the task"),
    ] {
        let before = pool.pids();
        let error = got(pool.apply_async(task).unwrap()).unwrap_err();
        assert_eq!(error.to_string(), text);
        let TaskError::WorkerDied { pid, exit_code } = error else { panic!("{error}") };
        assert_eq!(exit_code, code);
        let after = pool.pids();
        assert!(before.contains(&pid) && !after.contains(&pid) && after.len() == 2);
        assert_eq!(pool.apply(5).unwrap(), 5);
    }
    // all other chunks are done
    assert!(matches!(pool.map_in_chunks(1, [4, 0, 5]), Err(TaskError::WorkerDied { .. })));
    // each of these takes a worker with it, and that is no reason to give the others up
    let handles: Vec<_> = (0..150).map(|_| pool.apply_async(0).unwrap()).collect();
    let last = pool.apply_async(8).unwrap();
    assert!(handles.into_iter().all(|handle| matches!(got(handle), Err(TaskError::WorkerDied { .. }))));
    assert_eq!(got(last).unwrap(), 8);
}

fn who_only_looks_hears_of_a_death() {
    let pool = Pool::new(1, |n: i32| if n == 0 { abort() } else { n }).unwrap();
    let handle = pool.apply_async(0).unwrap();
    until(|| handle.is_ready());
    assert!(matches!(handle.get(), Err(TaskError::WorkerDied { .. })));
}

fn an_idle_worker_is_replaced() {
    let pool = Pool::new(3, |(): ()| id()).unwrap();
    for _ in 0..20 {
        let before = pool.pids();
        before.iter().for_each(|pid| killed(*pid));
        assert!(pool.apply(()).is_ok());
        let after = pool.pids();
        assert!(after.len() == 3 && after.iter().all(|pid| !before.contains(pid)));
    }
}

fn what_is_queued_survives_all_workers() {
    let shared = counters(1);
    let pool = Pool::new(2, |n: u64| {
        until_opened(shared.counter(0), n);
        n
    });
    let pool = pool.unwrap();
    let doomed = [1, 1].map(|n| pool.apply_async(n).unwrap());
    until(|| pool.waiting() == 0);
    let queued: Vec<_> = (0..50).map(|_| pool.apply_async(0).unwrap()).collect();
    // also when it has been closed
    pool.close().unwrap();
    pool.pids().into_iter().for_each(killed);
    assert!(pool.join_within(LONG).unwrap());
    assert!(queued.into_iter().all(|handle| got(handle).is_ok()));
    assert!(doomed.into_iter().all(|handle| matches!(got(handle), Err(TaskError::WorkerDied { .. }))));
}

/// A worker that is killed as soon as it is there has seldom taken the task.
fn many_deaths_in_a_row_give_up() {
    let shared = counters(1);
    let attempt = || {
        let builder = Pool::builder().workers(1).deaths_max(2);
        let pool = builder.start(|n: u64| until_opened(shared.counter(0), n)).unwrap();
        let doomed = pool.apply_async(1).unwrap();
        until(|| pool.waiting() == 0);
        let waiting = pool.apply_async(1).unwrap();
        pool.pids().into_iter().for_each(killed);
        assert!(got(doomed).is_err());
        while !waiting.is_ready() {
            pool.pids().into_iter().for_each(killed);
        }
        let given_up = matches!(waiting.get(), Err(TaskError::NoProgress { deaths: 2 }));
        // it goes on
        assert_eq!(pool.waiting(), 0);
        got(pool.apply_async(0).unwrap()).unwrap();
        assert_eq!(pool.pids().len(), 1);
        given_up
    };
    assert!((0..200).any(|_| attempt()));
}

fn no_worker_is_no_hang() {
    let pool = Pool::new(2, |n: i32| n).unwrap();
    let (hold, held) = sync_channel::<()>(0);
    let thread = thread::spawn(move || held.recv());
    // a process with threads does not fork
    pool.pids().into_iter().for_each(killed);
    let error = got(pool.apply_async(1).unwrap()).unwrap_err();
    assert!(matches!(error, TaskError::NoWorker(_)) && error.to_string().contains("threads"), "{error}");
    assert!(matches!(pool.map(0..3), Err(TaskError::NoWorker(_))));
    assert!(pool.pids().is_empty());
    drop(hold);
    let _ = thread.join().unwrap();
    assert_eq!(pool.pids().len(), 2);
    assert_eq!(pool.apply(1).unwrap(), 1);
}

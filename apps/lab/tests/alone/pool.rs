//! The pool: tasks and results, callbacks, bounds, and its end.

use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::id;
use std::rc::Rc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use common::process::{active_children, name};
use common::shared::{Layout, Region};
use lab::mp::pool::{Handle, Pool, PoolError, TaskError};
use serde::de::DeserializeOwned;

use crate::family::{LONG, child, ends_well, state, until};
use crate::runner::Test;

pub(crate) const TESTS: &[Test] = &[
    ("pool_results_come_in_the_order_of_the_tasks", results_come_in_the_order_of_the_tasks),
    ("pool_workers_are_there_before_the_first_task", workers_are_there_before_the_first_task),
    ("pool_callbacks_run_here_in_the_order_of_completion", callbacks_run_here_in_the_order_of_completion),
    ("pool_callbacks_keep_their_order_when_many_are_late", callbacks_keep_their_order_when_many_are_late),
    ("pool_callbacks_may_use_the_pool", callbacks_may_use_the_pool),
    ("pool_a_callback_that_panics_takes_no_result", a_callback_that_panics_takes_no_result),
    ("pool_apply_runs_one_task_after_the_other", apply_runs_one_task_after_the_other),
    ("pool_a_panic_fails_its_task_only", a_panic_fails_its_task_only),
    ("pool_a_result_too_large_is_an_error", a_result_too_large_is_an_error),
    ("pool_long_tasks_and_results_go_in_pieces", long_tasks_and_results_go_in_pieces),
    ("pool_a_full_queue_waits_or_says_so", a_full_queue_waits_or_says_so),
    ("pool_room_is_heard_of_before_a_result", room_is_heard_of_before_a_result),
    ("pool_results_that_nobody_wants_are_no_burden", results_that_nobody_wants_are_no_burden),
    ("pool_close_comes_before_join", close_comes_before_join),
    ("pool_terminate_ends_what_runs", terminate_ends_what_runs),
    ("pool_a_dropped_pool_is_terminated", a_dropped_pool_is_terminated),
    ("pool_it_belongs_to_one_process", it_belongs_to_one_process),
    ("pool_workers_retire", workers_retire),
];

/// Counters that the workers see.
pub(crate) fn counters(counters: usize) -> Region {
    Region::create("test", Layout { mutexes: 0, counters, words: 0, bytes: 0 }).unwrap()
}

pub(crate) fn count(counter: &AtomicU64) -> u64 {
    counter.load(Ordering::SeqCst)
}

/// In a worker: waits until the counter is so high.
pub(crate) fn until_opened(gate: &AtomicU64, height: u64) {
    until(|| count(gate) >= height);
}

/// The result, without waiting for ever.
pub(crate) fn got<R: DeserializeOwned>(handle: Handle<'_, R>) -> Result<R, TaskError> {
    handle.get_within(LONG).unwrap()
}

fn results_come_in_the_order_of_the_tasks() {
    let pool = Pool::new(3, |n: u32| (n, n * 2)).unwrap();
    for tasks in [0, 1, 2, 11, 12, 13, 1000] {
        let expected: Vec<_> = (0..tasks).map(|n| (n, n * 2)).collect();
        assert_eq!(pool.map(0..tasks).unwrap(), expected);
        for chunk in [0, 1, 7, 5000] {
            assert_eq!(pool.map_in_chunks(chunk, 0..tasks).unwrap(), expected);
        }
    }
    let handles: Vec<_> = (0..100).map(|n| pool.apply_async(n).unwrap()).collect();
    for (n, handle) in (0..).zip(handles) {
        assert_eq!(got(handle).unwrap(), (n, n * 2));
    }
}

fn workers_are_there_before_the_first_task() {
    let pool = Pool::new(3, |(): ()| (id(), name())).unwrap();
    let children = active_children();
    let mut pids: Vec<i32> = children.iter().map(|child| child.pid).collect();
    let names: Vec<_> = children.into_iter().map(|child| child.name).collect();
    assert_eq!(names, ["PoolWorker-1", "PoolWorker-2", "PoolWorker-3"]);
    pids.sort_unstable();
    let mut of_pool = pool.pids();
    of_pool.sort_unstable();
    assert_eq!(of_pool, pids);
    for (pid, name) in pool.map_in_chunks(1, [(); 30]).unwrap() {
        assert!(pids.contains(&(pid as i32)) && names.contains(&name), "{pid} {name}");
    }
}

fn callbacks_run_here_in_the_order_of_completion() {
    let shared = counters(1);
    let told = RefCell::new(Vec::new());
    // the last one first
    let pool = Pool::new(3, |n: u64| {
        until_opened(shared.counter(0), 3 - n);
        assert_ne!(n, 1, "on purpose");
        n
    });
    let pool = pool.unwrap();
    let handles: Vec<_> = (0..3)
        .map(|n| {
            let done = |n: &u64| told.borrow_mut().push((*n, id()));
            let failed = |e: &TaskError| {
                assert!(matches!(e, TaskError::Panicked(_)), "{e}");
                told.borrow_mut().push((99, id()));
            };
            pool.apply_async_with(n, done, failed).unwrap()
        })
        .collect();
    for handle in handles.into_iter().rev() {
        shared.counter(0).fetch_add(1, Ordering::SeqCst);
        let _ = got(handle);
    }
    assert_eq!(*told.borrow(), [(2, id()), (99, id()), (0, id())]);
}

fn callbacks_keep_their_order_when_many_are_late() {
    let shared = counters(1);
    let told = RefCell::new(Vec::new());
    let pool = Pool::new(1, |n: u64| {
        shared.counter(0).store(n, Ordering::SeqCst);
        n
    });
    let pool = pool.unwrap();
    for n in 1..=50 {
        drop(pool.apply_async_with(n, |n| told.borrow_mut().push(*n), |_| ()).unwrap());
    }
    // all are done, and this process has not looked
    until_opened(shared.counter(0), 50);
    pool.close().unwrap();
    assert!(pool.join_within(LONG).unwrap());
    assert!(told.borrow().iter().copied().eq(1..=50), "{told:?}");
}

fn callbacks_may_use_the_pool() {
    let told = Rc::new(RefCell::new(Vec::new()));
    let own: Rc<RefCell<Option<Handle<'static, u32>>>> = Rc::default();
    let pool = Rc::new(Pool::new(2, |n: u32| n * n).unwrap());
    let callback = {
        let (told, own, pool) = (Rc::clone(&told), Rc::clone(&own), Rc::downgrade(&pool));
        move |nine: &u32| {
            told.borrow_mut().push(pool.upgrade().unwrap().apply(*nine).unwrap());
            let own = own.take().unwrap();
            assert!(matches!(got(own), Err(TaskError::InItsOwnCallback)));
        }
    };
    own.replace(Some(pool.apply_async_with(3, callback, |_| ()).unwrap()));
    while told.borrow().is_empty() {
        assert_eq!(pool.apply(4).unwrap(), 16);
    }
    assert_eq!(*told.borrow(), [81]);
    assert!(own.borrow().is_none());
    assert_eq!(Rc::strong_count(&told), 1, "a callback is gone when it has run");
}

fn a_callback_that_panics_takes_no_result() {
    let pool = Pool::new(1, |n: u32| n * n).unwrap();
    // (so that nothing is printed)
    let panics = |_: &u32| std::panic::resume_unwind(Box::new("on purpose"));
    let handle = pool.apply_async_with(3, panics, |_| ()).unwrap();
    let panicked = catch_unwind(AssertUnwindSafe(|| until(|| handle.is_ready())));
    assert_eq!(panicked.unwrap_err().downcast_ref(), Some(&"on purpose"));
    assert_eq!(got(handle).unwrap(), 9);
    assert_eq!(pool.apply(4).unwrap(), 16);
}

fn apply_runs_one_task_after_the_other() {
    let shared = counters(2);
    let (running, most) = (shared.counter(0), shared.counter(1));
    let pool = Pool::new(4, |n: u32| {
        most.fetch_max(running.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
        running.fetch_sub(1, Ordering::SeqCst);
        n
    });
    let pool = pool.unwrap();
    (0..200).for_each(|n| assert_eq!(pool.apply(n).unwrap(), n));
    assert_eq!(count(most), 1);
}

fn a_panic_fails_its_task_only() {
    let pool = Pool::new(1, |n: i32| match n {
        0 => panic!("on purpose"),
        1 => panic!("task {n}"),
        2 => panic!("{}", "传".repeat(5000)),
        3 => std::panic::panic_any(7),
        _ => id(),
    });
    let pool = pool.unwrap();
    let before = pool.apply(9).unwrap();
    let message = |n| match pool.apply(n) {
        Err(TaskError::Panicked(message)) => message,
        other => panic!("{other:?}"),
    };
    assert_eq!([message(0), message(1), message(3)], ["on purpose", "task 1", "(no message)"]);
    assert_eq!(message(2), "传".repeat(333));
    assert_eq!(pool.apply(9).unwrap(), before, "the worker lives on");
    // of several the first, in the order of the tasks
    let failed = pool.map_in_chunks(1, [9, 9, 1, 0, 9]).unwrap_err();
    assert_eq!(failed.to_string(), "the task panicked: task 1");
    assert_eq!(pool.map([9, 9]).unwrap(), [before; 2]);
}

fn a_result_too_large_is_an_error() {
    let pool = Pool::builder().workers(2).bytes(4096).start(|n: usize| vec![7_u8; n]).unwrap();
    for _ in 0..3 {
        assert_eq!(pool.apply(4000).unwrap(), [7; 4000]);
        match pool.apply(4096).unwrap_err() {
            TaskError::ResultTooLarge { bytes, most } => assert!(bytes > most && most < 4096),
            other => panic!("{other}"),
        }
    }
    assert!(matches!(pool.map([1, 5000, 2]), Err(TaskError::ResultTooLarge { .. })));
    let pool = Pool::builder().workers(1).bytes(4096).start(|task: Vec<u8>| task.len()).unwrap();
    assert!(matches!(pool.apply_async(vec![0; 4096]), Err(PoolError::TooLarge { .. })));
    assert_eq!(pool.apply(vec![0; 4000]).unwrap(), 4000);
}

fn long_tasks_and_results_go_in_pieces() {
    let builder = Pool::builder().workers(2).bytes(4096);
    let pool = builder.start(|(n, task): (u32, String)| (n, task.repeat(2))).unwrap();
    for (tasks, length) in [(1000, 100), (100, 1100), (3000, 3), (2, 1900)] {
        let all: Vec<_> = (0..tasks).map(|n| (n, "x".repeat(length))).collect();
        let expected: Vec<_> = (0..tasks).map(|n| (n, "x".repeat(2 * length))).collect();
        assert!(pool.map(all).unwrap() == expected, "{tasks} of {length}");
    }
}

fn a_full_queue_waits_or_says_so() {
    let shared = counters(1);
    let builder = Pool::builder().workers(1).capacity(3);
    let pool = builder.start(|height: u64| until_opened(shared.counter(0), height)).unwrap();
    assert_eq!(pool.capacity(), 3);
    let running = pool.apply_async(1).unwrap();
    until(|| pool.waiting() == 0);
    let mut handles: Vec<_> = (0..3).map(|_| pool.try_apply_async(1).unwrap()).collect();
    assert!(matches!(pool.try_apply_async(1), Err(PoolError::Full)));
    assert!(!running.is_ready() && pool.waiting() == 3);
    // opened when this process sleeps, waiting for room
    let parent = id() as i32;
    let opener = child(|| {
        until(|| state(parent) == Some('S'));
        shared.counter(0).store(1, Ordering::SeqCst);
    });
    handles.push(pool.apply_async(1).unwrap());
    assert_eq!(count(shared.counter(0)), 1, "it waited");
    ends_well(&opener);
    handles.into_iter().for_each(|handle| got(handle).unwrap());
    got(running).unwrap();
}

/// Who waits for room goes on when a task is taken, however long that takes then.
fn room_is_heard_of_before_a_result() {
    let shared = counters(2);
    let (gate, room) = (shared.counter(0), shared.counter(1));
    let parent = id() as i32;
    for _ in 0..200 {
        gate.store(0, Ordering::SeqCst);
        room.store(0, Ordering::SeqCst);
        let builder = Pool::builder().workers(1).capacity(1);
        let pool = builder.start(|height: u64| until_opened(gate, height)).unwrap();
        let first = pool.apply_async(1).unwrap();
        until(|| pool.waiting() == 0);
        let second = pool.apply_async(2).unwrap();
        let opener = child(|| {
            until(|| state(parent) == Some('S'));
            gate.store(1, Ordering::SeqCst);
            let end = Instant::now() + LONG / 2;
            while count(room) == 0 && Instant::now() < end {}
            let heard = count(room) == 1;
            gate.store(2, Ordering::SeqCst);
            i32::from(!heard)
        });
        let third = pool.apply_async(0).unwrap();
        room.store(1, Ordering::SeqCst);
        ends_well(&opener);
        [first, second, third].into_iter().for_each(|handle| got(handle).unwrap());
    }
}

fn results_that_nobody_wants_are_no_burden() {
    let shared = counters(1);
    let builder = Pool::builder().workers(2).capacity(10).bytes(4096);
    let pool = builder.start(|n: u32| {
        shared.counter(0).fetch_add(1, Ordering::SeqCst);
        vec![0_u8; n as usize % 1000]
    });
    let pool = pool.unwrap();
    (0..5000).for_each(|n| drop(pool.apply_async(n).unwrap()));
    pool.close().unwrap();
    assert!(pool.join_within(LONG).unwrap());
    assert_eq!(count(shared.counter(0)), 5000);
}

fn close_comes_before_join() {
    let pool = Pool::new(2, |n: u32| n).unwrap();
    assert!(matches!(pool.join(), Err(PoolError::StillRunning)));
    assert!(pool.join().unwrap_err().to_string().starts_with("Pool is still running"));
    let handles: Vec<_> = (0..500).map(|n| pool.apply_async(n).unwrap()).collect();
    pool.close().unwrap();
    pool.close().unwrap();
    assert!(matches!(pool.apply_async(1), Err(PoolError::NotRunning)));
    assert!(pool.apply(1).unwrap_err().to_string().starts_with("Pool not running"));
    assert!(matches!(pool.map([1]), Err(TaskError::Refused(PoolError::NotRunning))));
    assert!(pool.join_within(LONG).unwrap());
    pool.join().unwrap();
    assert!(pool.pids().is_empty() && active_children().is_empty());
    for (n, handle) in (0..).zip(handles) {
        assert!(handle.is_ready());
        assert_eq!(handle.get().unwrap(), n);
    }
}

fn terminate_ends_what_runs() {
    let shared = counters(2);
    let called = RefCell::new(0);
    let pool = Pool::new(2, |n: u32| {
        if n == 0 {
            // does not hear SIGTERM
            nix::sys::signal::SigSet::all().thread_block().unwrap();
        }
        if n < 2 {
            shared.counter(0).fetch_add(1, Ordering::SeqCst);
            until_opened(shared.counter(1), 1);
        }
        n
    });
    let pool = pool.unwrap();
    let done = got(pool.apply_async(7).unwrap()).unwrap();
    let handles: Vec<_> = (0..4)
        .map(|n| {
            pool.apply_async_with(n, |_| *called.borrow_mut() += 1, |_| *called.borrow_mut() += 1).unwrap()
        })
        .collect();
    until(|| count(shared.counter(0)) == 2);
    let pids = pool.pids();
    pool.terminate().unwrap();
    assert!(pids.into_iter().all(|pid| state(pid).is_none()));
    assert_eq!((done, pool.pids().len()), (7, 0));
    for handle in handles {
        assert!(matches!(got(handle), Err(TaskError::Terminated)));
    }
    pool.join().unwrap();
    pool.terminate().unwrap();
    assert!(matches!(pool.apply_async(1), Err(PoolError::NotRunning)));
    drop(pool);
    assert_eq!(called.take(), 0, "no callback after the end");
}

fn a_dropped_pool_is_terminated() {
    let shared = counters(1);
    let pool = Pool::new(2, |n: u32| {
        until_opened(shared.counter(0), 1);
        n
    });
    let pool = pool.unwrap();
    let handle = pool.apply_async(1).unwrap();
    let pids = pool.pids();
    drop(pool);
    assert!(pids.into_iter().all(|pid| state(pid).is_none()));
    assert!(matches!(got(handle), Err(TaskError::Terminated)));
}

fn it_belongs_to_one_process() {
    let pool = Pool::new(2, |n: u32| n).unwrap();
    let other = child(|| {
        let refused = matches!(pool.apply_async(1), Err(PoolError::NotItsParent));
        let refused = refused && matches!(pool.terminate(), Err(PoolError::NotItsParent));
        i32::from(!refused || pool.close().is_ok())
    });
    ends_well(&other);
    assert_eq!(pool.apply(3).unwrap(), 3);
    let mut pool = Some(pool);
    ends_well(&child(|| drop(pool.take())));
    assert_eq!(pool.unwrap().apply(4).unwrap(), 4);
}

fn workers_retire() {
    let pool = Pool::builder().workers(2).tasks_per_worker(3).start(|(): ()| id()).unwrap();
    let mut pids = pool.map_in_chunks(1, [(); 60]).unwrap();
    assert_eq!(pool.pids().len(), 2);
    pids.sort_unstable();
    assert!(pids.chunk_by(|one, other| one == other).all(|of_one| of_one.len() <= 3), "{pids:?}");
    let _ = pool.apply(()).unwrap();
    pool.close().unwrap();
    assert!(pool.join_within(Duration::from_secs(20)).unwrap());
}

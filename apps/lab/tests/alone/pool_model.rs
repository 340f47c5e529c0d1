//! 10,000 random operations of a pool against what a pool is.

use std::cell::{Cell, RefCell};
use std::process::abort;
use std::rc::Rc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use common::shared::Region;
use lab::mp::pool::{Handle, Pool, PoolError, TaskError};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use crate::family::LONG;
use crate::pool::{count, counters, got};
use crate::runner::Test;

pub(crate) const TESTS: &[Test] = &[("pool_random_operations", random_operations)];

const CASES: u32 = 200;
const OPERATIONS: usize = 50;
const WORKERS: usize = 2;
/// `map` is given at most so many.
const MAPPED: usize = 8;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Quick,
    Slow,
    Panics,
    Aborts,
}

#[derive(Debug, Clone, Copy)]
enum Operation {
    Give(Kind),
    TryGive(Kind),
    GiveWithCallback(Kind),
    Map(usize),
    Get(usize),
    GetAtOnce(usize),
    Look(usize),
    Drop(usize),
    Kill(usize),
    Size,
    Close,
}

/// The number of a task, and of the counter in which its runs are counted.
type Number = u16;

fn run(runs: &Region, (number, kind): (Number, u8)) -> u32 {
    runs.counter(number.into()).fetch_add(1, Ordering::SeqCst);
    match kind {
        1 => std::thread::sleep(Duration::from_micros(200)),
        2 => panic!("task {number}"),
        3 => abort(),
        _ => {}
    }
    u32::from(number) * 3
}

/// What has to be so.
struct Model<'a> {
    runs: &'a Region,
    handles: Vec<(Number, Kind, Handle<'a, u32>)>,
    given: Number,
    kills: usize,
    /// How many tasks were told to have died by SIGKILL.
    killed: Cell<usize>,
    closed: bool,
    /// Tasks with a callback that was not called yet.
    callbacks: Rc<RefCell<Vec<Number>>>,
}

impl<'a> Model<'a> {
    fn next(&mut self) -> Number {
        self.given += 1;
        self.given - 1
    }

    /// The task has come to this: is that right?
    fn check(&self, number: Number, kind: Kind, outcome: Result<u32, TaskError>) {
        let runs = count(self.runs.counter(number.into()));
        let right = match (&outcome, kind) {
            (Ok(value), Kind::Quick | Kind::Slow) => *value == u32::from(number) * 3 && runs == 1,
            (Err(TaskError::Panicked(message)), Kind::Panics) => {
                *message == format!("task {number}") && runs == 1
            }
            (Err(TaskError::WorkerDied { exit_code: -6, .. }), Kind::Aborts) => runs == 1,
            (Err(TaskError::WorkerDied { exit_code: -9, .. }), _) => {
                self.killed.set(self.killed.get() + 1);
                self.killed.get() <= self.kills && runs <= 1
            }
            _ => false,
        };
        assert!(right, "task {number}, {kind:?}, run {runs} times: {outcome:?} ({} kills)", self.kills);
        assert!(!self.callbacks.borrow().contains(&number), "ready, and not called back");
    }

    fn given(&mut self, number: Number, kind: Kind, given: Result<Handle<'a, u32>, PoolError>) {
        match given {
            Ok(handle) => self.handles.push((number, kind, handle)),
            Err(PoolError::Full) => self.callbacks.borrow_mut().retain(|one| *one != number),
            Err(PoolError::NotRunning) => {
                assert!(self.closed);
                self.callbacks.borrow_mut().retain(|one| *one != number);
            }
            Err(e) => panic!("{e}"),
        }
    }

    fn map(&mut self, pool: &Pool<'a, (Number, u8), u32>, tasks: usize) {
        let numbers: Vec<Number> = (0..tasks).map(|_| self.next()).collect();
        match pool.map(numbers.iter().map(|number| (*number, 0))) {
            Ok(values) => {
                let right = numbers.iter().map(|number| u32::from(*number) * 3);
                assert!(!self.closed || tasks == 0);
                assert!(right.eq(values), "in order");
                assert!(numbers.iter().all(|number| count(self.runs.counter((*number).into())) == 1));
            }
            Err(TaskError::Refused(PoolError::NotRunning)) => assert!(self.closed),
            Err(TaskError::WorkerDied { exit_code: -9, .. }) => {
                // (of several that died it tells of one)
                self.killed.set(self.killed.get() + 1);
                assert!(self.killed.get() <= self.kills);
            }
            Err(e) => panic!("{e}"),
        }
    }

    fn do_one(&mut self, pool: &Pool<'a, (Number, u8), u32>, operation: Operation) {
        let pick = |n: usize, of: usize| (of > 0).then(|| n % of.max(1));
        let handles = self.handles.len();
        match operation {
            Operation::Give(kind) => {
                let number = self.next();
                self.given(number, kind, pool.apply_async((number, kind as u8)));
            }
            Operation::TryGive(kind) => {
                let number = self.next();
                self.given(number, kind, pool.try_apply_async((number, kind as u8)));
            }
            Operation::GiveWithCallback(kind) => {
                let number = self.next();
                self.callbacks.borrow_mut().push(number);
                let called = || {
                    let callbacks = Rc::clone(&self.callbacks);
                    move || {
                        let mut callbacks = callbacks.borrow_mut();
                        let place = callbacks.iter().position(|one| *one == number);
                        callbacks.remove(place.expect("called twice"));
                    }
                };
                let (done, failed) = (called(), called());
                let given = pool.apply_async_with((number, kind as u8), move |_| done(), move |_| failed());
                self.given(number, kind, given);
            }
            Operation::Map(tasks) => self.map(pool, tasks),
            Operation::Get(n) => {
                let Some(place) = pick(n, handles) else { return };
                let (number, kind, handle) = self.handles.swap_remove(place);
                self.check(number, kind, got(handle));
            }
            Operation::GetAtOnce(n) => {
                let Some(place) = pick(n, handles) else { return };
                let (number, kind, handle) = self.handles.swap_remove(place);
                match handle.get_within(Duration::ZERO) {
                    Ok(outcome) => self.check(number, kind, outcome),
                    Err(handle) => self.handles.push((number, kind, handle)),
                }
            }
            Operation::Look(n) => {
                let Some(place) = pick(n, handles) else { return };
                if self.handles[place].2.is_ready() {
                    let (number, kind, handle) = self.handles.swap_remove(place);
                    self.check(number, kind, handle.get());
                }
            }
            Operation::Drop(n) => {
                pick(n, handles).map(|place| self.handles.swap_remove(place));
            }
            Operation::Kill(n) => {
                let pids = pool.pids();
                let Some(place) = pick(n, pids.len()) else { return };
                self.kills += 1;
                kill(Pid::from_raw(pids[place]), Signal::SIGKILL).unwrap();
            }
            Operation::Size => assert!(self.closed || pool.pids().len() == WORKERS),
            Operation::Close => {
                pool.close().unwrap();
                self.closed = true;
            }
        }
    }
}

fn case(operations: Vec<Operation>) {
    let runs = counters(OPERATIONS * MAPPED);
    let builder = Pool::builder().workers(WORKERS).capacity(5);
    let pool = builder.start(|task: (Number, u8)| run(&runs, task)).unwrap();
    let mut model = Model {
        runs: &runs,
        handles: Vec::new(),
        given: 0,
        kills: 0,
        killed: Cell::new(0),
        closed: false,
        callbacks: Rc::default(),
    };
    for operation in operations {
        model.do_one(&pool, operation);
    }
    pool.close().unwrap();
    assert!(pool.join_within(LONG).unwrap(), "it does not end");
    for (number, kind, handle) in std::mem::take(&mut model.handles) {
        assert!(handle.is_ready(), "task {number} was joined");
        model.check(number, kind, handle.get());
    }
    assert!((0..model.given).all(|number| count(runs.counter(number.into())) <= 1));
    assert!(model.callbacks.borrow().is_empty() && pool.pids().is_empty());
}

fn operation() -> impl Strategy<Value = Operation> {
    let kind = || {
        prop_oneof![
            6 => Just(Kind::Quick), 3 => Just(Kind::Slow), 1 => Just(Kind::Panics), 1 => Just(Kind::Aborts)
        ]
    };
    let any = any::<usize>;
    prop_oneof![
        20 => kind().prop_map(Operation::Give),
        10 => kind().prop_map(Operation::TryGive),
        10 => kind().prop_map(Operation::GiveWithCallback),
        3 => (0..MAPPED).prop_map(Operation::Map),
        10 => any().prop_map(Operation::Get),
        8 => any().prop_map(Operation::GetAtOnce),
        8 => any().prop_map(Operation::Look),
        4 => any().prop_map(Operation::Drop),
        12 => any().prop_map(Operation::Kill),
        5 => Just(Operation::Size),
        1 => Just(Operation::Close),
    ]
}

fn random_operations() {
    let config =
        Config { cases: CASES, failure_persistence: None, max_shrink_iters: 500, ..Config::default() };
    let operations = prop::collection::vec(operation(), OPERATIONS);
    TestRunner::new(config)
        .run(&operations, |operations| {
            case(operations);
            Ok(())
        })
        .unwrap_or_else(|e| panic!("{e}"));
}

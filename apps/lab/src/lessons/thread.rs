//! Threads: start them, give them arguments, wait for them, know which ones there are.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::sync::{Mutex, MutexGuard, PoisonError, mpsc};
use std::thread::{self, Scope, ScopedJoinHandle};
use std::time::Duration;

use common::exit::Failure;

use crate::lesson::{Example, Lesson, Saw};
use crate::lessons::together::together;
use crate::stage::{Event, Stage};

/// How many students buy food, in the tutorials.
const STUDENTS: usize = 5;
const WORKERS: usize = 3;
/// So often two threads say their three words each; more often if they are in the same order each time.
const RUNS: usize = 50;
const RUNS_MAX: usize = 2000;
/// So many of the orders are listed.
const LISTED: usize = 6;
/// A thread that was started says so before this is over, however busy the machine is.
const LIMIT: Duration = Duration::from_secs(60);

pub(crate) const LESSON: Lesson = Lesson {
    name: "thread",
    title: "threads: start them, give them arguments, wait for them",
    about: "Threads of one process run at the same time; in which order is nobody's promise. A Rust program ends when `main` \
            returns, whatever its threads are doing, so whoever needs their work waits for them (join).",
    look_for: "One process number in every line. Which lines stand between which; and which line is missing when nobody waits.",
    file: "apps/lab/src/lessons/thread.rs",
    examples: &[
        Example { name: "start", about: "five threads do the same", rows: &[18], run: start },
        Example {
            name: "tasks",
            about: "two threads do different things at the same time",
            rows: &[19],
            run: tasks,
        },
        Example { name: "order", about: "the order is another one each time", rows: &[20], run: order },
        Example { name: "enumerate", about: "which threads there are", rows: &[21], run: enumerate },
        Example { name: "arguments", about: "what a thread is given, by name", rows: &[22], run: arguments },
        Example {
            name: "joined",
            about: "main waits for its thread",
            rows: &[18, 19],
            run: super::leaving::joined,
        },
        Example {
            name: "not-joined",
            about: "main returns while its thread works",
            rows: &[18, 19],
            run: super::leaving::not_joined,
        },
    ],
};

/// Starts a thread with this name.
fn named<'scope, T: Send + 'scope>(
    threads: &'scope Scope<'scope, '_>,
    name: impl Into<String>,
    run: impl FnOnce() -> T + Send + 'scope,
) -> io::Result<ScopedJoinHandle<'scope, T>> {
    thread::Builder::new().name(name.into()).spawn_scoped(threads, run)
}

/// Waits for it. (The end of a scope waits, too, but not until the kernel's thread is gone; and a panic would go on here.)
fn join<T>(thread: ScopedJoinHandle<'_, T>) -> Result<T, Failure> {
    thread.join().map_err(|_| Failure::failed("a thread of the example panicked"))
}

fn start(stage: &Stage) -> Result<Saw, Failure> {
    let buy = |number: usize| {
        let who = format!("student {number}");
        stage.says(&who, "buys food");
        stage.pause(Duration::from_secs(2));
        stage.says(&who, "has eaten");
    };
    let buy = &buy;
    let joined = thread::scope(|threads| {
        let student = |number| named(threads, format!("student {number}"), move || buy(number));
        let students = (0..STUDENTS).map(student).collect::<io::Result<Vec<_>>>()?;
        stage.says("main", "all are started");
        students.into_iter().map(join).collect::<Result<Vec<()>, Failure>>()
    })?;
    stage.says("main", "all are joined");
    let events = stage.events();
    let at_once = most_at_once(&events);
    let last = events.iter().rposition(|event| event.what == "has eaten");
    let one_process = events.iter().all(|event| event.pid == std::process::id());
    Ok(Saw::new()
        .fact("threads", joined.len())
        .fact("most_at_once", at_once)
        .fact("same_process", one_process)
        .say(format!("{} threads in one process; at one moment {at_once} of them were at it.", joined.len()))
        .note("A Python program waits for its threads before it ends. A Rust program does not: here main joins each one.")
        .shown(at_once > 1 && one_process && last < stage.last_of("main")))
}

/// How many were between their first and their last word at the same time.
fn most_at_once(events: &[Event]) -> usize {
    let (mut now, mut most) = (0_usize, 0);
    for event in events {
        match event.what.as_str() {
            "buys food" => now += 1,
            "has eaten" => now = now.saturating_sub(1),
            _ => {}
        }
        most = most.max(now);
    }
    most
}

fn tasks(stage: &Stage) -> Result<Saw, Failure> {
    let perform = |who: &str, what: &str| {
        for verse in 0..3 {
            stage.says(who, format_args!("{what} ... {verse}"));
            stage.pause(Duration::from_secs(1));
        }
    };
    thread::scope(|threads| {
        let sing = named(threads, "sing", || perform("sing", "singing"))?;
        let dance = named(threads, "dance", || perform("dance", "dancing"))?;
        stage.says("main", "--- both are started ---");
        join(sing)?;
        join(dance)
    })?;
    stage.says("main", "--- both are joined ---");
    let together =
        stage.first_of("dance") < stage.last_of("sing") && stage.first_of("sing") < stage.last_of("dance");
    let how = if together { "each spoke before the other had finished" } else { "one came after the other" };
    let main_last = stage.last_of("main") > stage.last_of("sing").max(stage.last_of("dance"));
    let end = if main_last { "after" } else { "before" };
    Ok(Saw::new()
        .fact("at_the_same_time", together)
        .say(format!("Singing and dancing: {how}. Main's last line came {end} the last verse."))
        .note("In the tutorials the line of the end comes at once, for main does not wait for its threads there.")
        .shown(together && main_last))
}

fn order(stage: &Stage) -> Result<Saw, Failure> {
    let mut orders: BTreeMap<String, usize> = BTreeMap::new();
    let mut runs = 0;
    while runs < RUNS || (orders.len() < 2 && runs < RUNS_MAX) {
        *orders.entry(one_order()?).or_default() += 1;
        runs += 1;
    }
    let distinct = orders.len();
    let mut often: Vec<(String, usize)> = orders.into_iter().collect();
    often.sort_by_key(|(_, times)| std::cmp::Reverse(*times));
    for (order, times) in often.iter().take(LISTED) {
        stage.says("main", format_args!("{order}: {times} times"));
    }
    let (first, times) = often.into_iter().next().unwrap_or_default();
    Ok(Saw::new()
        .fact("runs", runs)
        .fact("distinct", distinct)
        .fact("most_frequent", &first)
        .say(format!("The same two threads, {runs} times: {distinct} different orders; {first} came {times} times."))
        .note("S: a word of the one that sings, D: of the one that dances; 20 orders are possible. Who needs an order has to make it.")
        .shown(distinct > 1))
}

/// In which order two threads say three words each.
fn one_order() -> Result<String, Failure> {
    let said = Mutex::new(String::new());
    together(2, |number| {
        for _ in 0..3 {
            lock(&said).push(['S', 'D'][number]);
            thread::yield_now();
        }
    })?;
    Ok(said.into_inner().unwrap_or_else(PoisonError::into_inner))
}

/// The threads that run, by name and number, as Python keeps such a list: each one enters itself, and is struck off at its end.
#[derive(Default)]
struct Register(Mutex<Vec<(i32, String)>>);

struct Entered<'a>(&'a Register, i32);

impl Register {
    fn enter(&self) -> Entered<'_> {
        let number = rustix::thread::gettid().as_raw_nonzero().get();
        let name = thread::current().name().unwrap_or_default().to_owned();
        lock(&self.0).push((number, name));
        Entered(self, number)
    }

    fn list(&self) -> Vec<(i32, String)> {
        let mut list = lock(&self.0).clone();
        list.sort();
        list
    }
}

impl Drop for Entered<'_> {
    fn drop(&mut self) {
        lock(&self.0.0).retain(|(number, _)| *number != self.1);
    }
}

fn enumerate(stage: &Stage) -> Result<Saw, Failure> {
    let (register, gate) = (Register::default(), Mutex::new(()));
    let (here, all_here) = mpsc::sync_channel(WORKERS);
    let work = |here: mpsc::SyncSender<()>| {
        let _entered = register.enter();
        let _ = here.send(());
        drop(lock(&gate));
    };
    let work = &work;
    let (listed, kernels) = thread::scope(|threads| {
        let closed = lock(&gate);
        let worker = |number| {
            let here = here.clone();
            named(threads, format!("worker-{number}"), move || work(here))
        };
        let workers = (1..=WORKERS).map(worker).collect::<io::Result<Vec<_>>>()?;
        for _ in &workers {
            all_here.recv_timeout(LIMIT).map_err(|_| Failure::failed("a thread did not begin"))?;
        }
        let lists = (register.list(), list_of_the_kernel()?);
        drop(closed);
        workers.into_iter().try_for_each(join)?;
        Ok::<_, Failure>(lists)
    })?;
    for (number, name) in &kernels {
        let ours = if listed.iter().any(|(n, _)| n == number) { "in our list, too" } else { "main itself" };
        stage.says("main", format_args!("thread {number} {name}: {ours}"));
    }
    let afterwards = register.list().len();
    stage.says("main", format_args!("after join: {afterwards} in our list"));
    let agreed = listed.iter().all(|entry| kernels.contains(entry)) && kernels.len() == listed.len() + 1;
    let how = if agreed { "and main itself, and no other" } else { "and not the same ones" };
    Ok(Saw::new()
        .fact("listed", &listed)
        .fact("kernels", &kernels)
        .fact("agreed", agreed)
        .fact("afterwards", afterwards)
        .say(format!("Our list had {} threads; the kernel's had those {how}.", listed.len()))
        .say(format!("After join our list had {afterwards}."))
        .note("Join returns when the thread ends. Looking at the list once a second, as the tutorials do, finds out up to a second later.")
        .shown(agreed && listed.len() == WORKERS && afterwards == 0))
}

/// All threads of this process, by number and name.
fn list_of_the_kernel() -> io::Result<Vec<(i32, String)>> {
    let mut list = Vec::new();
    for thread in fs::read_dir("/proc/self/task")? {
        let thread = thread?;
        let number = thread.file_name().to_string_lossy().parse().map_err(io::Error::other)?;
        list.push((number, fs::read_to_string(thread.path().join("comm"))?.trim_end().to_owned()));
    }
    list.sort();
    Ok(list)
}

/// What the first work of the tutorials is given: two numbers by position, and one by name.
struct First {
    num1: u32,
    num2: u32,
    m: u32,
}

/// What the second one is given.
struct Second {
    num1: u32,
    num2: u32,
    num3: u32,
    n: u32,
}

fn arguments(stage: &Stage) -> Result<Saw, Failure> {
    let first = |First { num1, num2, m }| {
        stage.says("work 1", format_args!("num1={num1}, num2={num2}, m={m}"));
        num1 + num2 + m
    };
    let second = |Second { num1, num2, num3, n }| {
        stage.says("work 2", format_args!("num1={num1}, num2={num2}, num3={num3}, n={n}"));
        num1 + num2 + num3 + n
    };
    let sums = thread::scope(|threads| {
        let one = named(threads, "work 1", move || first(First { num1: 11, num2: 22, m: 100 }))?;
        let arguments = Second { n: 200, num3: 55, num2: 44, num1: 33 };
        let two = named(threads, "work 2", move || second(arguments))?;
        Ok::<_, Failure>([join(one)?, join(two)?])
    })?;
    stage.says("main", format_args!("their sums: {sums:?}"));
    let right = sums == [11 + 22 + 100, 33 + 44 + 55 + 200];
    let how = if right { "those of" } else { "not those of" };
    Ok(Saw::new()
        .fact("sums", sums)
        .say(format!(
            "The sums that came back by join, {} and {}, are {how} what the threads were given.",
            sums[0], sums[1]
        ))
        .note("A struct has the names: in any order, and one that is missing or misspelt does not compile.")
        .shown(right))
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

//! A pool of processes: a few workers for many tasks.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::process::id;
use std::time::{Duration, Instant};

use common::exit::Failure;
use common::process::{Builder, Inherited, usable_cpus};
use common::units::plural;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::lesson::{Example, Lesson, Saw};
use crate::mp::pool::{Handle, Pool, PoolError};
use crate::stage::{Stage, StageNote};

pub(crate) const LESSON: Lesson = Lesson {
    name: "pool",
    title: "a pool of processes: a few workers for many tasks",
    about: "A process for each of many small tasks costs more than the tasks. A pool has a fixed number of workers, which take \
            one task after the other from a queue.",
    look_for: "The process numbers: few, and always the same ones. When tasks begin: as soon as a worker is free. What becomes of \
               a task whose worker is killed, and of tasks that nobody waits for.",
    file: "apps/lab/src/lessons/pool.rs",
    examples: &[
        Example { name: "basic", about: "three workers for ten tasks", rows: &[3], run: basic },
        Example {
            name: "queueing",
            about: "more tasks than workers: they wait, the parent does not",
            rows: &[44],
            run: queueing,
        },
        Example {
            name: "callback",
            about: "the parent is called back with each result",
            rows: &[17],
            run: callback,
        },
        Example { name: "sleep", about: "when tasks begin, and how many at once", rows: &[47], run: sleep },
        Example {
            name: "killed",
            about: "a worker is killed in the middle of its task",
            rows: &[44],
            run: killed,
        },
        Example {
            name: "close",
            about: "close comes before join, and after the last task",
            rows: &[47],
            run: close,
        },
        Example {
            name: "unjoined",
            about: "who leaves without join loses the work",
            rows: &[3],
            run: unjoined,
        },
    ],
};

/// What a spawned process does for `unjoined`.
pub(crate) const UNJOINED: &str = "pool-unjoined";
/// Longer than any of these tasks takes, however busy the machine is.
const LIMIT: Duration = Duration::from_secs(20);

fn basic(stage: &Stage) -> Result<Saw, Failure> {
    let pool = Pool::new(3, |(name, age): (String, u32)| {
        stage.says("task", format_args!("begins: name {name}, age {age}"));
        stage.pause(Duration::from_millis(500));
        stage.says("task", "ends");
        id()
    });
    let pool = pool.map_err(Failure::failed)?;
    let workers = pool.pids();
    stage.says("parent", format_args!("before the first task there are {workers:?}"));
    let tasks: Vec<_> = (0..10)
        .map(|_| pool.apply_async(("kurong".to_owned(), 18)))
        .collect::<Result<_, _>>()
        .map_err(Failure::failed)?;
    pool.close().and_then(|()| pool.join()).map_err(Failure::failed)?;
    stage.says("parent", "goes on after all tasks");
    let pids: Vec<u32> =
        tasks.into_iter().map(Handle::get).collect::<Result<_, _>>().map_err(Failure::failed)?;
    let different: BTreeSet<u32> = pids.iter().copied().collect();
    let all_were_there = different.iter().all(|pid| workers.contains(&pid.cast_signed()));
    let most = most_at_once(stage);
    let were = if all_were_there { "All of them were" } else { "Not all of them were" };
    Ok(Saw::new()
        .fact("workers_before_first_task", &workers)
        .fact("pids", &different)
        .fact("tasks", pids.len())
        .fact("most_at_once", most)
        .say(format!(
            "{} tasks were done by {} processes, at most {most} at once.",
            pids.len(),
            different.len()
        ))
        .say(format!("{were} there before the first task."))
        .note("The tutorials say that adding a task makes a process: all workers are made with the pool.")
        .shown(pids.len() == 10 && different.len() <= 3 && most <= 3 && all_were_there))
}

fn queueing(stage: &Stage) -> Result<Saw, Failure> {
    let builder = Pool::builder().workers(3).capacity(6);
    let pool = builder.start(|task: u32| {
        stage.says(&format!("task {task}"), "begins");
        stage.pause(Duration::from_secs(3));
        id()
    });
    let pool = pool.map_err(Failure::failed)?;
    let (mut handles, mut waited) = (Vec::new(), Vec::new());
    let mut longest = Duration::ZERO;
    for task in 0..12 {
        let start = Instant::now();
        let handle = match pool.try_apply_async(task) {
            Err(PoolError::Full) => {
                stage.says("parent", format_args!("task {task}: the queue is full, waits for room"));
                let handle = pool.apply_async(task);
                waited.push(micros(start.elapsed()));
                handle
            }
            handle => {
                longest = longest.max(start.elapsed());
                handle
            }
        };
        handles.push(handle.map_err(Failure::failed)?);
        stage.says("parent", format_args!("task {task} given, {} wait", pool.waiting()));
    }
    let mut of_pid = BTreeMap::<u32, usize>::new();
    for handle in handles {
        *of_pid.entry(handle.get().map_err(Failure::failed)?).or_default() += 1;
    }
    let at_once = 12 - waited.len();
    let most = micros(longest);
    Ok(Saw::new()
        .fact("given_at_once", at_once)
        .fact("longest_us", most)
        .fact("waited_us", &waited)
        .fact("capacity", pool.capacity())
        .fact("tasks_of_pid", &of_pid)
        .say(format!(
            "{at_once} tasks for 3 workers were taken without waiting, {most} µs at most for each; then 6 stood in the queue, \
             which this pool has as its bound, and the parent waited {} times.",
            waited.len()
        ))
        .say(format!("All were done by {} processes, so many tasks each: {:?}.", of_pid.len(), of_pid.values()))
        .note("The queue of Python's pool has no bound: adding a task never waits there, and memory is the limit.")
        .shown(at_once >= 6 && !waited.is_empty() && of_pid.len() <= 3 && of_pid.values().sum::<usize>() == 12))
}

fn callback(stage: &Stage) -> Result<Saw, Failure> {
    let called = RefCell::new(Vec::new());
    let pool = Pool::new(2, |task: u32| {
        stage.says("task", format_args!("begins: {task}"));
        stage.pause(Duration::from_millis(200));
        if task == 0 {
            // the longest one
            until(|| stage.first_of("callback").is_some());
        }
        stage.says("task", format_args!("ends: {task}"));
        task * task
    });
    let pool = pool.map_err(Failure::failed)?;
    let calls = &called;
    for task in 0..10 {
        let called_back = move |result: &u32| {
            stage.says("callback", format_args!("{result}, the result of task {task}"));
            if calls.borrow().is_empty() {
                // the parent's time, and nobody else's
                let before = ended(stage);
                stage.pause(Duration::from_secs(1));
                until(|| ended(stage) > before);
                stage.says("slow callback", "ends");
            }
            calls.borrow_mut().push((task, *result, id()));
        };
        let failed = |e: &_| stage.says("callback", e);
        drop(pool.apply_async_with(task, called_back, failed).map_err(Failure::failed)?);
    }
    pool.close().and_then(|()| pool.join()).map_err(Failure::failed)?;
    drop(pool);
    let called = called.into_inner();
    let order: Vec<u32> = called.iter().map(|(task, ..)| *task).collect();
    let right = called.iter().all(|(task, result, _)| *result == task * task);
    let in_parent = called.iter().all(|(.., pid)| *pid == id());
    let events = stage.events();
    let between = stage.first_of("callback").zip(stage.first_of("slow callback"));
    let meanwhile = between
        .map_or(0, |(from, to)| events[from..to].iter().filter(|e| e.what.starts_with("ends")).count());
    let place = if in_parent { "in the parent" } else { "not only in the parent" };
    Ok(Saw::new()
        .fact("order", &order)
        .fact("results_right", right)
        .fact("in_parent", in_parent)
        .fact("ended_during_slow_callback", meanwhile)
        .say(format!(
            "{} callbacks ran {place}, each with what its task returned, in this order: {order:?}.",
            called.len()
        ))
        .say(format!("While the first callback took its time, {meanwhile} tasks ended."))
        .note("A slow callback holds up the parent and the callbacks after it, not the workers.")
        .shown(in_parent && right && order.len() == 10 && order.first() != Some(&0) && meanwhile > 0))
}

fn sleep(stage: &Stage) -> Result<Saw, Failure> {
    let pool = Pool::new(4, |task: u32| {
        stage.says("task", format_args!("begins: {task}"));
        stage.pause(Duration::from_secs(3));
        // (the machine may be so busy that one pause is over before another begins)
        until(|| begun(stage) >= 4);
        stage.says("task", format_args!("ends: {task}"));
    });
    let pool = pool.map_err(Failure::failed)?;
    let give = |task| pool.apply_async(task).map(drop).map_err(Failure::failed);
    (0..5).try_for_each(give)?;
    until(|| begun(stage) >= 4);
    let begun_before_close = begun(stage);
    give(5)?;
    stage.says("parent", "one task more, and close");
    let workers = pool.pids().len();
    pool.close().map_err(Failure::failed)?;
    let refused = pool.apply_async(6).err().map(|e| e.to_string());
    pool.join().map_err(Failure::failed)?;
    stage.says("parent", "all is done");
    let events = stage.events();
    let place = |what: &str| events.iter().position(|event| event.what.starts_with(what));
    let fifth_waited = place("begins: 4") > place("ends");
    let (most, cpus) = (most_at_once(stage), usable_cpus());
    let fifth = if fifth_waited { "after another one had ended" } else { "before any had ended" };
    Ok(Saw::new()
        .fact("begun_before_close", begun_before_close)
        .fact("most_at_once", most)
        .fact("usable_cpus", cpus)
        .fact("fifth_waited", fifth_waited)
        .fact("tasks_ended", ended(stage))
        .fact("workers", workers)
        .fact("refused_after_close", &refused)
        .say(format!("{begun_before_close} tasks had begun before close."))
        .say(format!("{most} ran at once, with {} to use. The fifth began {fifth}.", plural(cpus as u64, "CPU")))
        .say(format!(
            "One more task was added later; after close the next one was {}. The workers stayed {workers}.",
            if refused.is_some() { "refused" } else { "taken, too" }
        ))
        .note("The tutorials say that tasks begin at close, and no more at once than there are CPUs. They begin when they are added, and one that sleeps needs no CPU.")
        .shown(begun_before_close >= 4 && most == 4 && fifth_waited && workers == 4 && refused.is_some()))
}

fn killed(stage: &Stage) -> Result<Saw, Failure> {
    let pool = Pool::new(3, |task: u32| {
        stage.says(&format!("task {task}"), "begins");
        if task == 2 {
            std::thread::sleep(LIMIT);
        }
        task
    });
    let pool = pool.map_err(Failure::failed)?;
    let before = pool.pids();
    let tasks: Vec<_> =
        (0..6).map(|task| pool.apply_async(task)).collect::<Result<_, _>>().map_err(Failure::failed)?;
    until(|| stage.first_of("task 2").is_some());
    let events = stage.events();
    let victim = events.iter().find(|event| event.who == "task 2").map_or(0, |event| event.pid.cast_signed());
    // (0 would be this process's group)
    if before.contains(&victim) {
        kill(Pid::from_raw(victim), Signal::SIGKILL).map_err(Failure::failed)?;
        stage.says("parent", format_args!("kills {victim}, which has task 2"));
    }
    let (mut done, mut errors) = (Vec::new(), Vec::new());
    for task in tasks {
        match task.get() {
            Ok(task) => done.push(task),
            Err(e) => errors.push(e.to_string()),
        }
    }
    let after = pool.pids();
    let new = after.iter().filter(|pid| !before.contains(pid)).count();
    stage.says("parent", format_args!("had {before:?}, has {after:?}"));
    Ok(Saw::new()
        .fact("done", &done)
        .fact("errors", &errors)
        .fact("killed", victim)
        .fact("workers_before", &before)
        .fact("workers_after", &after)
        .say(format!("{} of 6 tasks were done; the others ended with {errors:?}.", done.len()))
        .say(format!("The pool has {} workers again, {new} of them new.", after.len()))
        .note("In Python waiting for the task of a killed worker never ends.")
        .shown(
            errors == ["worker died by signal 9"] && done == [0, 1, 3, 4, 5] && after.len() == 3 && new == 1,
        ))
}

fn close(stage: &Stage) -> Result<Saw, Failure> {
    let pool = Pool::new(2, |task: u32| {
        stage.pause(Duration::from_millis(500));
        task
    });
    let pool = pool.map_err(Failure::failed)?;
    let task = pool.apply_async(7).map_err(Failure::failed)?;
    let told = |what: &str, outcome: Result<(), String>| {
        let text = outcome.err();
        stage.says("parent", format_args!("{what}: {}", text.as_deref().unwrap_or("done")));
        text
    };
    let early = told("join before close", pool.join().map_err(|e| e.to_string()));
    let closed = told("close", pool.close().map_err(|e| e.to_string()));
    let late = told("a task after close", pool.apply_async(8).map(drop).map_err(|e| e.to_string()));
    let joined = told("join", pool.join().map_err(|e| e.to_string()));
    let result = task.get().map_err(Failure::failed)?;
    let shown = early.is_some() && late.is_some() && closed.is_none() && joined.is_none() && result == 7;
    let one = |text: &Option<String>| text.clone().unwrap_or_else(|| "no error".to_owned());
    Ok(Saw::new()
        .say(format!("join before close: \"{}\". A task after close: \"{}\".", one(&early), one(&late)))
        .say(format!("The task that was given before was done all the same, and gave {result}."))
        .fact("join_before_close", early)
        .fact("task_after_close", late)
        .fact("result", result)
        .fact("left", pool.pids().len())
        .shown(shown))
}

fn unjoined(stage: &Stage) -> Result<Saw, Failure> {
    let child = Builder::new().name("unjoined").pass(stage.descriptor()).spawn(UNJOINED, &stage.note());
    let code = child.and_then(|child| child.join(None)).map_err(Failure::failed)?;
    stage.says("parent", "the other program has ended");
    let events = stage.events();
    let workers: Vec<u32> = events.iter().filter(|e| e.who == "worker").map(|e| e.pid).collect();
    let count = |what: &str| events.iter().filter(|event| event.what.starts_with(what)).count();
    let (given, done) = (count("given"), count("ends"));
    let left = workers.iter().filter(|pid| std::fs::exists(format!("/proc/{pid}")).unwrap_or(true)).count();
    Ok(Saw::new()
        .fact("exit_code", code)
        .fact("given", given)
        .fact("begun", count("begins"))
        .fact("done", done)
        .fact("workers_left", left)
        .say(format!("Of {given} tasks, {done} were done; {left} of the {} workers are left.", workers.iter().collect::<BTreeSet<_>>().len()))
        .note("The pool ends with the function that has it, and takes its workers along: who wants the work joins first.")
        .shown(code == Some(0) && given == 4 && done < given && left == 0))
}

/// The program that does not join, for [`unjoined`].
pub(crate) fn leaves_without_join(inherited: Inherited) -> i32 {
    let leave = || -> Option<()> {
        let note: StageNote = inherited.arguments().ok()?;
        let stage = &Stage::inherited(note, inherited.descriptors.into_iter().next()?);
        let pool = Pool::new(2, |task: u32| {
            stage.says("worker", format_args!("begins: {task}"));
            stage.pause(Duration::from_secs(3));
            stage.says("worker", format_args!("ends: {task}"));
        });
        let pool = pool.ok()?;
        for task in 0..4 {
            pool.apply_async(task).ok()?;
            stage.says("main", format_args!("given: {task}"));
        }
        until(|| begun(stage) >= 1);
        stage.says("main", "returns, without join");
        Some(())
    };
    i32::from(leave().is_none())
}

/// Waits until it is so, at most [`LIMIT`].
fn until(is_so: impl Fn() -> bool) {
    let end = Instant::now() + LIMIT;
    while !is_so() && Instant::now() < end {
        std::thread::sleep(Duration::from_millis(1));
    }
}

fn begun(stage: &Stage) -> usize {
    stage.events().iter().filter(|event| event.what.starts_with("begins")).count()
}

fn ended(stage: &Stage) -> usize {
    stage.events().iter().filter(|event| event.what.starts_with("ends")).count()
}

/// How many tasks had begun and not ended, at most.
fn most_at_once(stage: &Stage) -> usize {
    let (mut now, mut most) = (0_usize, 0);
    for event in stage.events() {
        match event.what.split(':').next() {
            Some("begins") => now += 1,
            Some("ends") => now = now.saturating_sub(1),
            _ => {}
        }
        most = most.max(now);
    }
    most
}

fn micros(span: Duration) -> u64 {
    u64::try_from(span.as_micros()).unwrap_or(u64::MAX)
}

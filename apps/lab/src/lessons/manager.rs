//! A manager: a process that has dicts, lists, queues and locks for others.

use std::process::id;
use std::time::Duration;

use common::exit::Failure;
use common::process::{Builder, Process, usable_cpus};
use serde::{Deserialize, Serialize};

use crate::lesson::{Example, Lesson, Saw};
use crate::mp::manager::{Error, ManagedQueue, Manager};
use crate::mp::pool::Pool;
use crate::stage::Stage;

pub(crate) const LESSON: Lesson = Lesson {
    name: "manager",
    title: "a manager: a process that has dicts, lists, queues and locks for others",
    about: "Processes share no memory. A manager is a process that keeps objects for others: each call of one of their proxies is a \
            question to it and its answer. Proxies can be sent to any process, to the workers of a pool for example.",
    look_for: "What is there before the writers have ended. What two calls of two processes do to each other. That a reader \
               ends because the queue has ended, not because some time has passed.",
    file: "apps/lab/src/lessons/manager.rs",
    examples: &[
        Example {
            name: "shared",
            about: "five processes write to a dict and a list",
            rows: &[16],
            run: shared,
        },
        Example {
            name: "lost-update",
            about: "each call is whole, two calls are not",
            rows: &[16],
            run: lost_update,
        },
        Example { name: "queue", about: "a pool writes to a queue, then reads it", rows: &[6], run: queue },
        Example {
            name: "pool-queue",
            about: "writer and reader in a pool at the same time",
            rows: &[45],
            run: pool_queue,
        },
    ],
};

/// Longer than any of these calls takes, however busy the machine is.
const LIMIT: Duration = Duration::from_secs(60);

fn shared(stage: &Stage) -> Result<Saw, Failure> {
    let manager = Manager::start()?;
    let dict = manager.dict::<String, String>().map_err(Failure::failed)?;
    let list = manager.list::<u32>().map_err(Failure::failed)?;
    let written = manager.queue::<()>().map_err(Failure::failed)?;
    let go = manager.queue::<()>().map_err(Failure::failed)?;
    let run = || {
        dict.set(&"name".to_owned(), &"sober".to_owned())?;
        dict.set(&"workdata".to_owned(), &"2018-05-09".to_owned())?;
        list.append(&id())?;
        stage.says("child", format_args!("the list is {:?}", list.to_vec()?));
        written.put(&())?;
        go.get_within(LIMIT)
    };
    let children: Vec<Process> = (0..5).map(|_| Builder::new().fork(run)).collect::<Result<_, _>>()?;
    (0..5).try_for_each(|_| written.get_within(LIMIT)).map_err(Failure::failed)?;
    let values = list.to_vec().map_err(Failure::failed)?;
    let items = dict.items().map_err(Failure::failed)?;
    let alive = children.iter().filter(|child| child.is_alive()).count();
    stage.says("parent", format_args!("{alive} children run; here are {items:?} and {values:?}"));
    (0..5).try_for_each(|_| go.put(&())).map_err(Failure::failed)?;
    let codes = exit_codes(&children)?;
    let all_were_there = children.iter().all(|child| values.contains(&child.pid().cast_unsigned()));
    Ok(Saw::new()
        .fact("dict", &items)
        .fact("list", &values)
        .fact("alive_when_read", alive)
        .fact("manager_pid", manager.pid())
        .fact("exit_codes", &codes)
        .say(format!(
            "The parent read {} numbers from the list while {alive} of the 5 writers had not ended.",
            values.len()
        ))
        .say(format!("The manager that has the dict and the list is process {}.", manager.pid()))
        .note("The tutorials say that the objects are copied to the children, and merged when all have ended. They are in one place, and each call asks for them there.")
        .shown(all_were_there && values.len() == 5 && alive == 5 && items.len() == 2 && codes == [Some(0); 5]))
}

fn lost_update(stage: &Stage) -> Result<Saw, Failure> {
    let manager = Manager::start()?;
    let counts = manager.dict::<String, u32>().map_err(Failure::failed)?;
    let lock = manager.lock().map_err(Failure::failed)?;
    let has_read = manager.queue::<()>().map_err(Failure::failed)?;
    let go = manager.queue::<()>().map_err(Failure::failed)?;
    let count = |name: &str, between: &dyn Fn() -> Result<(), Error>| {
        let read = counts.get(&name.to_owned())?.unwrap_or(0);
        stage.says("child", format_args!("reads {read} ({name})"));
        between()?;
        stage.says("child", format_args!("writes {} ({name})", read + 1));
        counts.set(&name.to_owned(), &(read + 1))
    };
    // the worst case, made certain: both read, and then both write
    let unlocked = || count("unlocked", &|| has_read.put(&()).and_then(|()| go.get_within(LIMIT)));
    let children = [Builder::new().fork(unlocked)?, Builder::new().fork(unlocked)?];
    (0..2).try_for_each(|_| has_read.get_within(LIMIT)).map_err(Failure::failed)?;
    (0..2).try_for_each(|_| go.put(&())).map_err(Failure::failed)?;
    let mut codes = exit_codes(&children)?;
    let locked = || {
        let _held = lock.acquire(LIMIT)?;
        count("locked", &|| Ok(()))
    };
    let children = [Builder::new().fork(locked)?, Builder::new().fork(locked)?];
    codes.extend(exit_codes(&children)?);
    let value =
        |name: &str| counts.get(&name.to_owned()).map(Option::unwrap_or_default).map_err(Failure::failed);
    let (unlocked, locked) = (value("unlocked")?, value("locked")?);
    Ok(Saw::new()
        .fact("unlocked", unlocked)
        .fact("locked", locked)
        .fact("exit_codes", &codes)
        .say(format!(
            "Two processes added 1 to 0, and the dict had {unlocked}{}.",
            if unlocked < 2 { ": one update was lost" } else { "" }
        ))
        .say(format!("With the manager's lock around both calls it had {locked}."))
        .note("Without the lock both read before either writes. (Here the example makes sure of that; elsewhere it happens now and then.) Each call is whole; what stands between two calls is not protected.")
        .shown(unlocked == 1 && locked == 2 && codes == [Some(0); 4]))
}

/// What the workers of a pool are asked for; the proxy of the queue goes with it.
#[derive(Serialize, Deserialize)]
enum Task {
    Write(ManagedQueue<String>, Vec<String>),
    /// To the end of the queue.
    ReadAll(ManagedQueue<String>),
}

/// Does it; gives what was read or written.
fn work(stage: &Stage, task: Task) -> Result<Vec<String>, String> {
    let failed = |e: Error| e.to_string();
    match task {
        Task::Write(queue, messages) => {
            for message in &messages {
                stage.says("writer", format_args!("puts {message}"));
                queue.put_within(message, LIMIT).map_err(failed)?;
            }
            queue.close().map_err(failed)?;
            stage.says("writer", "has written all");
            Ok(messages)
        }
        Task::ReadAll(queue) => {
            let mut read = Vec::new();
            loop {
                match queue.get_within(LIMIT) {
                    Ok(message) => {
                        stage.says("reader", format_args!("got {message}"));
                        read.push(message);
                    }
                    Err(Error::Ended) => break,
                    Err(other) => return Err(failed(other)),
                }
            }
            stage.says("reader", "has read all");
            Ok(read)
        }
    }
}

fn queue(stage: &Stage) -> Result<Saw, Failure> {
    let manager = Manager::start()?;
    let queue = manager.queue().map_err(Failure::failed)?;
    let pool = Pool::new(2, |task| work(stage, task)).map_err(Failure::failed)?;
    let messages = ["1", "2", "3"].map(str::to_owned).to_vec();
    let written = pool.apply(Task::Write(queue.clone(), messages)).map_err(Failure::failed)?;
    stage.says("parent", "the writer's apply is back");
    let read = pool.apply(Task::ReadAll(queue)).map_err(Failure::failed)?.map_err(Failure::failed)?;
    pool.close().and_then(|()| pool.join()).map_err(Failure::failed)?;
    stage.says("parent", "goes on");
    let written = written.map_err(Failure::failed)?;
    let one_by_one = stage.last_of("writer") < stage.first_of("parent")
        && stage.first_of("parent") < stage.first_of("reader");
    let how = if one_by_one { "only after" } else { "before" };
    Ok(Saw::new()
        .fact("written", &written)
        .fact("read", &read)
        .fact("one_by_one", one_by_one)
        .say(format!("The reader began {how} the writer had ended, though the pool has two workers."))
        .say(format!("The queue went to the workers as an argument; the reader got {}.", read.join(" ")))
        .note("Apply waits for the result. What is to run at the same time is given with apply_async.")
        .shown(one_by_one && read == written && read.len() == 3))
}

fn pool_queue(stage: &Stage) -> Result<Saw, Failure> {
    let manager = Manager::start()?;
    let queue = manager.queue().map_err(Failure::failed)?;
    let pool = Pool::builder().start(|task| work(stage, task)).map_err(Failure::failed)?;
    let (workers, cpus) = (pool.workers(), usable_cpus());
    stage.says("parent", format_args!("start: {workers} workers, {cpus} CPUs to use"));
    let letters = "itcast".chars().map(String::from).collect();
    let writer = pool.apply_async(Task::Write(queue.clone(), letters)).map_err(Failure::failed)?;
    // no pause: the reader waits for letters, and for their end
    let reader = pool.apply_async(Task::ReadAll(queue)).map_err(Failure::failed)?;
    pool.close().and_then(|()| pool.join()).map_err(Failure::failed)?;
    let written = writer.get().map_err(Failure::failed)?.map_err(Failure::failed)?.concat();
    let read = reader.get().map_err(Failure::failed)?.map_err(Failure::failed)?.concat();
    stage.says("parent", "end");
    Ok(Saw::new()
        .fact("workers", workers)
        .fact("usable_cpus", cpus)
        .fact("written", &written)
        .fact("read", &read)
        .say(format!("The reader got \"{read}\" of \"{written}\", and nobody slept to give the writer time."))
        .say(format!("A pool that is not told a size has {workers} workers here, where {cpus} CPUs may be used."))
        .note("The reader ends when the writer has closed the queue. How long a queue is says nothing of what is still to come.")
        .shown(read == "itcast" && read == written && workers == cpus))
}

fn exit_codes(children: &[Process]) -> Result<Vec<Option<i32>>, Failure> {
    Ok(children.iter().map(|child| child.join(Some(LIMIT))).collect::<Result<_, _>>()?)
}

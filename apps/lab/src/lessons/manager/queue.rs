//! A manager's queue goes to the workers of a pool, as an argument.

use common::exit::Failure;
use common::process::usable_cpus;
use serde::{Deserialize, Serialize};

use super::LIMIT;
use crate::lesson::{Example, Saw};
use crate::mp::manager::{Error, ManagedQueue, Manager};
use crate::mp::pool::Pool;
use crate::stage::Stage;

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

pub(super) const QUEUE: Example =
    Example::new("queue", "a pool writes to a queue, then reads it", &[6], queue);

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

pub(super) const POOL_QUEUE: Example =
    Example::new("pool-queue", "writer and reader in a pool at the same time", &[45], pool_queue);

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

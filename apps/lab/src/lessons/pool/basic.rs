//! A few workers for many tasks.

use std::collections::BTreeSet;
use std::process::id;
use std::time::Duration;

use common::exit::Failure;

use crate::lesson::{Example, Saw};
use crate::mp::pool::{Handle, Pool};
use crate::stage::Stage;

pub(super) const BASIC: Example = Example::new("basic", "three workers for ten tasks", &[3], basic);

fn basic(stage: &Stage) -> Result<Saw, Failure> {
    let pool = Pool::new(3, |(name, age): (String, u32)| {
        let begun = stage.clock_us();
        stage.says("task", format_args!("name {name}, age {age}"));
        stage.pause(Duration::from_millis(500));
        (id(), [begun, stage.clock_us()])
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
    let done: Vec<(u32, [u64; 2])> =
        tasks.into_iter().map(Handle::get).collect::<Result<_, _>>().map_err(Failure::failed)?;
    let pids: BTreeSet<u32> = done.iter().map(|(pid, _)| *pid).collect();
    let all_were_there = pids.iter().all(|pid| workers.contains(&pid.cast_signed()));
    let at_work = |moment: u64| done.iter().filter(|(_, [from, to])| (*from..*to).contains(&moment)).count();
    let most = done.iter().map(|(_, [from, _])| at_work(*from)).max().unwrap_or(0);
    let were = if all_were_there { "All of them were" } else { "Not all of them were" };
    Ok(Saw::new()
        .fact("workers_before_first_task", &workers)
        .fact("pids", &pids)
        .fact("tasks", done.len())
        .fact("most_at_once", most)
        .say(format!("{} tasks were done by {} processes, at most {most} at once.", done.len(), pids.len()))
        .say(format!("{were} there before the first task."))
        .note("The tutorials say that adding a task makes a process: all workers are made with the pool.")
        .shown(done.len() == 10 && pids.len() <= 3 && most <= 3 && all_were_there))
}

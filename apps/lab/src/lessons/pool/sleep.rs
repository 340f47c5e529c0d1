//! From when to when a pool takes tasks, and when it does them.

use std::time::Duration;

use common::exit::Failure;
use common::process::usable_cpus;
use common::units::plural;

use super::{begun, ended, until};
use crate::lesson::{Example, Saw};
use crate::mp::pool::Pool;
use crate::stage::Stage;

pub(super) const SLEEP: Example =
    Example::new("sleep", "when tasks begin, and how many at once", &[47], sleep);

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

pub(super) const CLOSE: Example =
    Example::new("close", "close comes before join, and after the last task", &[47], close);

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

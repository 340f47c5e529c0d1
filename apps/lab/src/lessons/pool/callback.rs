//! The parent is called back with each result.

use std::cell::RefCell;
use std::process::id;
use std::time::Duration;

use common::exit::Failure;

use super::{ended, until};
use crate::lesson::{Example, Saw};
use crate::mp::pool::Pool;
use crate::stage::Stage;

const TASKS: u32 = 6;

pub(super) const CALLBACK: Example =
    Example::new("callback", "the parent is called back with each result", &[17], callback);

fn callback(stage: &Stage) -> Result<Saw, Failure> {
    let called = RefCell::new(Vec::new());
    let pool = Pool::new(2, |task: u32| {
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
    for task in 0..TASKS {
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
        .shown(
            in_parent && right && order.len() == TASKS as usize && order.first() != Some(&0) && meanwhile > 0,
        ))
}

//! A worker is killed in the middle of its task.

use common::exit::Failure;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::{LIMIT, until};
use crate::lesson::{Example, Saw};
use crate::mp::pool::Pool;
use crate::stage::Stage;

pub(super) const KILLED: Example =
    Example::new("killed", "a worker is killed in the middle of its task", &[44], killed);

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

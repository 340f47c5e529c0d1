//! Who leaves without join loses the work.

use std::collections::BTreeSet;
use std::time::Duration;

use common::exit::Failure;
use common::process::{Builder, Inherited};

use super::{begun, until};
use crate::lesson::{Example, Saw};
use crate::mp::pool::Pool;
use crate::stage::{Stage, StageNote};

/// The name under which the program is spawned for [`spawned`].
pub(crate) const ENTRY: &str = "pool-unjoined";

pub(super) const UNJOINED: Example =
    Example::new("unjoined", "who leaves without join loses the work", &[3], unjoined);

fn unjoined(stage: &Stage) -> Result<Saw, Failure> {
    let child = Builder::new().name("unjoined").pass(stage.descriptor()).spawn(ENTRY, &stage.note());
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

/// The program that does not join.
pub(crate) fn spawned(inherited: Inherited) -> i32 {
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

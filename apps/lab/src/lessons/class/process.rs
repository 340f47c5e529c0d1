//! The object is run by a process, to its end or until somebody ends it.

use std::time::Duration;

use common::exit::Failure;
use common::process::{Builder, Process};

use super::{Run, Speaker};
use crate::lesson::{Example, Saw};
use crate::stage::Stage;

/// How often the tutorials' process speaks.
const ROUNDS: usize = 5;
/// A child that never ends is ended after so many lines of it, or of its parent if it stays silent.
const ENOUGH: usize = 3;
const PATIENCE: usize = 200;

/// Starts a process that runs it. Its default name is `Process-N`. It is a daemon: one that never ends must not outlive this program.
fn start_a_process(object: &mut dyn Run) -> Result<Process, Failure> {
    Ok(Builder::new().daemon(true).fork(|| object.run())?)
}

pub(super) const PROCESS: Example =
    Example::new("process", "the same object is run by a process", &[11], by_a_process);

fn by_a_process(stage: &Stage) -> Result<Saw, Failure> {
    let mut speaker = Speaker::new(stage, ROUNDS);
    let child = start_a_process(&mut speaker)?;
    let code = child.join(None)?;
    stage.says("main", format_args!("my object has counted {}", speaker.spoken));
    let lines = lines_of(stage, &child);
    Ok(Saw::new()
        .fact("name", child.name())
        .fact("lines", lines)
        .fact("counted_by_mains_object", speaker.spoken)
        .fact("exit_code", code)
        .say(format!(
            "{} spoke {lines} times; afterwards main's own object had counted {}.",
            child.name(),
            speaker.spoken
        ))
        .note("The child had a copy of the object. What is to come back has to be sent: queue/process, pipe/duplex.")
        .shown(code == Some(0) && lines == ROUNDS && speaker.spoken == 0))
}

pub(super) const LOOP: Example =
    Example::new("loop", "an object that never comes to an end, and is ended", &[40], without_end);

fn without_end(stage: &Stage) -> Result<Saw, Failure> {
    let child = start_a_process(&mut Speaker::new(stage, usize::MAX))?;
    let mut rounds = 0;
    while lines_of(stage, &child) < ENOUGH && rounds < PATIENCE {
        rounds += 1;
        stage.says("main", "---Main---");
        stage.pause(Duration::from_secs(1));
    }
    let alive = child.is_alive();
    child.terminate()?;
    let code = child.join(None)?;
    let lines = lines_of(stage, &child);
    let ended_by = match code {
        Some(-15) => "signal 15 ended it".to_owned(),
        other => format!("its exit code was {other:?}"),
    };
    stage.says("main", format_args!("{} is ended: {ended_by}", child.name()));
    Ok(Saw::new()
        .fact("lines", lines)
        .fact("alive_before", alive)
        .fact("exit_code", code)
        .say(format!(
            "{} had spoken {lines} times while main spoke {rounds} times; then {ended_by}.",
            child.name()
        ))
        .note("Nothing in such an object comes to an end: in the tutorials somebody has to press Ctrl-C.")
        .shown(alive && code == Some(-15) && lines >= ENOUGH))
}

/// How often this child has spoken.
fn lines_of(stage: &Stage, child: &Process) -> usize {
    stage.events().iter().filter(|event| i32::try_from(event.pid) == Ok(child.pid())).count()
}

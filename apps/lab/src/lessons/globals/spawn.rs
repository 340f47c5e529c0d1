//! A forked process goes on with what its parent made of the global; a spawned one begins anew.

use std::io::{self, pipe};
use std::os::fd::AsFd;
use std::sync::atomic::Ordering;

use common::exit::Failure;
use common::process::{Builder, ExitValue, Inherited};

use super::process::{in_a_fork, read, tell};
use super::{AGE, INITIAL, facts, grow, look};
use crate::lesson::{Example, Saw};
use crate::stage::{Stage, StageNote};

/// What a parent makes of it before it starts children.
const CHANGED: u32 = 40;
/// The name under which the program is spawned for [`spawned`].
pub(crate) const ENTRY: &str = "globals";

pub(super) const SPAWN: Example = Example::new(
    "spawn",
    "a forked process has what the parent made of it, a spawned one begins anew",
    &[4],
    in_a_spawned_process,
);

fn in_a_spawned_process(stage: &Stage) -> Result<Saw, Failure> {
    AGE.store(CHANGED, Ordering::Relaxed);
    look(stage, "parent");
    let forked = in_a_fork(stage)?;
    let (answer, write) = pipe()?;
    let child = Builder::new().pass(stage.descriptor()).pass(write.as_fd()).spawn(ENTRY, &stage.note())?;
    drop(write);
    let spawned = read(answer)?;
    child.join(None)?;
    let ours = look(stage, "parent");
    Ok(facts("parent", ours, "spawned", spawned)
        .fact("forked_age", forked.age)
        .say(format!("The parent had made it {}, and the forked child made that {}.", ours.age, forked.age))
        .say(format!(
            "The spawned one, which adds 1 as well, came to {}.",
            spawned.age
        ))
        .note("A forked child goes on with its parent's value. A spawned one is the program anew, which begins with 22.")
        .shown(ours.age == CHANGED && forked.age == CHANGED + 1 && spawned.age == INITIAL + 1))
}

/// What a spawned child makes of it: its whole program.
pub(crate) fn spawned(inherited: Inherited) -> i32 {
    program(inherited).exit_code()
}

fn program(mut inherited: Inherited) -> io::Result<()> {
    let note: StageNote = inherited.arguments()?;
    let missing = || io::Error::other("the stage and the pipe were not passed");
    let write = inherited.descriptors.pop().ok_or_else(missing)?;
    let stage = Stage::inherited(note, inherited.descriptors.pop().ok_or_else(missing)?);
    tell(write.into(), grow(&stage, "spawned child"))
}

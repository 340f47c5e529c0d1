//! A forked process changes its copy.

use std::io::{self, PipeReader, PipeWriter, Read, Write, pipe};
use std::sync::atomic::Ordering;

use common::exit::Failure;
use common::process::Builder;

use super::{AGE, INITIAL, Seen, facts, grow, look};
use crate::lesson::{Example, Saw};
use crate::stage::Stage;

pub(super) const PROCESS: Example =
    Example::new("process", "a forked process changes its copy", &[4, 7, 42], in_a_process);

fn in_a_process(stage: &Stage) -> Result<Saw, Failure> {
    AGE.store(INITIAL, Ordering::Relaxed);
    look(stage, "parent");
    let theirs = in_a_fork(stage)?;
    let ours = look(stage, "parent");
    let same_address = theirs.address == ours.address;
    let place = if same_address { "both at the same address" } else { "at different addresses" };
    Ok(facts("parent", ours, "child", theirs)
        .say(format!("The child has {}, the parent {}, {place}.", theirs.age, ours.age))
        .note("An address is a place in one process's memory, and the child has a copy of its parent's.")
        .shown(same_address && ours.age == INITIAL && theirs.age == INITIAL + 1))
}

/// What a forked child makes of it.
pub(super) fn in_a_fork(stage: &Stage) -> io::Result<Seen> {
    let (answer, write) = pipe()?;
    // (what a child's function owns, its parent has no more: nobody else can write into the pipe)
    let child = Builder::new().fork(move || tell(write, grow(stage, "forked child")))?;
    let seen = read(answer)?;
    child.join(None)?;
    Ok(seen)
}

pub(super) fn tell(mut pipe: PipeWriter, seen: Seen) -> io::Result<()> {
    pipe.write_all(&serde_json::to_vec(&seen)?)
}

/// To the end: until the one who tells has closed the pipe, or is gone.
pub(super) fn read(mut pipe: PipeReader) -> io::Result<Seen> {
    let mut told = Vec::new();
    pipe.read_to_end(&mut told)?;
    Ok(serde_json::from_slice(&told)?)
}

//! A global variable: one for all threads, and one for each process.

use std::io::{self, PipeReader, PipeWriter, Read, Write, pipe};
use std::os::fd::AsFd;
use std::ptr;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;

use common::exit::Failure;
use common::process::{Builder, ExitValue, Inherited};
use serde::{Deserialize, Serialize};

use crate::lesson::{Example, Lesson, Saw};
use crate::stage::{Stage, StageNote};

/// The global begins with this, as in the tutorials.
const INITIAL: u32 = 22;
/// What a parent makes of it before it starts children.
const CHANGED: u32 = 40;
static AGE: AtomicU32 = AtomicU32::new(INITIAL);
/// The name under which the program is spawned for [`spawned`].
pub(crate) const ENTRY: &str = "globals";

pub(crate) const LESSON: Lesson = Lesson {
    name: "globals",
    title: "a global variable: one for all threads, and one for each process",
    about: "The threads of a process have the same memory. A forked process begins with a copy of its parent's, a spawned one \
            with what the program starts with; from then on each changes its own.",
    look_for: "The values, and the addresses beside them: the same address in two processes is not the same memory.",
    file: "apps/lab/src/lessons/globals.rs",
    examples: &[
        Example {
            name: "thread",
            about: "a thread changes the global of all",
            rows: &[4, 7, 27],
            run: in_a_thread,
        },
        Example {
            name: "process",
            about: "a forked process changes its copy",
            rows: &[4, 7, 42],
            run: in_a_process,
        },
        Example {
            name: "spawn",
            about: "a forked process has what the parent made of it, a spawned one begins anew",
            rows: &[4],
            run: in_a_spawned_process,
        },
    ],
};

/// The global, as somebody sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Seen {
    age: u32,
    address: usize,
}

fn look(stage: &Stage, who: &str) -> Seen {
    let seen = Seen { age: AGE.load(Ordering::Relaxed), address: ptr::from_ref(&AGE).addr() };
    stage.says(who, format_args!("age {} at {:#x}", seen.age, seen.address));
    seen
}

/// A year later.
fn grow(stage: &Stage, who: &str) -> Seen {
    AGE.fetch_add(1, Ordering::Relaxed);
    look(stage, who)
}

fn in_a_thread(stage: &Stage) -> Result<Saw, Failure> {
    AGE.store(INITIAL, Ordering::Relaxed);
    look(stage, "main");
    let theirs = thread::scope(|threads| {
        let thread = thread::Builder::new().spawn_scoped(threads, || grow(stage, "thread"))?;
        thread.join().map_err(|_| Failure::failed("the thread panicked"))
    })?;
    let ours = look(stage, "main");
    let place = if theirs.address == ours.address { "the same address" } else { "another address" };
    Ok(facts("main", ours, "thread", theirs)
        .say(format!("The thread made it {}, and main sees {} at {place}.", theirs.age, ours.age))
        .note("Nothing was sent: both have the same memory. (When both change it at once, see race/lost.)")
        .shown(theirs == ours && ours.age == INITIAL + 1))
}

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

/// What a forked child makes of it.
fn in_a_fork(stage: &Stage) -> io::Result<Seen> {
    let (answer, write) = pipe()?;
    // (what a child's function owns, its parent has no more: nobody else can write into the pipe)
    let child = Builder::new().fork(move || tell(write, grow(stage, "forked child")))?;
    let seen = read(answer)?;
    child.join(None)?;
    Ok(seen)
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

fn tell(mut pipe: PipeWriter, seen: Seen) -> io::Result<()> {
    pipe.write_all(&serde_json::to_vec(&seen)?)
}

/// To the end: until the one who tells has closed the pipe, or is gone.
fn read(mut pipe: PipeReader) -> io::Result<Seen> {
    let mut told = Vec::new();
    pipe.read_to_end(&mut told)?;
    Ok(serde_json::from_slice(&told)?)
}

fn facts(our_name: &str, ours: Seen, their_name: &str, theirs: Seen) -> Saw {
    Saw::new()
        .fact(&format!("{our_name}_age"), ours.age)
        .fact(&format!("{their_name}_age"), theirs.age)
        .fact("same_address", ours.address == theirs.address)
}

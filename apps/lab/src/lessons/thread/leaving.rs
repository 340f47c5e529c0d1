//! What becomes of a thread when `main` returns: each example has a program of its own to watch.

use std::io;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use common::exit::Failure;
use common::process::{Builder, ExitValue, Inherited};
use serde::{Deserialize, Serialize};

use crate::lesson::{Example, Saw};
use crate::stage::{Stage, StageNote};

/// The name under which the program is spawned for [`spawned`].
pub(crate) const ENTRY: &str = "thread";
/// What the thread says when it has done its work.
const DONE: &str = "my work is done";
/// The work of a thread that nobody waits for: longer than anybody would.
const LONG: Duration = Duration::from_secs(600);
/// The program ends before this is over, however busy the machine is.
const LIMIT: Duration = Duration::from_secs(60);

/// What the program is to do.
#[derive(Serialize, Deserialize)]
struct Orders {
    stage: StageNote,
    joins: bool,
    work: Duration,
}

pub(super) const JOINED: Example = Example::new("joined", "main waits for its thread", &[18, 19], joined);

fn joined(stage: &Stage) -> Result<Saw, Failure> {
    let (code, done) = watch(stage, true, stage.paced(Duration::from_secs(2)))?;
    let what = if done { "came" } else { "did not come" };
    let last = stage.last_of("main") > stage.last_of("thread");
    let order = if last { "after" } else { "before" };
    Ok(facts(code, done)
        .say(format!("The thread's last line {what}, and main returned {order} it, with exit code {code}."))
        .note("That was join. Python joins all threads that are no daemons by itself when the program ends; Rust does not.")
        .shown(done && last && code == 0))
}

pub(super) const NOT_JOINED: Example =
    Example::new("not-joined", "main returns while its thread works", &[18, 19], not_joined);

fn not_joined(stage: &Stage) -> Result<Saw, Failure> {
    let begun = Instant::now();
    let (code, done) = watch(stage, false, LONG)?;
    let took = begun.elapsed();
    let what = if done { "came all the same" } else { "never came" };
    Ok(facts(code, done)
        .fact("took_ms", took.as_millis())
        .say(format!(
            "The thread had {} s of work before it; the program ended after {:.3} s, with exit code {code}.",
            LONG.as_secs(),
            took.as_secs_f64()
        ))
        .say(format!("The thread's last line {what}."))
        .note("When main returns, a Rust program ends, with all of its threads. A Python program would wait for them.")
        .shown(!done && stage.first_of("thread").is_some() && code == 0))
}

/// Runs the program to its end; gives its exit code and whether its thread had done its work.
fn watch(stage: &Stage, joins: bool, work: Duration) -> Result<(i32, bool), Failure> {
    let orders = Orders { stage: stage.note(), joins, work };
    let program = Builder::new().daemon(true).pass(stage.descriptor()).spawn(ENTRY, &orders)?;
    let Some(code) = program.join(Some(LIMIT))? else {
        program.kill()?;
        return Err(Failure::failed(format!("the program had not ended after {LIMIT:?}")));
    };
    let done = stage.events().iter().any(|event| event.who == "thread" && event.what == DONE);
    Ok((code, done))
}

/// The program: its `main` starts a thread that works, and returns, with or without waiting for it.
pub(crate) fn spawned(inherited: Inherited) -> i32 {
    program(inherited).exit_code()
}

fn program(mut inherited: Inherited) -> io::Result<()> {
    let Orders { stage: note, joins, work } = inherited.arguments()?;
    let descriptor =
        inherited.descriptors.pop().ok_or_else(|| io::Error::other("the stage was not passed"))?;
    let (stage, threads) =
        (Stage::inherited(note, descriptor.try_clone()?), Stage::inherited(note, descriptor));
    let (begins, has_begun) = mpsc::sync_channel(1);
    let thread = thread::Builder::new().name("thread".into()).spawn(move || {
        threads.says("thread", "I begin");
        let _ = begins.send(());
        thread::sleep(work);
        threads.says("thread", DONE);
    })?;
    // (an error would say that the thread is gone already)
    let _ = has_begun.recv();
    if joins {
        stage.says("main", "I wait for the thread");
        thread.join().map_err(|_| io::Error::other("the thread panicked"))?;
    }
    stage.says("main", "I return");
    Ok(())
}

fn facts(exit_code: i32, thread_done: bool) -> Saw {
    Saw::new().fact("exit_code", exit_code).fact("thread_done", thread_done)
}

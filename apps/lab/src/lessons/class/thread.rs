//! The object is run by a thread.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use common::exit::Failure;

use super::{Run, Speaker};
use crate::lesson::{Example, Saw};
use crate::stage::Stage;

/// How often the tutorials' thread speaks.
const ROUNDS: usize = 3;

/// Runs it by a thread, to its end, and gives the thread's name. A thread has no name in Rust if it is given none, so the default of the
/// tutorials is made here.
fn run_by_a_thread(object: &mut (dyn Run + Send)) -> Result<String, Failure> {
    static MADE: AtomicUsize = AtomicUsize::new(0);
    let name = format!("Thread-{}", MADE.fetch_add(1, Ordering::Relaxed) + 1);
    thread::scope(|threads| {
        let thread = thread::Builder::new().name(name.clone()).spawn_scoped(threads, || object.run())?;
        thread.join().map_err(|_| Failure::failed("the thread panicked"))
    })?;
    Ok(name)
}

pub(super) const THREAD: Example =
    Example::new("thread", "the object is run by a thread", &[25], by_a_thread);

fn by_a_thread(stage: &Stage) -> Result<Saw, Failure> {
    let mut speaker = Speaker::new(stage, ROUNDS);
    let name = run_by_a_thread(&mut speaker)?;
    stage.says("main", format_args!("my object has counted {}", speaker.spoken));
    let events = stage.events();
    let lines = events.iter().filter(|event| event.who == name).count();
    let one_process = events.iter().all(|event| event.pid == std::process::id());
    Ok(Saw::new()
        .fact("name", &name)
        .fact("lines", lines)
        .fact("counted_by_mains_object", speaker.spoken)
        .fact("same_process", one_process)
        .say(format!(
            "{name} spoke {lines} times; afterwards main's own object had counted {}.",
            speaker.spoken
        ))
        .say(format!(
            "{} the same process number.",
            if one_process { "Every line has" } else { "Not all lines have" }
        ))
        .note("A thread works on main's object itself.")
        .shown(one_process && lines == ROUNDS && speaker.spoken == ROUNDS))
}

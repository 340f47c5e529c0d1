//! What a process costs, beside a thread.

use std::io;
use std::thread;
use std::time::{Duration, Instant};

use common::exit::Failure;
use common::process::Builder;

use crate::lesson::{Example, Saw};
use crate::stage::Stage;

/// So many of each are started.
const STARTS: usize = 40;

pub(super) const COST: Example =
    Example::new("cost", "what it takes to start one, beside a thread", &[7], cost);

fn cost(stage: &Stage) -> Result<Saw, Failure> {
    let threads = median(|| thread::Builder::new().spawn(|| ()).map(|thread| drop(thread.join())))?;
    let forks = median(|| Builder::new().fork(|| ())?.join(None).map(drop))?;
    let spawns = median(|| Builder::new().spawn("nothing", &())?.join(None).map(drop))?;
    for (what, time) in [("a thread", threads), ("a process by fork", forks), ("a process by spawn", spawns)]
    {
        stage.says("parent", format_args!("{what}: {:.0} µs to start it and wait for its end", micros(time)));
    }
    let ratio = |time: Duration| time.as_secs_f64() / threads.as_secs_f64().max(1e-9);
    Ok(Saw::new()
        .fact("thread_us", micros(threads))
        .fact("fork_us", micros(forks))
        .fact("spawn_us", micros(spawns))
        .say(format!("Started and waited for, the median of {STARTS}: a forked process took {:.1} times as long as a thread, a spawned one {:.0} times.", ratio(forks), ratio(spawns)))
        .note("A fork copies the list of pages, not the pages; a spawn loads the program anew."))
}

fn median(mut start: impl FnMut() -> io::Result<()>) -> io::Result<Duration> {
    let mut times = Vec::new();
    for _ in 0..STARTS {
        let before = Instant::now();
        start()?;
        times.push(before.elapsed());
    }
    times.sort();
    Ok(times[STARTS / 2])
}

fn micros(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6
}

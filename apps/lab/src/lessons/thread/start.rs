//! Threads that do the same, and threads that do different things.

use std::io;
use std::thread;
use std::time::Duration;

use common::exit::Failure;

use super::{join, named};
use crate::lesson::{Example, Saw};
use crate::stage::{Event, Stage};

/// How many students buy food, in the tutorials.
const STUDENTS: usize = 5;

pub(super) const START: Example = Example::new("start", "five threads do the same", &[18], start);

fn start(stage: &Stage) -> Result<Saw, Failure> {
    let buy = |number: usize| {
        let who = format!("student {number}");
        stage.says(&who, "buys food");
        stage.pause(Duration::from_secs(2));
        stage.says(&who, "has eaten");
    };
    let buy = &buy;
    let joined = thread::scope(|threads| {
        let student = |number| named(threads, format!("student {number}"), move || buy(number));
        let students = (0..STUDENTS).map(student).collect::<io::Result<Vec<_>>>()?;
        stage.says("main", "all are started");
        students.into_iter().map(join).collect::<Result<Vec<()>, Failure>>()
    })?;
    stage.says("main", "all are joined");
    let events = stage.events();
    let at_once = most_at_once(&events);
    let last = events.iter().rposition(|event| event.what == "has eaten");
    let one_process = events.iter().all(|event| event.pid == std::process::id());
    Ok(Saw::new()
        .fact("threads", joined.len())
        .fact("most_at_once", at_once)
        .fact("same_process", one_process)
        .say(format!("{} threads in one process; at one moment {at_once} of them were at it.", joined.len()))
        .note("A Python program waits for its threads before it ends. A Rust program does not: here main joins each one.")
        .shown(at_once > 1 && one_process && last < stage.last_of("main")))
}

/// How many were between their first and their last word at the same time.
fn most_at_once(events: &[Event]) -> usize {
    let (mut now, mut most) = (0_usize, 0);
    for event in events {
        match event.what.as_str() {
            "buys food" => now += 1,
            "has eaten" => now = now.saturating_sub(1),
            _ => {}
        }
        most = most.max(now);
    }
    most
}

pub(super) const TASKS: Example =
    Example::new("tasks", "two threads do different things at the same time", &[19], tasks);

fn tasks(stage: &Stage) -> Result<Saw, Failure> {
    let perform = |who: &str, what: &str| {
        for verse in 0..3 {
            stage.says(who, format_args!("{what} ... {verse}"));
            stage.pause(Duration::from_secs(1));
        }
    };
    thread::scope(|threads| {
        let sing = named(threads, "sing", || perform("sing", "singing"))?;
        let dance = named(threads, "dance", || perform("dance", "dancing"))?;
        stage.says("main", "--- both are started ---");
        join(sing)?;
        join(dance)
    })?;
    stage.says("main", "--- both are joined ---");
    let together =
        stage.first_of("dance") < stage.last_of("sing") && stage.first_of("sing") < stage.last_of("dance");
    let how = if together { "each spoke before the other had finished" } else { "one came after the other" };
    let main_last = stage.last_of("main") > stage.last_of("sing").max(stage.last_of("dance"));
    let end = if main_last { "after" } else { "before" };
    Ok(Saw::new()
        .fact("at_the_same_time", together)
        .say(format!("Singing and dancing: {how}. Main's last line came {end} the last verse."))
        .note("In the tutorials the line of the end comes at once, for main does not wait for its threads there.")
        .shown(together && main_last))
}

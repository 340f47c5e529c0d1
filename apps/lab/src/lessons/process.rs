//! A child process: start it, wait for it, ask how it is, end it.

use std::time::Duration;

use common::exit::Failure;
use common::process::Builder;

use crate::lesson::{Example, Lesson, Saw};
use crate::stage::Stage;

pub(crate) const LESSON: Lesson = Lesson {
    name: "process",
    title: "a child process: start it, wait for it, ask how it is, end it",
    about: "A process is started as a copy of its parent (fork) or as a program of its own (spawn). From then on both run at \
            the same time, each with memory of its own, until the parent waits for the child (join).",
    look_for: "Which line comes first and which last; the process numbers; the exit codes.",
    file: "apps/lab/src/lessons/process.rs",
    examples: &[
        Example { name: "start", about: "the child runs beside its parent", rows: &[1], run: start },
        Example { name: "join", about: "the parent waits for its child", rows: &[2], run: join },
    ],
};

/// The work of the tutorials' first child.
fn work(stage: &Stage, name: &str, age: u32, more: &[(&str, u32)]) {
    stage.says("child", format_args!("name {name}, age {age}"));
    stage.says("child", format_args!("by name: {more:?}"));
    stage.pause(Duration::from_millis(500));
    stage.says("child", "done");
}

fn start(stage: &Stage) -> Result<Saw, Failure> {
    let child =
        Builder::new().fork(|| work(stage, "kurong", 18, &[("abc", 123)])).map_err(Failure::failed)?;
    stage.says("parent", "goes on at once");
    let code = child.join(None).map_err(Failure::failed)?;
    let before_its_end = stage.first_of("parent") < stage.last_of("child");
    let order = if before_its_end { "before" } else { "after" };
    Ok(Saw::new()
        .fact("exit_code", code)
        .fact("parent_line_before_child_end", before_its_end)
        .say(format!(
            "The parent's line came {order} the child's last one: starting a process does not wait for it."
        ))
        .say("The arguments were simply there: a forked child has a copy of its parent's memory.")
        .shown(before_its_end && code == Some(0)))
}

fn join(stage: &Stage) -> Result<Saw, Failure> {
    let child =
        Builder::new().fork(|| work(stage, "kurong", 18, &[("abc", 123)])).map_err(Failure::failed)?;
    let code = child.join(None).map_err(Failure::failed)?;
    stage.says("parent", "goes on after the child");
    let after_its_end = stage.first_of("parent") > stage.last_of("child");
    let order = if after_its_end { "after" } else { "before" };
    Ok(Saw::new()
        .fact("exit_code", code)
        .fact("parent_line_after_child_end", after_its_end)
        .say(format!(
            "The parent's line came {order} the child's last one: join waits until the child has ended."
        ))
        .shown(after_its_end && code == Some(0)))
}

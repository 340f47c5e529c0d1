//! A child process is started, and waited for or not.

use std::time::Duration;

use common::exit::Failure;
use common::process::Builder;

use super::told;
use crate::lesson::{Example, Saw};
use crate::stage::Stage;

/// The work of the tutorials' first child.
fn work(stage: &Stage, name: &str, age: u32, more: &[(&str, u32)]) {
    stage.says("child", format_args!("name {name}, age {age}"));
    stage.says("child", format_args!("by name: {more:?}"));
    stage.pause(Duration::from_millis(500));
    stage.says("child", "done");
}

pub(super) const START: Example = Example::new("start", "the child runs beside its parent", &[1], start);

fn start(stage: &Stage) -> Result<Saw, Failure> {
    let child = Builder::new().daemon(true).fork(|| work(stage, "kurong", 18, &[("abc", 123)]))?;
    stage.says("parent", "goes on at once");
    let code = child.join(None)?;
    let before_its_end = stage.first_of("parent") < stage.last_of("child");
    let order = if before_its_end { "before" } else { "after" };
    Ok(Saw::new()
        .fact("exit_code", code)
        .fact("parent_line_before_child_end", before_its_end)
        .say(format!(
            "The parent's line came {order} the child's last one; the child ended with exit code {}.",
            told(code)
        ))
        .note("Starting a process does not wait for it.")
        .note("Nobody sent the arguments: a forked child has a copy of its parent's memory.")
        .shown(before_its_end && code == Some(0)))
}

pub(super) const JOIN: Example = Example::new("join", "the parent waits for its child", &[2], join);

fn join(stage: &Stage) -> Result<Saw, Failure> {
    let child = Builder::new().daemon(true).fork(|| work(stage, "kurong", 18, &[("abc", 123)]))?;
    let code = child.join(None)?;
    stage.says("parent", "goes on after the child");
    let after_its_end = stage.first_of("parent") > stage.last_of("child");
    let order = if after_its_end { "after" } else { "before" };
    Ok(Saw::new()
        .fact("exit_code", code)
        .fact("parent_line_after_child_end", after_its_end)
        .say(format!(
            "The parent's line came {order} the child's last one; join gave the exit code {}.",
            told(code)
        ))
        .note("Join waits until the child has ended, and not for anything else.")
        .shown(after_its_end && code == Some(0)))
}

pub(super) const TASKS: Example = Example::new("tasks", "singing and dancing at the same time", &[37], tasks);

fn tasks(stage: &Stage) -> Result<Saw, Failure> {
    let task = |who: &'static str| {
        Builder::new().name(who).daemon(true).fork(move || {
            for verse in 1..=3 {
                stage.says(who, format_args!("verse {verse}"));
                stage.pause(Duration::from_secs(1));
            }
        })
    };
    let (song, dance) = (task("song")?, task("dance")?);
    let codes = [song.join(None)?, dance.join(None)?];
    let together =
        stage.first_of("dance") < stage.last_of("song") && stage.first_of("song") < stage.last_of("dance");
    Ok(Saw::new()
        .fact("at_the_same_time", together)
        .fact("pids", [song.pid(), dance.pid()])
        .say(format!(
            "Singing was process {}, dancing process {}, and each {} while the other went on.",
            song.pid(),
            dance.pid(),
            if together { "said something" } else { "said nothing" },
        ))
        .shown(together && codes == [Some(0), Some(0)]))
}

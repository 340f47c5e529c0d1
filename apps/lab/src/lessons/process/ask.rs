//! A child is asked how it is: whether it has ended, and what it is called.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use common::exit::Failure;
use common::process::Builder;

use super::told;
use crate::lesson::{Example, Saw};
use crate::stage::Stage;

pub(super) const TIMEOUT: Example = Example::new("timeout", "waiting, but not for ever", &[12], timeout);

fn timeout(stage: &Stage) -> Result<Saw, Failure> {
    let (mut go, wait) = UnixStream::pair()?;
    let child = Builder::new().daemon(true).fork(|| {
        let mut wait = &wait;
        wait.read_exact(&mut [0])
    })?;
    let patience = Duration::from_millis(100);
    let before = Instant::now();
    let too_early = child.join(Some(patience))?;
    let waited = before.elapsed();
    stage.says("parent", format_args!("after {} ms: exit code {}", waited.as_millis(), told(too_early)));
    go.write_all(b".")?;
    let code = child.join(None)?;
    stage.says("parent", format_args!("in the end: exit code {}", told(code)));
    let on_time = too_early.is_none() && waited >= patience;
    Ok(Saw::new()
        .fact("after_time_limit", too_early)
        .fact("waited_ms", waited.as_millis())
        .fact("exit_code", code)
        .say(format!(
            "A join with a limit of {} ms came back after {} ms with {}; without a limit it gave exit code {}.",
            patience.as_millis(),
            waited.as_millis(),
            if too_early.is_none() { "nothing, because the child still ran" } else { "an exit code" },
            told(code),
        ))
        .note("In Python both give back None, and only `exitcode` tells whether the child has ended.")
        .shown(on_time && code == Some(0)))
}

pub(super) const INFO: Example =
    Example::new("info", "its number, its name, and whether it lives", &[9], info);

fn info(stage: &Stage) -> Result<Saw, Failure> {
    let (mut go, wait) = UnixStream::pair()?;
    let child = Builder::new().daemon(true).fork(|| {
        for tick in 1..=5 {
            stage.says("child", format_args!("tick {tick}"));
            stage.pause(Duration::from_millis(300));
        }
        let mut wait = &wait;
        wait.read_exact(&mut [0])
    })?;
    let (pid, name, alive) = (child.pid(), child.name().to_owned(), child.is_alive());
    stage.says(
        "parent",
        format_args!("pid {pid}, name {name}, alive {alive}, exit code {}", told(child.exit_code())),
    );
    go.write_all(b".")?;
    child.join(None)?;
    let afterwards = child.is_alive();
    stage.says("parent", format_args!("alive {afterwards}, exit code {}", told(child.exit_code())));
    let same =
        stage.events().iter().any(|event| event.who == "child" && i64::from(event.pid) == i64::from(pid));
    Ok(Saw::new()
        .fact("pid", pid)
        .fact("name", &name)
        .fact("alive", [alive, afterwards])
        .fact("exit_code", child.exit_code())
        .say(format!("The child, {name}, was process {pid}; while it ran, is_alive said {alive}, and then {afterwards}."))
        .note("The tutorials print `p.is_alive` without brackets: that is the method itself, and not its answer.")
        .shown(same && alive && !afterwards))
}

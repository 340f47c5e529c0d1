//! What becomes of children whose parent has done its work: it waits for those that are no daemons, and ends those that are.

use std::io::{self, Read, Write};
use std::thread;
use std::time::Duration;

use common::exit::Failure;
use common::process::Builder;

use super::told;
use crate::lesson::{Example, Saw};
use crate::stage::Stage;

/// The work of a daemon: longer than anybody would wait.
const LONG: Duration = Duration::from_secs(600);
const DONE: &str = "my work is done";

pub(super) const DAEMON: Example =
    Example::new("daemon", "whom a parent waits for at its end, and whom it ends", &[8], daemon);

fn daemon(stage: &Stage) -> Result<Saw, Failure> {
    let parent = Builder::new().daemon(true).fork(|| -> io::Result<()> {
        let (mut wait, mut go) = io::pipe()?;
        let _child = Builder::new().fork(|| -> io::Result<()> {
            wait.read_exact(&mut [0])?;
            stage.pause(Duration::from_secs(1));
            stage.says("child", DONE);
            Ok(())
        })?;
        let (mut begun, begins) = io::pipe()?;
        let _daemon = Builder::new().daemon(true).fork(move || {
            stage.says("daemon", format_args!("I have {} s of work", LONG.as_secs()));
            drop(begins);
            thread::sleep(LONG);
            stage.says("daemon", DONE);
        })?;
        // (to the end: until nobody can write any more)
        begun.read_to_end(&mut Vec::new())?;
        stage.says("parent", DONE);
        go.write_all(b".")
    })?;
    let code = parent.join(None)?;
    stage.says("main", format_args!("the parent has ended: exit code {}", told(code)));
    let events = stage.events();
    let done = |who: &str| events.iter().position(|event| event.who == who && event.what == DONE);
    let waited = done("child").is_some() && done("parent") < done("child");
    let daemon_done = done("daemon").is_some();
    let left = events
        .iter()
        .filter(|e| e.who != "main" && std::fs::exists(format!("/proc/{}", e.pid)).unwrap_or(true));
    let left = left.count();
    Ok(Saw::new()
        .fact("exit_code", code)
        .fact("child_waited_for", waited)
        .fact("daemon_done", daemon_done)
        .fact("left", left)
        .say(format!(
            "The parent had done its work, and {} its child; its daemon {}.",
            if waited { "then waited for" } else { "did not wait for" },
            if daemon_done { "did all its work" } else { "was ended in the middle of its work" }
        ))
        .say(format!("When the parent had ended, {left} of its children were left."))
        .note("One of the tutorials says that `daemon` makes the parent a daemon: it is the child that is one, and ends with its parent.")
        .shown(code == Some(0) && waited && !daemon_done && left == 0))
}

//! A child is ended from outside, and what it leaves undone.

use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::thread;
use std::time::Duration;

use common::exit::Failure;
use common::process::Builder;
use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, getpid};

use super::{reap_if_adopted, told};
use crate::lesson::{Example, Saw};
use crate::stage::Stage;

/// A destructor that tells.
struct Tidy<'a>(&'a Stage);

impl Drop for Tidy<'_> {
    fn drop(&mut self) {
        self.0.says("child", "tidied up");
    }
}

pub(super) const TERMINATE: Example =
    Example::new("terminate", "ended from outside, and what is left undone", &[7, 38, 41], terminate);

fn terminate(stage: &Stage) -> Result<Saw, Failure> {
    let (mut ready, theirs) = UnixStream::pair()?;
    let child = Builder::new().daemon(true).fork(|| -> io::Result<()> {
        let _tidy = Tidy(stage);
        let own = Builder::new().name("grandchild").fork(|| {
            stage.says("grandchild", "sleeps for a minute");
            thread::sleep(Duration::from_secs(60));
        })?;
        (&theirs).write_all(&own.pid().to_le_bytes())?;
        loop {
            stage.says("child", format_args!("name 小明, age 18, pid {}", getpid()));
            stage.pause(Duration::from_millis(200));
        }
    })?;
    let mut pid = [0; 4];
    ready.read_exact(&mut pid)?;
    let grandchild = Pid::from_raw(i32::from_le_bytes(pid));
    stage.pause(Duration::from_secs(1));
    child.terminate()?;
    let code = child.join(None)?;
    let tidied = stage.events().iter().any(|event| event.what == "tidied up");
    let orphaned = kill(grandchild, None).is_ok();
    stage.says(
        "parent",
        format_args!(
            "exit code {}; the grandchild {}",
            told(code),
            if orphaned { "still runs" } else { "is gone" }
        ),
    );
    // a signal needs a permission, not a child
    let killed = kill(grandchild, Signal::SIGKILL).is_ok();
    drop(theirs);
    // its end of the stream is closed: it has come to its end
    let ended = killed && ready.read(&mut pid)? == 0;
    reap_if_adopted(grandchild);
    Ok(Saw::new()
        .fact("exit_code", code)
        .fact("tidied_up", tidied)
        .fact("grandchild_orphaned", orphaned)
        .fact("grandchild_ended", ended)
        .say(format!(
            "The child's exit code was {}{}. Its destructor {}.",
            told(code),
            if code == Some(-15) { ": signal 15 ended it" } else { "" },
            if tidied { "ran" } else { "did not run" }
        ))
        .say(format!(
            "Its own child {}, and {}.",
            if orphaned { "lived on" } else { "was gone" },
            if ended { "the grandparent ended it" } else { "the grandparent could not end it" }
        ))
        .note("To end a process takes a permission (the same user's, for example), not parentage.")
        .shown(code == Some(-15) && !tidied && orphaned && ended))
}

//! How processes end: by themselves, and from outside.

use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::thread;
use std::time::Duration;

use common::exit::Failure;
use common::lock::Lock;
use common::process::{self, Builder};
use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, getpid};

use super::{reap_if_adopted, told};
use crate::lesson::Saw;
use crate::stage::Stage;

/// A destructor that tells.
struct Tidy<'a>(&'a Stage);

impl Drop for Tidy<'_> {
    fn drop(&mut self) {
        self.0.says("child", "tidied up");
    }
}

pub(super) fn terminate(stage: &Stage) -> Result<Saw, Failure> {
    let lock = Lock::new()?;
    let (mut ready, theirs) = UnixStream::pair()?;
    let child = Builder::new().daemon(true).fork(|| -> io::Result<()> {
        let _tidy = Tidy(stage);
        let _held = lock.lock()?;
        let own = Builder::new().name("grandchild").fork(|| thread::sleep(Duration::from_secs(60)))?;
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
    let owner_died = lock.lock()?.owner_died();
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
        .fact("lock_owner_died", owner_died)
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
        .say(format!(
            "The lock that it held went to the next one, who was {} that its holder died.",
            if owner_died { "told" } else { "not told" }
        ))
        .note("To end a process takes a permission (the same user's, for example), not parentage.")
        .shown(code == Some(-15) && !tidied && orphaned && ended && owner_died))
}

pub(super) fn exit_codes(stage: &Stage) -> Result<Saw, Failure> {
    let asleep = || Builder::new().daemon(true).fork(|| thread::sleep(Duration::from_secs(60)));
    let (terminated, killed) = (asleep()?, asleep()?);
    let while_it_runs = terminated.exit_code();
    terminated.terminate()?;
    killed.kill()?;
    let panics = || -> i32 {
        std::panic::set_hook(Box::new(|_| ()));
        std::panic::resume_unwind(Box::new("on purpose"))
    };
    let children = [
        ("returned", Builder::new().fork(|| ())?),
        ("returned 3", Builder::new().fork(|| 3)?),
        ("panicked", Builder::new().fork(panics)?),
        ("was terminated", terminated),
        ("was killed", killed),
        ("aborted", Builder::new().fork(|| -> i32 { std::process::abort() })?),
    ];
    let mut saw = Saw::new().fact("while_it_runs", while_it_runs);
    let mut codes = Vec::new();
    for (how, child) in &children {
        let code = child.join(None)?;
        stage.says("parent", format_args!("{} {how}: {}", child.name(), told(code)));
        saw = saw.fact(how, code);
        codes.extend(code);
    }
    let by_signal: Vec<i32> = codes.iter().copied().filter(|code| *code < 0).map(|code| -code).collect();
    Ok(saw
        .say(format!("Exit codes {codes:?}: those below zero by the signals {by_signal:?}."))
        .say(format!(
            "While a child still ran, it had {}.",
            if while_it_runs.is_none() { "no exit code" } else { "an exit code already" }
        ))
        .note("A process that a signal ended has no code of its own: the signal's number, below zero, stands for it.")
        .shown(codes == [0, 3, process::PANICKED, -15, -9, -6] && while_it_runs.is_none()))
}

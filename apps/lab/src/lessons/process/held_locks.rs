//! A child is ended while it holds two locks: a plain one, as Python's is, and a robust one.

use std::io::{self, PipeReader, PipeWriter, Read, Write};
use std::os::fd::AsFd;
use std::thread;
use std::time::Duration;

use common::exit::Failure;
use common::lock::{Guard, Lock};
use common::process::Builder;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use super::told;
use crate::lesson::{Example, Saw};
use crate::stage::Stage;

/// A plain lock between processes: one token in a pipe. Who has taken it out holds the lock, and puts it back to release it. So a
/// holder that is killed takes the token along, and nobody gets the lock again.
struct PlainLock {
    token: PipeReader,
    back: PipeWriter,
}

impl PlainLock {
    fn new() -> io::Result<Self> {
        let (token, back) = io::pipe()?;
        let lock = Self { token, back };
        lock.unlock()?;
        Ok(lock)
    }

    /// Whether it was got in time.
    fn lock_within(&self, limit: Duration) -> io::Result<bool> {
        let limit = PollTimeout::try_from(limit).unwrap_or(PollTimeout::MAX);
        let got = poll(&mut [PollFd::new(self.token.as_fd(), PollFlags::POLLIN)], limit)? > 0;
        if got {
            (&self.token).read_exact(&mut [0])?;
        }
        Ok(got)
    }

    fn unlock(&self) -> io::Result<()> {
        (&self.back).write_all(b".")
    }
}

pub(super) const HELD_LOCKS: Example =
    Example::new("held-locks", "ended while it holds a plain lock and a robust one", &[41], held_locks);

fn held_locks(stage: &Stage) -> Result<Saw, Failure> {
    let (plain, robust) = (&PlainLock::new()?, &Lock::new()?);
    let patience = stage.paced(Duration::from_secs(1));
    // so far it is a lock like any other: who releases it can have it again
    let before = plain.lock_within(patience)?;
    plain.unlock()?;
    stage.says("parent", format_args!("plain lock: {}, and released", got(before)));
    let (mut held, tell) = io::pipe()?;
    // (what a child's function owns, its parent has no more: if the child fails, the read below ends)
    let child = Builder::new().daemon(true).fork(move || -> io::Result<()> {
        let _guard = (plain.lock_within(patience)?, robust.lock()?);
        stage.says("child", "I hold both locks");
        (&tell).write_all(b".")?;
        loop {
            thread::sleep(patience);
        }
    })?;
    held.read_exact(&mut [0])?;
    child.terminate()?;
    let code = child.join(None)?;
    stage.says("parent", format_args!("the child is ended: exit code {}", told(code)));
    let after = plain.lock_within(patience)?;
    stage.says("parent", format_args!("plain lock, after {} ms: {}", patience.as_millis(), got(after)));
    let guard = robust.lock_within(patience)?;
    let owner_died = guard.as_ref().is_some_and(Guard::owner_died);
    let news = if owner_died { ", and am told that its holder died" } else { "" };
    stage.says("parent", format_args!("robust lock: {}{news}", got(guard.is_some())));
    Ok(Saw::new()
        .fact("exit_code", code)
        .fact("plain_lock_before", before)
        .fact("plain_lock_after", after)
        .fact("robust_lock_after", guard.is_some())
        .fact("robust_lock_owner_died", owner_died)
        .say(format!(
            "The plain lock that the ended child had held {}.",
            if after { "was free all the same" } else { "stayed locked: nobody is left who could release it" }
        ))
        .say(format!(
            "The robust lock {}, {}.",
            if guard.is_some() { "went to the next one" } else { "stayed locked, too" },
            if owner_died { "who was told that its holder had died" } else { "and nobody was told of a death" }
        ))
        .note("Python's multiprocessing.Lock is a plain one. Who gets a robust one looks after what its holder left half done.")
        .shown(code == Some(-15) && before && !after && owner_died))
}

fn got(it: bool) -> &'static str {
    if it { "I have it" } else { "not got" }
}

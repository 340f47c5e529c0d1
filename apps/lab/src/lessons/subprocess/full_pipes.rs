//! Writing everything to a program before reading anything from it: how far that goes.

use std::fs;
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::process::Command;
use std::time::Instant;

use nix::fcntl::{FcntlArg, fcntl};
use nix::poll::{PollFd, PollFlags, poll};
use rustix::io::ioctl_fionread;
use serde::Serialize;

use super::LIMIT;
use crate::subprocess::Started;

/// While a program is busy, it is looked at again after so many milliseconds.
const LOOK_AGAIN_MS: u8 = 5;

/// Where the bytes were when nothing moved any more.
#[derive(Debug, Serialize)]
pub(super) struct Stopped {
    pub(super) written: u64,
    pub(super) in_its_input: u64,
    pub(super) in_its_output: u64,
    /// How much a pipe holds.
    pub(super) pipe: u64,
}

/// Writes to a `cat` that nobody reads from, until that would wait for ever: its input is full, and it sleeps although there
/// is something to read, so it waits for room in its output.
pub(super) fn write_first(input: &[u8]) -> io::Result<Stopped> {
    let mut cat = Started::new(&mut Command::new("cat"))?;
    let (Some(mut stdin), Some(stdout)) = (cat.take_stdin()?, cat.take_stdout()?) else {
        return Err(io::ErrorKind::NotFound.into());
    };
    let (end, mut written, mut slept) = (Instant::now() + LIMIT, 0, false);
    while written < input.len() {
        match stdin.write(&input[written..]) {
            Ok(n) => (written, slept) = (written + n, false),
            // asleep, and still no room afterwards
            Err(e) if e.kind() == io::ErrorKind::WouldBlock && slept => break,
            Err(e) if e.kind() == io::ErrorKind::WouldBlock && Instant::now() < end => {
                poll(&mut [PollFd::new(stdin.as_fd(), PollFlags::POLLOUT)], LOOK_AGAIN_MS)?;
                slept = ioctl_fionread(&stdout)? > 0 && is_asleep(cat.pid())?;
            }
            Err(e) => return Err(e),
        }
    }
    Ok(Stopped {
        written: written as u64,
        in_its_input: ioctl_fionread(&stdin)?,
        in_its_output: ioctl_fionread(&stdout)?,
        pipe: u64::try_from(fcntl(&stdin, FcntlArg::F_GETPIPE_SZ)?).unwrap_or(0),
    })
}

/// The third word that the kernel says of a process, behind its name in brackets, is what it does: S, it sleeps.
fn is_asleep(pid: u32) -> io::Result<bool> {
    let said = fs::read_to_string(format!("/proc/{pid}/stat"))?;
    Ok(said.rsplit_once(") ").is_some_and(|(_, rest)| rest.starts_with('S')))
}

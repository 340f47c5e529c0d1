//! Other programs as children: run one and wait, or talk to it and listen at the same time.
//!
//! What Python's `subprocess` calls `call` and `communicate`. The standard library's `Command::status` is the first; its `output`
//! listens to both outputs at once but feeds nothing, so the second is here.
//!
//! ```
//! use lab::subprocess::{call, communicate};
//! use std::process::Command;
//! use std::time::Duration;
//!
//! assert_eq!(call(&mut Command::new("false"))?, 1);
//!
//! let finished = communicate(&mut Command::new("cat"), b"hello", Duration::from_secs(60))?;
//! assert_eq!((finished.exit_code, finished.stdout.as_slice()), (0, &b"hello"[..]));
//! # Ok::<(), std::io::Error>(())
//! ```

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use rustix::io::ioctl_fionbio;
use rustix::process::{Pid, PidfdFlags, pidfd_open};

/// No more is taken of each output. At the bound the program is killed, and the call is an error.
pub const OUTPUT_MAX: usize = 64 << 20;
/// What is read at once: as much as a pipe holds.
const PIECE: usize = 64 << 10;

/// What came of talking to a program.
#[derive(Debug, PartialEq, Eq)]
pub struct Finished {
    /// Its exit code, or −N if signal N ended it.
    pub exit_code: i32,
    /// All that it wrote to its stdout.
    pub stdout: Vec<u8>,
    /// All that it wrote to its stderr.
    pub stderr: Vec<u8>,
}

/// Runs a program, waits for its end, and gives its exit code, or −N if signal N ended it.
///
/// # Errors
/// It could not be started: it is not there, for example. That is no exit code, because nothing has run.
pub fn call(command: &mut Command) -> io::Result<i32> {
    command.status().map(exit_code)
}

/// Runs a program, feeds it this input while taking both its outputs, and waits for its end. None of the three can
/// hold up the others. A program that does not want all of the input need not take it.
///
/// # Errors
/// It could not be started; it did not end within this time, or wrote more than [`OUTPUT_MAX`]: then it has been killed and waited
/// for. (Not so its own children, if it has any.)
pub fn communicate(command: &mut Command, input: &[u8], within: Duration) -> io::Result<Finished> {
    let end = Instant::now() + within;
    let mut started = Started::new(command)?;
    let mut stdin = started.take_stdin()?;
    let [mut stdout, mut stderr] = started.take_outputs()?;
    let mut rest = input;
    loop {
        if rest.is_empty() {
            // closed: the program sees the end of its input
            stdin = None;
        }
        let mut open: Vec<PollFd<'_>> = Vec::with_capacity(3);
        open.extend(stdin.iter().map(|pipe| PollFd::new(pipe.as_fd(), PollFlags::POLLOUT)));
        let outputs = [&stdout, &stderr].into_iter().filter_map(|output| output.pipe.as_ref());
        open.extend(outputs.map(|pipe| PollFd::new(pipe.as_fd(), PollFlags::POLLIN)));
        if open.is_empty() {
            break;
        }
        wait(&mut open, end)?;
        rest = feed(stdin.as_mut(), rest)?;
        stdout.take()?;
        stderr.take()?;
    }
    let status = started.join(end)?;
    Ok(Finished { exit_code: exit_code(status), stdout: stdout.bytes, stderr: stderr.bytes })
}

/// Gives it as much as goes in now; the rest remains.
fn feed<'a>(stdin: Option<&mut File>, rest: &'a [u8]) -> io::Result<&'a [u8]> {
    match stdin.map_or(Ok(0), |pipe| pipe.write(rest)) {
        Ok(written) => Ok(&rest[written..]),
        Err(e) if is_for_later(&e) => Ok(rest),
        // it has closed its input: it wants no more
        Err(e) if e.kind() == io::ErrorKind::BrokenPipe => Ok(&[]),
        Err(e) => Err(e),
    }
}

/// One of its outputs, and what came out of it; no pipe: it is closed.
struct Output {
    pipe: Option<File>,
    bytes: Vec<u8>,
}

impl Output {
    fn take(&mut self) -> io::Result<()> {
        let Some(pipe) = &mut self.pipe else { return Ok(()) };
        let mut piece = [0; PIECE];
        match pipe.read(&mut piece) {
            Ok(0) => self.pipe = None,
            Ok(n) if self.bytes.len() + n > OUTPUT_MAX => {
                return Err(io::Error::new(
                    io::ErrorKind::FileTooLarge,
                    "the program writes more than 64 MiB",
                ));
            }
            Ok(n) => self.bytes.extend_from_slice(&piece[..n]),
            Err(e) if is_for_later(&e) => {}
            Err(e) => return Err(e),
        }
        Ok(())
    }
}

/// A program with pipes to all it reads and writes; if this is dropped before its end, it is killed and waited for.
pub(crate) struct Started(Child);

impl Started {
    pub(crate) fn new(command: &mut Command) -> io::Result<Self> {
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().map(Self)
    }

    pub(crate) fn pid(&self) -> u32 {
        self.0.id()
    }

    /// Where it reads from; a write never waits.
    pub(crate) fn take_stdin(&mut self) -> io::Result<Option<File>> {
        self.0.stdin.take().map(|pipe| without_waiting(pipe.into())).transpose()
    }

    fn take_outputs(&mut self) -> io::Result<[Output; 2]> {
        let stdout = self.take_stdout()?;
        let stderr = self.0.stderr.take().map(|pipe| without_waiting(pipe.into())).transpose()?;
        Ok([stdout, stderr].map(|pipe| Output { pipe, bytes: Vec::new() }))
    }

    /// Where it writes to; a read never waits.
    pub(crate) fn take_stdout(&mut self) -> io::Result<Option<File>> {
        self.0.stdout.take().map(|pipe| without_waiting(pipe.into())).transpose()
    }

    fn join(&mut self, end: Instant) -> io::Result<ExitStatus> {
        let ended = pidfd_open(Pid::from_child(&self.0), PidfdFlags::empty())?;
        wait(&mut [PollFd::new(ended.as_fd(), PollFlags::POLLIN)], end)?;
        self.0.wait()
    }
}

impl Drop for Started {
    fn drop(&mut self) {
        // (nothing happens to one that has been waited for)
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn without_waiting(pipe: OwnedFd) -> io::Result<File> {
    ioctl_fionbio(&pipe, true)?;
    Ok(pipe.into())
}

fn is_for_later(e: &io::Error) -> bool {
    matches!(e.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted)
}

/// Waits until something can be done with one of these.
fn wait(descriptors: &mut [PollFd<'_>], end: Instant) -> io::Result<()> {
    loop {
        let left = end.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(io::Error::new(io::ErrorKind::TimedOut, "the program did not end in time"));
        }
        // rounded up, so that the time is over when the poll says so
        let left = PollTimeout::try_from(left + Duration::from_millis(1)).unwrap_or(PollTimeout::MAX);
        match poll(descriptors, left) {
            Ok(0) | Err(Errno::EINTR) => {}
            Ok(_) => return Ok(()),
            Err(e) => return Err(e.into()),
        }
    }
}

fn exit_code(status: ExitStatus) -> i32 {
    // (a program that has ended has one of the two)
    status.code().or_else(|| status.signal().map(|signal| -signal)).unwrap_or(-1)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: Duration = Duration::from_secs(60);

    fn shell(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    #[test]
    fn both_outputs_and_the_exit_code() {
        let finished =
            communicate(&mut shell("read a; echo $a; echo no >&2; exit 3"), b"yes\n", LIMIT).unwrap();
        assert_eq!(finished, Finished { exit_code: 3, stdout: b"yes\n".into(), stderr: b"no\n".into() });
    }

    #[test]
    fn a_program_need_not_want_its_input() {
        let input = vec![b'x'; 1 << 20];
        assert_eq!(communicate(&mut Command::new("true"), &input, LIMIT).unwrap().exit_code, 0);
        let finished = communicate(&mut shell("exec <&-; sleep 0.01; echo on"), &input, LIMIT).unwrap();
        assert_eq!(finished.stdout, b"on\n");
    }

    #[test]
    fn who_closes_its_outputs_is_waited_for() {
        let finished = communicate(&mut shell("exec >&- 2>&-; sleep 0.05; exit 4"), b"", LIMIT).unwrap();
        assert_eq!(finished.exit_code, 4);
    }

    #[test]
    fn who_takes_too_long_or_writes_too_much_is_killed() {
        for (script, why) in [
            ("exec sleep 600", io::ErrorKind::TimedOut),
            ("exec >&- 2>&- sleep 600", io::ErrorKind::TimedOut),
            ("exec cat /dev/zero", io::ErrorKind::FileTooLarge),
        ] {
            let limit = if why == io::ErrorKind::TimedOut { Duration::from_millis(50) } else { LIMIT };
            let pid_file = tempfile::NamedTempFile::new().unwrap();
            let script = format!("echo $$ > {}; {script}", pid_file.path().display());
            let error = communicate(&mut shell(&script), b"", limit).unwrap_err();
            assert_eq!(error.kind(), why, "{script}");
            if let Ok(pid) = std::fs::read_to_string(pid_file.path()).unwrap().trim().parse::<u32>() {
                assert!(
                    !std::path::Path::new(&format!("/proc/{pid}")).exists(),
                    "neither running nor a zombie"
                );
            }
        }
    }

    #[test]
    fn a_signal_is_a_negative_code() {
        assert_eq!(call(&mut shell("kill -TERM $$")).unwrap(), -15);
    }
}

//! How a program ends: its exit codes, and the one line that a user gets when something failed.

use std::fmt::Display;
use std::io::{self, Write};
use std::process::ExitCode;

/// All was done.
pub const DONE: u8 = 0;
/// Something failed; stderr says what, why and what to do.
pub const FAILED: u8 = 1;
/// The command line was wrong; nothing was started.
pub const USAGE: u8 = 2;

/// Why a program ends early: one line for the user and an exit code.
#[derive(Debug, PartialEq, Eq)]
pub struct Failure {
    /// What failed, why, and what to do about it; without the `error: ` in front.
    pub message: String,
    /// The exit code.
    pub code: u8,
}

/// Writes to stdout, at once. `false`: nobody reads it any more (`| head`), which is no failure.
///
/// # Errors
/// stdout cannot be written; the message says so.
pub fn print(bytes: &[u8]) -> Result<bool, Failure> {
    let mut out = io::stdout().lock();
    match out.write_all(bytes).and_then(|()| out.flush()) {
        Ok(()) => Ok(true),
        Err(e) if e.kind() == io::ErrorKind::BrokenPipe => Ok(false),
        Err(e) => Err(Failure::failed(format!("cannot write to stdout: {e}: is the disk full?"))),
    }
}

/// For a program whose every step says itself what failed.
impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::failed(error)
    }
}

impl Failure {
    /// The command line asks for something that cannot be: exit code 2.
    #[must_use]
    pub fn usage(message: impl Display) -> Self {
        Self { message: message.to_string(), code: USAGE }
    }

    /// Something failed: exit code 1.
    #[must_use]
    pub fn failed(message: impl Display) -> Self {
        Self { message: message.to_string(), code: FAILED }
    }

    /// Prints `error: …` on stderr and gives the exit code. A closed stderr is no reason to panic.
    #[must_use]
    pub fn report(&self) -> ExitCode {
        let _ = writeln!(io::stderr(), "error: {}", self.message);
        ExitCode::from(self.code)
    }
}

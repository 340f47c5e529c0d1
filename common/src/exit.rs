//! How a program ends: its exit codes, and the one line that a user gets when something failed.

use std::fmt::Display;
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

/// For a program whose every step says itself what failed.
impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
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
        use std::io::Write;
        let _ = writeln!(std::io::stderr(), "error: {}", self.message);
        ExitCode::from(self.code)
    }
}

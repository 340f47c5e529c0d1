//! The terminal as it was before: an editor that is ended from outside cannot put it back.

use std::fs::OpenOptions;
use std::io::{IsTerminal, Write, stdin, stdout};
use std::os::fd::AsFd;
use std::os::unix::fs::OpenOptionsExt;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::termios::{SetArg, Termios, tcgetattr, tcsetattr};

/// What the editor leaves behind besides the settings: bracketed paste, a synchronised update, a hidden cursor, and a line
/// that is not at its end.
const PLAIN: &[u8] = b"\x1b[?2004l\x1b[?2026l\x1b[?25h\n";

/// The settings that the terminal had at the start.
pub struct Terminal(Option<Termios>);

impl Terminal {
    /// Remembers the settings, if there is a terminal.
    #[must_use]
    pub fn remember() -> Self {
        Self(if stdin().is_terminal() { tcgetattr(stdin()).ok() } else { None })
    }

    /// Puts them back, if an editor has changed them. Never waits: the terminal may take nothing.
    pub fn restore(&self) {
        let Some(before) = &self.0 else { return };
        if tcgetattr(stdin()).is_ok_and(|now| now == *before) {
            return;
        }
        // not TCSADRAIN: that waits until the terminal has taken all that was written, perhaps for ever
        let _ = tcsetattr(stdin(), SetArg::TCSANOW, before);
        if stdout().is_terminal() {
            write_now(PLAIN);
        }
    }
}

/// Writes to the terminal what it takes at once.
fn write_now(bytes: &[u8]) {
    let stdout = stdout();
    let mut asked = [PollFd::new(stdout.as_fd(), PollFlags::POLLOUT)];
    if !matches!(poll(&mut asked, PollTimeout::ZERO), Ok(1..)) {
        return;
    }
    // by an opening of its own: O_NONBLOCK on stdout itself would be there for the shell, too
    let own = OpenOptions::new()
        .write(true)
        .custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY)
        .open("/proc/self/fd/1");
    let _ = match own {
        Ok(mut own) => own.write(bytes).is_ok(),
        // another user's terminal (su): it has just said that it takes something
        Err(_) => nix::unistd::write(&stdout, bytes).is_ok(),
    };
}

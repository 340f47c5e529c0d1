//! The terminal as it was before: an editor that is ended from outside cannot put it back.

use std::io::{IsTerminal, stdin};

use nix::sys::termios::{SetArg, Termios, tcgetattr, tcsetattr};

/// The settings that the terminal had at the start.
pub struct Terminal(Option<Termios>);

impl Terminal {
    /// Remembers the settings, if there is a terminal.
    #[must_use]
    pub fn remember() -> Self {
        Self(if stdin().is_terminal() { tcgetattr(stdin()).ok() } else { None })
    }

    /// Puts them back.
    pub fn restore(&self) {
        if let Some(settings) = &self.0 {
            let _ = tcsetattr(stdin(), SetArg::TCSADRAIN, settings);
        }
    }
}

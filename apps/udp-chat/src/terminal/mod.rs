//! What people see: how a message looks, and what the terminal can do. Always whole lines, never a redrawn screen: so a
//! screen reader, a scroll-back and a pipe get the same.

mod restore;

use std::fmt::Write;
use std::io::{IsTerminal, stdin, stdout};

use chrono::{DateTime, Local, TimeZone, Utc};
use clap::ValueEnum;
use common::units::plural;

use crate::chat::Shown;
use crate::history::{Record, What};
use crate::{escape, log};

pub use restore::Terminal;

/// Whether to use colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Colour {
    /// On a terminal that can, unless `NO_COLOR` is set.
    Auto,
    /// Even into a pipe.
    Always,
    /// No.
    Never,
}

/// How a message looks.
#[derive(Debug, Clone, Copy)]
pub struct Style {
    /// With colours; never colour alone.
    pub colour: bool,
    /// So many lines of a message are shown: a datagram has room for 65,000.
    pub most_lines: usize,
}

/// So many lines of a message are shown to somebody who reads along.
const MOST_LINES: usize = 20;

/// The terminal can do no more than print lines.
fn is_dumb() -> bool {
    std::env::var_os("TERM").is_none_or(|term| term.is_empty() || term == "dumb")
}

/// Somebody types on a terminal that can be edited on.
#[must_use]
pub fn can_edit() -> bool {
    stdin().is_terminal() && stdout().is_terminal() && !is_dumb()
}

impl Style {
    /// What the user and the terminal want. A program that reads along (`for_program`) gets all lines of a message.
    #[must_use]
    pub fn new(colour: Colour, for_program: bool) -> Self {
        let wanted = match colour {
            Colour::Always => true,
            Colour::Never => false,
            Colour::Auto => {
                let unwanted = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
                stdout().is_terminal() && !is_dumb() && !unwanted
            }
        };
        Self { colour: wanted, most_lines: if for_program { usize::MAX } else { MOST_LINES } }
    }

    /// Adds its line or lines. Whatever came from somebody else is escaped: no control, escape or bidi character of a
    /// peer reaches the terminal.
    pub fn text(self, shown: &Shown, out: &mut String) {
        match shown {
            Shown::Message { time, from, name, text } => {
                // a datagram may hold several lines; each is shown with its source, so that none can pretend to be another's
                let mut lines = text.split(|byte| *byte == b'\n');
                for line in lines.by_ref().take(self.most_lines) {
                    let who = name.as_ref().map_or_else(|| from.to_string(), String::clone);
                    self.head(*time, out);
                    self.who(&format!("{who}>"), out);
                    out.push(' ');
                    out.push_str(&escape::escape(line));
                    out.push('\n');
                }
                match lines.count() as u64 {
                    0 => {}
                    more => {
                        let _ = writeln!(out, "... {} (/history)", plural(more, "more line"));
                    }
                }
            }
            Shown::Own { time, to, text } => {
                self.head(*time, out);
                self.who(&format!("-> {to}:"), out);
                out.push(' ');
                out.push_str(&escape::escape(text.as_bytes()));
                out.push('\n');
            }
            Shown::Line(line) => {
                // it may quote a file name, or a record that is escaped already
                out.push_str(&escape::clean(line.as_bytes()));
                out.push('\n');
            }
        }
    }

    fn head(self, time: u64, out: &mut String) {
        let time = Local
            .timestamp_millis_opt(time.cast_signed())
            .earliest()
            .unwrap_or_else(|| DateTime::from(DateTime::<Utc>::UNIX_EPOCH));
        let (dim, plain) = if self.colour { ("\x1b[2m", "\x1b[0m") } else { ("", "") };
        let _ = write!(out, "{dim}{}{plain} ", time.format("%H:%M:%S"));
    }

    fn who(self, who: &str, out: &mut String) {
        let (bold, plain) = if self.colour { ("\x1b[1m", "\x1b[0m") } else { ("", "") };
        let _ = write!(out, "{bold}{who}{plain}");
    }
}

/// Adds a message as one JSON object on one line, in the form of `udp-chat log --json`.
pub fn json(shown: &Shown, out: &mut String) {
    let Shown::Message { time, from, text, .. } = shown else { return };
    let record = Record { time: *time, what: What::Received(*from, text.clone()) };
    let mut line = Vec::new();
    // writing to memory does not fail, and JSON is UTF-8
    let _ = log::json::write_record(&record, &mut line);
    out.push_str(&String::from_utf8_lossy(&line));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_of_many_lines_is_cut_short() {
        let shown = |lines: usize, for_program| {
            let text = vec![b'\n'; lines - 1];
            let from = ([127, 0, 0, 1], 7890).into();
            let mut out = String::new();
            let style = Style::new(Colour::Never, for_program);
            style.text(&Shown::Message { time: 0, from, name: None, text }, &mut out);
            out
        };
        assert_eq!(shown(20, false).lines().count(), 20);
        let cut = shown(65_000, false);
        assert_eq!((cut.lines().count(), cut.lines().last()), (21, Some("... 64,980 more lines (/history)")));
        assert!(shown(21, false).ends_with("\n... 1 more line (/history)\n"));
        assert_eq!(shown(65_000, true).lines().count(), 65_000);
    }
}

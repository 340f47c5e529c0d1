//! The verb `log`: shows the history, or what somebody looks for in it.
//!
//! **How it works.** Lines come out as they stand in the file, escaped; `--json` gives the message itself. Whatever
//! program wrote the file, no raw control character comes out. The file is read while it may be written, in constant
//! memory; see [`read`].
//!
//! **Exit codes.** As `grep` has them: 0 if there was a line, 1 if not. Whoever stops reading early (`| head`) gets no
//! complaint.

pub mod json;
mod since;

use std::fs::File;
use std::io::{self, BufWriter, ErrorKind, Write};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use common::exit::{DONE, FAILED, Failure};

use crate::escape::clean_into;
use crate::history::read::{self, Query, Who};
use crate::history::{DEFAULT_FILE, Line, why};

const EXAMPLES: &str = "\
Examples:
  udp-chat log -n 20                           the last 20 lines
  udp-chat log --since 2h --peer 192.168.1.5   the last two hours with one address
  udp-chat log --grep 'lunch?'                 every message that contains this, to the letter
  udp-chat log --json | jq -r .text            the messages themselves, escapes undone

Lines, with times in UTC:
  TIME <<<(ADDRESS, PORT):TEXT     sent
  TIME >>>('ADDRESS', PORT):TEXT   received
  TIME # NOTE                      a note, for example what was not delivered or not saved
Files without times, by --log-format classic or the Python program, can be read as well.

Exit codes: 0 there was a line, 1 there was none or the file cannot be read, 2 wrong usage";

/// Show the history, or what you look for in it
#[derive(Debug, Clone, Default, Args)]
#[command(after_help = EXAMPLES)]
pub struct LogArguments {
    /// One JSON object a line: time, direction (sent, received, note, other), address, port, text
    #[arg(long)]
    pub json: bool,

    /// Not older than: 2026-11-20, 2026-11-20T21:45 (local time; with Z: UTC), or 90m, 2h, 3d ago. Lines without a
    /// time are left out
    #[arg(long, value_name = "WHEN", value_parser = since::parse)]
    pub since: Option<u64>,

    /// Only what was sent to or came from this address
    #[arg(long, value_name = "IP[:PORT]")]
    pub peer: Option<Who>,

    /// Only messages that contain this text, to the letter
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true)]
    pub grep: Option<String>,

    /// Only the last N of them
    #[arg(short = 'n', value_name = "N")]
    pub last: Option<usize>,

    /// The history file [default: ./chat.txt]
    #[arg(value_name = "FILE")]
    pub file: Option<PathBuf>,
}

/// Shows what was asked for.
///
/// # Errors
/// The file cannot be read, or stdout cannot be written to.
pub fn log(arguments: &LogArguments) -> Result<ExitCode, Failure> {
    let path = arguments.file.as_deref().unwrap_or(Path::new(DEFAULT_FILE));
    let file = File::open(path).map_err(|error| unreadable(path, &error))?;
    let mut out = BufWriter::with_capacity(64 * 1024, io::stdout().lock());
    let mut shown = Shown::default();
    show(&file, arguments, &mut out, &mut shown).map_err(|error| unreadable(path, &error))?;
    // one that was closed has been told about already
    let flushed = if shown.failed.is_none() { out.flush() } else { Ok(()) };
    match shown.failed.or(flushed.err()) {
        Some(error) if error.kind() != ErrorKind::BrokenPipe => {
            Err(Failure::failed(format_args!("cannot write to stdout: {}", why(&error))))
        }
        None if !shown.any => Ok(ExitCode::from(FAILED)),
        _ => Ok(ExitCode::from(DONE)),
    }
}

fn unreadable(path: &Path, error: &io::Error) -> Failure {
    let hint = match error.kind() {
        ErrorKind::NotFound => ": name the history file, udp-chat log FILE",
        ErrorKind::NotSeekable => ": -n needs a file and not a pipe",
        _ => "",
    };
    Failure::failed(format_args!("cannot read {}: {}{hint}", path.display(), why(error)))
}

/// What came of the showing.
#[derive(Debug, Default)]
struct Shown {
    any: bool,
    failed: Option<io::Error>,
}

fn show(file: &File, arguments: &LogArguments, out: &mut impl Write, shown: &mut Shown) -> io::Result<()> {
    let query = Query { since: arguments.since, peer: arguments.peer, text: arguments.grep.clone() };
    let mut text = Vec::new();
    let each = |line: &[u8], parsed: &Line<'_>| {
        shown.any = true;
        text.clear();
        let written = if arguments.json {
            json::write(&json::Message::of(parsed), &mut text)
        } else {
            clean_into(line, &mut text);
            text.push(b'\n');
            Ok(())
        };
        match written.and_then(|()| out.write_all(&text)) {
            Ok(()) => ControlFlow::Continue(()),
            Err(error) => {
                shown.failed = Some(error);
                ControlFlow::Break(())
            }
        }
    };
    match arguments.last {
        Some(most) => read::scan_last(file, most, &query, each),
        None => read::scan(file, &query, each),
    }
}

#[cfg(test)]
mod tests;

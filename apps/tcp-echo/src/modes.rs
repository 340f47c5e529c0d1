//! `--list-modes`: every mode with what runs, its options and what a crash ends.

use std::io::{self, Write};

use clap::ValueEnum;
use serde::Serialize;

use crate::about::{About, CrashEnds, Serves};
use crate::mode_options::ModeOptions;
use crate::model::{Mode, Model};

/// A mode, for a machine.
#[derive(Serialize)]
struct Entry {
    #[serde(flatten)]
    about: &'static About,
    /// What a crash in one handler ends, with the default options.
    crash_ends: CrashEnds,
}

/// Prints them.
///
/// # Errors
/// stdout cannot be written.
pub fn list(json: bool) -> io::Result<()> {
    let mut out = io::stdout().lock();
    let modes = Mode::value_variants();
    if json {
        let entries: Vec<Entry> =
            modes.iter().map(|mode| Entry { about: mode.about(), crash_ends: crash_ends(*mode) }).collect();
        serde_json::to_writer_pretty(&mut out, &entries)?;
        return writeln!(out);
    }
    row(&mut out, ["--mode", "what runs", "served at a time", "a crash ends", "options, the default first"])?;
    for mode in modes {
        let about = mode.about();
        let serves = match about.serves {
            Serves::One => "one",
            Serves::AsManyAsWorkers => "the workers",
            Serves::AsManyAsCome => "all",
        };
        let crash = match crash_ends(*mode) {
            CrashEnds::ItsConnection => "its connection",
            CrashEnds::Everything => "everything",
        };
        let choices: Vec<String> = about.choices.iter().map(ToString::to_string).collect();
        row(&mut out, [about.name, about.runs, serves, crash, &choices.join("  ")])?;
    }
    writeln!(out, "\n(with pool --of processes, a crash ends its connection)")
}

fn row(out: &mut impl Write, [mode, runs, serves, crash, options]: [&str; 5]) -> io::Result<()> {
    let line = format!("{mode:<11} {runs:<49} {serves:<17} {crash:<15} {options}");
    writeln!(out, "{}", line.trim_end())
}

fn crash_ends(mode: Mode) -> CrashEnds {
    Model::new(mode, &ModeOptions::default()).map_or(CrashEnds::Everything, |model| model.needs(1).crash)
}

//! `--list-modes`: every mode with what runs, its options and what a crash ends.

use std::io::{self, Write};

use clap::ValueEnum;
use serde::Serialize;

use crate::cli::ModeOptions;
use crate::model::{About, Mode, Model, Serves};

/// A mode, for a machine.
#[derive(Serialize)]
struct Entry {
    #[serde(flatten)]
    about: &'static About,
    /// What a crash in one handler ends, with the default options.
    crash_ends: crate::model::CrashEnds,
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
    writeln!(
        out,
        "{:<11} {:<58} {:<22} options (the default first)",
        "--mode", "what runs", "connections at a time"
    )?;
    for mode in modes {
        let about = mode.about();
        let serves = match about.serves {
            Serves::One => "one",
            Serves::AsManyAsWorkers => "as many as workers",
            Serves::AsManyAsCome => "as many as come",
        };
        let choices: Vec<String> = about.choices.iter().map(ToString::to_string).collect();
        let line = format!("{:<11} {:<58} {serves:<22} {}", about.name, about.runs, choices.join("  "));
        writeln!(out, "{}", line.trim_end())?;
    }
    Ok(())
}

fn crash_ends(mode: Mode) -> crate::model::CrashEnds {
    Model::new(mode, &ModeOptions::default())
        .map_or(crate::model::CrashEnds::Everything, |model| model.needs(1).crash)
}

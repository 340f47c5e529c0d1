//! How a run is told: as text, or as one line of JSON.

use std::env;
use std::io::{self, IsTerminal};

use common::exit::Failure;
use serde::Serialize;
use serde_json::{Map, Value};

use crate::lesson::{Example, Lesson, Saw};
use crate::stage::{Event, Stage};
use crate::wrap;

/// What an example left behind that was not there before it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub(crate) struct LeftBehind {
    pub(crate) processes: usize,
    pub(crate) descriptors: usize,
}

/// A run, for programs.
#[derive(Serialize)]
struct Told<'a> {
    lesson: &'a str,
    example: &'a str,
    rows: &'a [u8],
    events: Vec<Event>,
    /// More happened than is told.
    cut: bool,
    saw: &'a [String],
    notes: &'a [&'static str],
    facts: &'a Map<String, Value>,
    shown: bool,
    left_behind: LeftBehind,
}

/// What the events of a run are made of.
const COLUMNS: &str = "       time  who          process   what\n";

/// What stands above a run.
pub(crate) fn heading(lesson: &Lesson, example: &Example) -> String {
    let name = format!("{}/{}", lesson.name, example.name);
    // NO_COLOR means: no decoration, https://no-color.org
    let plain = !io::stdout().is_terminal() || env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    let text =
        wrap::wrap(&format!("{name}: "), example.about, 2, wrap::columns().unwrap_or(usize::MAX)) + COLUMNS;
    if plain { text } else { text.replacen(&name, &format!("\x1b[1m{name}\x1b[0m"), 1) }
}

/// What stands below it.
pub(crate) fn ending(stage: &Stage, saw: &Saw) -> String {
    let more = if stage.is_full() { "  (more happened than is remembered)\n" } else { "" };
    let width = wrap::width();
    let listed = |sentences: &mut dyn Iterator<Item = &str>| -> String {
        sentences.map(|sentence| wrap::wrap("  - ", sentence, 4, width)).collect()
    };
    let said = listed(&mut saw.said.iter().map(String::as_str));
    let notes = listed(&mut saw.notes.iter().copied());
    let know = if notes.is_empty() { "" } else { "good to know:\n" };
    format!("{more}what you saw:\n{said}{know}{notes}\n")
}

/// The line.
pub(crate) fn json(
    (lesson, example): (&Lesson, &Example),
    stage: &Stage,
    saw: &Saw,
    left_behind: LeftBehind,
) -> Result<String, Failure> {
    let told = Told {
        lesson: lesson.name,
        example: example.name,
        rows: example.rows,
        events: stage.events(),
        cut: stage.is_full(),
        saw: &saw.said,
        notes: &saw.notes,
        facts: &saw.facts,
        shown: saw.shown,
        left_behind,
    };
    Ok(serde_json::to_string(&told).map_err(Failure::failed)? + "\n")
}

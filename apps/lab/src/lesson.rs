//! What a lesson is: plain data. What it does is a function for each example.

use std::panic::Location;

use common::exit::Failure;
use serde::Serialize;
use serde_json::{Map, Value};

use crate::stage::Stage;

/// A lesson.
#[derive(Debug, Serialize)]
pub struct Lesson {
    /// One word.
    pub name: &'static str,
    /// What it demonstrates, in a few words.
    pub title: &'static str,
    /// What it demonstrates, in a few sentences.
    pub about: &'static str,
    /// What to look for when it runs.
    pub look_for: &'static str,
    /// Its code, from the top of the source tree: `file!()`.
    pub file: &'static str,
    /// Its examples, in the order in which they are to be read.
    pub examples: &'static [Example],
}

impl Lesson {
    /// Where its code is: a file, or a folder.
    #[must_use]
    pub fn place(&self) -> &'static str {
        self.file.strip_suffix("mod.rs").unwrap_or(self.file)
    }
}

/// An example.
#[derive(Debug, Serialize)]
pub struct Example {
    /// One word, or two with a hyphen.
    pub name: &'static str,
    /// What it shows.
    pub about: &'static str,
    /// Which examples of the tutorials it is the counterpart of: the numbers of docs/tutorials.md.
    pub rows: &'static [u8],
    /// Does it.
    #[serde(skip)]
    pub run: fn(&Stage) -> Result<Saw, Failure>,
    /// Where it stands: the file, from the top of the source tree, and the line at which this was made.
    pub file: &'static str,
    /// See [`Self::file`].
    pub line: u32,
}

impl Example {
    /// An example; it stands where this is called, right above the function that does it.
    #[must_use]
    #[track_caller]
    pub(crate) const fn new(
        name: &'static str,
        about: &'static str,
        rows: &'static [u8],
        run: fn(&Stage) -> Result<Saw, Failure>,
    ) -> Self {
        let here = Location::caller();
        Self { name, about, rows, run, file: here.file(), line: here.line() }
    }
}

/// What was seen in a run: sentences for people and facts for programs, both made from the run.
#[derive(Debug)]
pub struct Saw {
    /// By name.
    pub facts: Map<String, Value>,
    /// Two or three sentences, each made from what happened.
    pub said: Vec<String>,
    /// What is so whatever happened: why, and how it is in Python.
    pub notes: Vec<&'static str>,
    /// What the example is for was seen.
    pub shown: bool,
}

impl Default for Saw {
    fn default() -> Self {
        Self::new()
    }
}

impl Saw {
    /// Nothing yet.
    #[must_use]
    pub fn new() -> Self {
        Self { facts: Map::new(), said: Vec::new(), notes: Vec::new(), shown: true }
    }

    /// A fact. (What cannot be written as JSON is `null`.)
    #[must_use]
    pub fn fact(mut self, name: &str, value: impl Serialize) -> Self {
        self.facts.insert(name.to_owned(), serde_json::to_value(value).unwrap_or(Value::Null));
        self
    }

    /// A sentence on what was seen. (A text that stands in the program already has not been seen: that is a [`Self::note`].)
    #[must_use]
    pub fn say(mut self, sentence: String) -> Self {
        self.said.push(sentence);
        self
    }

    /// A sentence beside it.
    #[must_use]
    pub fn note(mut self, sentence: &'static str) -> Self {
        self.notes.push(sentence);
        self
    }

    /// Whether this, too, came out as it should.
    #[must_use]
    pub fn shown(mut self, shown: bool) -> Self {
        self.shown &= shown;
        self
    }
}

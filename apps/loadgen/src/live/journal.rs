//! The lines for programs, written as things happen: `-o FILE.ndjson` and `--format ndjson`.
//!
//! How: the conductor's thread writes each line at once and whole. A file that cannot be written any more is given up and
//! told of at the end; everything else goes on, so that nothing that was measured is lost. A reader of stdout that has
//! gone away is no failure.

use std::fs::File;
use std::io;
use std::os::fd::AsFd;

use common::exit::Failure;

use super::outlet::Outlet;
use crate::plan::{Format, Manner, Printed};
use crate::report::ndjson::{self, Line};

/// All places that get these lines.
#[derive(Debug)]
pub(super) struct Journal {
    sinks: Vec<Sink>,
    failure: Option<Failure>,
}

#[derive(Debug)]
struct Sink {
    /// The file; none for stdout.
    name: Option<String>,
    outlet: Outlet,
}

impl Journal {
    /// Opens what was asked for.
    ///
    /// # Errors
    /// A file cannot be opened: better now than when something has been measured.
    pub(super) fn open(manner: &Manner) -> Result<Self, Failure> {
        let mut sinks = Vec::new();
        for output in manner.outputs.iter().filter(|output| output.format == Format::Ndjson) {
            let name = output.path.display().to_string();
            let file = File::create(&output.path).map_err(|e| cannot_write(&name, &e))?;
            sinks.push(Sink { name: Some(name), outlet: Outlet::new(file) });
        }
        if manner.printed == Printed::As(Format::Ndjson) {
            let copy = io::stdout().as_fd().try_clone_to_owned();
            let copy = copy.map_err(|e| Failure::failed(format!("cannot write to stdout: {e}")))?;
            sinks.push(Sink { name: None, outlet: Outlet::new(copy.into()) });
        }
        Ok(Self { sinks, failure: None })
    }

    /// Whether anybody gets lines.
    #[must_use]
    pub(super) fn is_wanted(&self) -> bool {
        !self.sinks.is_empty()
    }

    /// Writes a line.
    pub(super) fn add(&mut self, line: &Line<'_>) {
        if self.is_wanted() {
            let text = ndjson::render(line);
            self.each(|outlet| outlet.add(&text));
        }
    }

    /// Writes what a reader was too slow for before.
    pub(super) fn go_on(&mut self) {
        self.each(|outlet| outlet.add(""));
    }

    /// Waits until all readers have all lines.
    pub(super) fn finish(&mut self) {
        self.each(Outlet::finish);
    }

    /// What could not be written.
    pub(super) fn failure(&mut self) -> Option<Failure> {
        self.failure.take()
    }

    fn each(&mut self, act: impl Fn(&mut Outlet) -> io::Result<()>) {
        let failure = &mut self.failure;
        self.sinks.retain_mut(|sink| match (act(&mut sink.outlet), &sink.name) {
            (Ok(()), _) => true,
            (Err(e), None) if e.kind() == io::ErrorKind::BrokenPipe => false,
            (Err(e), name) => {
                failure.get_or_insert(cannot_write(name.as_deref().unwrap_or("to stdout"), &e));
                false
            }
        });
    }
}

fn cannot_write(name: &str, error: &io::Error) -> Failure {
    Failure::failed(format!("cannot write {name}: {error}: choose another file with -o"))
}

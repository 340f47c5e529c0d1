//! `lab run`: runs examples one after the other, tells each, and looks at what it left behind.

use std::fs;
use std::io::{self, Write};
use std::process::ExitCode;

use common::exit::{DONE, Failure, print};

use crate::cli::RunOptions;
use crate::lesson::{Example, Lesson};
use crate::lessons::{self, LESSONS};
use crate::report::{self, LeftBehind};
use crate::stage::Stage;

/// An example ran, but did not show what it is for.
const NOT_SHOWN: u8 = 3;

/// What became of an example.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// It showed what it is for.
    Shown,
    /// It did not.
    NotShown,
    /// Nobody reads what is told.
    NobodyReads,
}

/// Runs what was asked for.
///
/// # Errors
/// There is no such lesson, an example failed or left something behind, or stdout cannot be written.
pub fn run(options: &RunOptions) -> Result<ExitCode, Failure> {
    let mut code = DONE;
    for (lesson, example) in asked_for(options)? {
        match run_one((lesson, example), options.json, options.original_pace)? {
            Outcome::Shown => {}
            Outcome::NotShown => code = complain(lesson, example),
            Outcome::NobodyReads => break,
        }
    }
    Ok(ExitCode::from(code))
}

/// Tells that an example did not show what it is for, and gives the exit code for that.
pub(crate) fn complain(lesson: &Lesson, example: &Example) -> u8 {
    let name = format!("{}/{}", lesson.name, example.name);
    let _ = writeln!(io::stderr(), "error: {name} did not show what it is for: see what it says");
    NOT_SHOWN
}

fn asked_for(options: &RunOptions) -> Result<Vec<(&'static Lesson, &'static Example)>, Failure> {
    if options.all {
        return Ok(LESSONS.iter().flat_map(|l| l.examples.iter().map(move |e| (l, e))).collect());
    }
    let mut asked = Vec::new();
    for name in &options.lessons {
        let (lesson, examples) = lessons::find(name)?;
        asked.extend(examples.into_iter().map(|example| (lesson, example)));
    }
    Ok(asked)
}

/// Runs an example and tells it.
pub(crate) fn run_one(
    (lesson, example): (&Lesson, &Example),
    json: bool,
    original_pace: bool,
) -> Result<Outcome, Failure> {
    let name = format!("{}/{}", lesson.name, example.name);
    let failed = |what: &dyn std::fmt::Display| Failure::failed(format!("{name}: {what}"));
    if !json && !print(report::heading(lesson, example).as_bytes())? {
        return Ok(Outcome::NobodyReads);
    }
    let stage = Stage::new(!json, original_pace).map_err(|e| failed(&e))?;
    let before = belongings().map_err(|e| failed(&e))?;
    let saw = (example.run)(&stage).map_err(|failure| failed(&failure.message))?;
    let after = belongings().map_err(|e| failed(&e))?;
    let left_behind = LeftBehind {
        processes: after.processes.saturating_sub(before.processes),
        descriptors: after.descriptors.saturating_sub(before.descriptors),
    };
    let told = if json {
        report::json((lesson, example), &stage, &saw, left_behind)?
    } else {
        report::ending(&stage, &saw)
    };
    let read = print(told.as_bytes())?;
    if left_behind != LeftBehind::default() {
        let LeftBehind { processes, descriptors } = left_behind;
        return Err(failed(&format!(
            "a bug: it left {processes} processes and {descriptors} descriptors behind"
        )));
    }
    Ok(match (read, saw.shown) {
        (false, _) => Outcome::NobodyReads,
        (true, true) => Outcome::Shown,
        (true, false) => Outcome::NotShown,
    })
}

/// Children (those that have ended and were not waited for among them) and open descriptors of this process.
fn belongings() -> io::Result<LeftBehind> {
    let mut processes = 0;
    for thread in fs::read_dir("/proc/self/task")? {
        // (a thread may have gone meanwhile, and a kernel may not tell)
        let children = fs::read_to_string(thread?.path().join("children")).unwrap_or_default();
        processes += children.split_whitespace().count();
    }
    Ok(LeftBehind { processes, descriptors: fs::read_dir("/proc/self/fd")?.count() })
}

//! `lab show`.

use std::io::{self, Write};
use std::process::ExitCode;

use common::exit::{DONE, Failure};

use crate::lessons;
use crate::report;

/// Says what a lesson demonstrates, what to look for, and where its code is.
///
/// # Errors
/// There is no such lesson, or stdout cannot be written.
pub fn show(name: &str) -> Result<ExitCode, Failure> {
    let (lesson, examples) = lessons::find(name)?;
    let mut text = format!("{}: {}\n\n{}\n\n", lesson.name, lesson.title, lesson.about);
    text += &format!("What to look for: {}\n\nThe code: {}\n\nExamples:\n", lesson.look_for, lesson.file);
    for example in examples {
        let command = format!("lab run {}/{}", lesson.name, example.name);
        let rows: Vec<String> = example.rows.iter().map(ToString::to_string).collect();
        text += &format!("  {command:<32} {} (in the tutorials: {})\n", example.about, rows.join(", "));
    }
    report::printed(io::stdout().write_all(text.as_bytes()))?;
    Ok(ExitCode::from(DONE))
}

//! `lab show`.

use std::process::ExitCode;

use common::exit::{DONE, Failure, print};

use crate::lessons;
use crate::wrap;

/// Where the text beside a command begins.
const COLUMN: usize = 35;

/// Says what a lesson demonstrates, what to look for, and where its code is.
///
/// # Errors
/// There is no such lesson, or stdout cannot be written.
pub fn show(name: &str) -> Result<ExitCode, Failure> {
    let (lesson, examples) = lessons::find(name)?;
    let width = wrap::width();
    let mut text = wrap::wrap(&format!("{}: ", lesson.name), lesson.title, 0, width);
    text += &format!("\n{}\n", wrap::wrap("", lesson.about, 0, width));
    text += &format!("{}\n", wrap::wrap("What to look for: ", lesson.look_for, 0, width));
    if let ([example], true) = (&examples[..], name.contains('/')) {
        text += &format!("The code: {}:{}\n\nThe example", example.file, example.line);
    } else {
        text += &format!("The code: {}\n\nThe examples", lesson.place());
    }
    text += ", with the numbers of docs/tutorials.md and where the code begins:\n";
    for example in examples {
        let command = format!("lab run {}/{}", lesson.name, example.name);
        let rows: Vec<String> = example.rows.iter().map(ToString::to_string).collect();
        let file = example.file.rsplit('/').next().unwrap_or(example.file);
        let about = format!("{} ({}; {file}:{})", example.about, rows.join(", "), example.line);
        text += &wrap::wrap(&format!("  {command:<32} "), &about, COLUMN, width);
    }
    print(text.as_bytes())?;
    Ok(ExitCode::from(DONE))
}

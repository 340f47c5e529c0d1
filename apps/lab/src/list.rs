//! `lab list`.

use std::io::{self, Write};
use std::process::ExitCode;

use common::exit::{DONE, Failure};

use crate::lessons::LESSONS;
use crate::report;

/// Lists the lessons and their examples.
///
/// # Errors
/// stdout cannot be written.
pub fn list(json: bool) -> Result<ExitCode, Failure> {
    let mut text = String::new();
    if json {
        text = serde_json::to_string_pretty(LESSONS).map_err(Failure::failed)? + "\n";
    } else {
        for lesson in LESSONS {
            let names: Vec<&str> = lesson.examples.iter().map(|example| example.name).collect();
            text += &format!("{:<11} {}\n", lesson.name, lesson.title);
            text += &format!("{:<11}   {}\n", "", names.join(", "));
        }
        text += "\nlab run LESSON or LESSON/EXAMPLE runs one, lab run --all runs everything, lab show LESSON explains it\n";
    }
    report::printed(io::stdout().write_all(text.as_bytes()))?;
    Ok(ExitCode::from(DONE))
}

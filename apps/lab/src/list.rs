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
        text += "\n\
                 lab tour               walks through all lessons, in this order\n\
                 lab show process       what a lesson demonstrates, and what to look for\n\
                 lab run process        all examples of a lesson; lab run --all: of all lessons\n\
                 lab run process/join   one example\n";
    }
    report::printed(io::stdout().write_all(text.as_bytes()))?;
    Ok(ExitCode::from(DONE))
}

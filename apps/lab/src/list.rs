//! `lab list`.

use std::process::ExitCode;

use common::exit::{DONE, Failure, print};

use crate::lessons::LESSONS;
use crate::wrap;

/// Where the text beside a name begins.
const COLUMN: usize = 12;

/// Lists the lessons and their examples.
///
/// # Errors
/// stdout cannot be written.
pub fn list(json: bool) -> Result<ExitCode, Failure> {
    let mut text = String::new();
    if json {
        text = serde_json::to_string_pretty(LESSONS).map_err(Failure::failed)? + "\n";
    } else {
        let width = wrap::width();
        for lesson in LESSONS {
            let names: Vec<&str> = lesson.examples.iter().map(|example| example.name).collect();
            text += &wrap::wrap(&format!("{:<11} ", lesson.name), lesson.title, COLUMN, width);
            text += &wrap::wrap(&format!("{:<COLUMN$}  ", ""), &names.join(", "), COLUMN + 2, width);
        }
        text += "\n\
                 lab tour               walks through all lessons, in this order\n\
                 lab show process       what a lesson demonstrates, what to look for, where its code is\n\
                 lab run process        all examples of a lesson; lab run --all: of all lessons\n\
                 lab run process/join   one example\n";
    }
    print(text.as_bytes())?;
    Ok(ExitCode::from(DONE))
}

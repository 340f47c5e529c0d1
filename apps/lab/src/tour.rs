//! `lab tour`: all lessons in their order, each with what to look for, at the reader's pace.

use std::io::{self, BufRead, IsTerminal};
use std::process::ExitCode;

use common::exit::{DONE, Failure, print};

use crate::cli::TourOptions;
use crate::lesson::{Example, Lesson};
use crate::lessons::{self, LESSONS};
use crate::run::{Outcome, complain, run_one};
use crate::wrap;

/// Walks through the lessons. On a terminal it waits between them for the reader; without one it goes straight on.
///
/// # Errors
/// There is no such lesson, an example failed or left something behind, or the terminal cannot be read or written.
pub fn tour(options: &TourOptions) -> Result<ExitCode, Failure> {
    let from = match &options.from {
        Some(name) => lessons::find(name)?.0.name,
        None => LESSONS[0].name,
    };
    let attended = io::stdin().is_terminal() && io::stdout().is_terminal();
    let mut code = DONE;
    // (who starts the tour wants its first example)
    let mut answered = true;
    if attended && !print("Enter goes on, q and Enter ends the tour.\n\n".as_bytes())? {
        return Ok(ExitCode::from(code));
    }
    let to_go = LESSONS.iter().enumerate().skip_while(|(_, lesson)| lesson.name != from);
    for (number, lesson) in to_go {
        for (place, example) in lesson.examples.iter().enumerate() {
            let begins = place == 0;
            if attended && !answered {
                match ask(lesson, (!begins).then_some(example))? {
                    Answer::Next => {}
                    Answer::NextLesson => {
                        answered = true;
                        break;
                    }
                    Answer::End => return Ok(ExitCode::from(code)),
                }
            }
            answered = false;
            if begins && !print(introduction(number, lesson).as_bytes())? {
                return Ok(ExitCode::from(code));
            }
            match run_one((lesson, example), false, options.original_pace)? {
                Outcome::Shown => {}
                Outcome::NotShown => code = complain(lesson, example),
                Outcome::NobodyReads => return Ok(ExitCode::from(code)),
            }
        }
    }
    Ok(ExitCode::from(code))
}

fn introduction(number: usize, lesson: &Lesson) -> String {
    let Lesson { name, title, about, look_for, .. } = lesson;
    let heading = format!("lesson {} of {}, {name}: {title}", number + 1, LESSONS.len());
    let width = wrap::width();
    let line = "=".repeat(heading.chars().count().min(width));
    let (about, look_for) =
        (wrap::wrap("", about, 0, width), wrap::wrap("What to look for: ", look_for, 0, width));
    format!("{}{line}\n{about}{look_for}The code: {}\n\n", wrap::wrap("", &heading, 0, width), lesson.place())
}

/// What the reader wants.
enum Answer {
    Next,
    NextLesson,
    End,
}

/// Asks the reader whether to go on: with this example of the lesson, or with the lesson. The end of the input is a no.
fn ask(lesson: &Lesson, example: Option<&Example>) -> Result<Answer, Failure> {
    let question = match example {
        Some(example) => {
            format!("Enter for {}/{}, l for the next lesson, q to end: ", lesson.name, example.name)
        }
        None => format!("Enter for the next lesson ({}), q to end: ", lesson.name),
    };
    if !print(question.as_bytes())? {
        return Ok(Answer::End);
    }
    let mut answer = String::new();
    let read = io::stdin().lock().read_line(&mut answer);
    let read = read.map_err(|e| Failure::failed(format!("cannot read from the terminal: {e}")))?;
    if read == 0 {
        // the prompt's line has not ended
        print("\n".as_bytes())?;
    }
    Ok(match answer.trim().to_lowercase().as_str() {
        _ if read == 0 => Answer::End,
        "q" => Answer::End,
        "l" if example.is_some() => Answer::NextLesson,
        _ => Answer::Next,
    })
}

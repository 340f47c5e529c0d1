//! The lessons, in the order of the tour: one file each, or a folder whose `mod.rs` says what the lesson demonstrates and whose other
//! files show one thing each.

mod class;
mod deadlock;
pub(crate) mod globals;
mod manager;
mod mutex;
mod parallel;
mod pipe;
pub(crate) mod pool;
mod process;
mod queue;
mod race;
mod subprocess;
pub(crate) mod thread;
mod together;

use std::ffi::OsString;

use common::exit::Failure;

use crate::lesson::{Example, Lesson};
use crate::nearest::nearest;

/// All of them.
pub const LESSONS: &[Lesson] = &[
    process::LESSON,
    thread::LESSON,
    class::LESSON,
    globals::LESSON,
    race::LESSON,
    mutex::LESSON,
    deadlock::LESSON,
    queue::LESSON,
    pipe::LESSON,
    manager::LESSON,
    pool::LESSON,
    subprocess::LESSON,
    parallel::LESSON,
];

/// The examples that `LESSON` or `LESSON/EXAMPLE` means.
///
/// # Errors
/// There is no such lesson or example; the message has the one that may have been meant, or lists all.
pub fn find(name: &str) -> Result<(&'static Lesson, Vec<&'static Example>), Failure> {
    let (lesson, example) =
        name.split_once('/').map_or((name, None), |(lesson, example)| (lesson, Some(example)));
    let Some(found) = LESSONS.iter().find(|l| l.name == lesson) else {
        let lessons: Vec<&str> = LESSONS.iter().map(|l| l.name).collect();
        let meant = nearest(lesson, &lessons).map(str::to_owned).or_else(|| example_called(name));
        return Err(unknown("lesson", lesson, meant, "lab list", &lessons));
    };
    let examples: Vec<&Example> =
        found.examples.iter().filter(|e| example.is_none_or(|name| e.name == name)).collect();
    if examples.is_empty() {
        let all: Vec<String> = found.examples.iter().map(|e| format!("{lesson}/{}", e.name)).collect();
        let all: Vec<&str> = all.iter().map(String::as_str).collect();
        let meant = nearest(name, &all).map(str::to_owned);
        return Err(unknown("example", name, meant, &format!("lab show {lesson}"), &all));
    }
    Ok((found, examples))
}

/// `LESSON/EXAMPLE`, for who knows the example only.
fn example_called(name: &str) -> Option<String> {
    let found = |lesson: &Lesson| lesson.examples.iter().any(|example| example.name == name);
    LESSONS.iter().find(|lesson| found(lesson)).map(|lesson| format!("{}/{name}", lesson.name))
}

/// What is said to who gives a word that is no command: it may be a lesson.
#[must_use]
pub fn no_command(words: &[OsString]) -> Failure {
    let word = words.first().map(|word| word.to_string_lossy()).unwrap_or_default();
    if find(&word).is_ok() {
        return Failure::usage(format!(
            "\"{word}\" is a lesson and no command: lab run {word} runs it, lab show {word} explains it"
        ));
    }
    let commands = ["list", "show", "run", "tour"];
    unknown("command", &word, nearest(&word, &commands).map(str::to_owned), "lab --help", &commands)
}

fn unknown(kind: &str, name: &str, meant: Option<String>, help: &str, all: &[&str]) -> Failure {
    let what = meant.map_or_else(
        || format!("there are {}", all.join(", ")),
        |meant| format!("did you mean \"{meant}\"? ({help} shows all)"),
    );
    Failure::usage(format!("no {kind} is called \"{name}\": {what}"))
}

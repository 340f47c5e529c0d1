//! The lessons, in the order of the tour. One file each.

mod class;
mod deadlock;
pub(crate) mod globals;
pub(crate) mod leaving;
mod manager;
mod mutex;
mod parallel;
mod pipe;
pub(crate) mod pool;
mod process;
mod queue;
mod race;
mod subprocess;
mod thread;
mod together;

use common::exit::Failure;

use crate::lesson::{Example, Lesson};

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
/// There is no such lesson or example; the message lists those that there are.
pub fn find(name: &str) -> Result<(&'static Lesson, Vec<&'static Example>), Failure> {
    let (lesson, example) =
        name.split_once('/').map_or((name, None), |(lesson, example)| (lesson, Some(example)));
    let Some(found) = LESSONS.iter().find(|l| l.name == lesson) else {
        let all: Vec<&str> = LESSONS.iter().map(|l| l.name).collect();
        return Err(Failure::usage(format!(
            "no lesson is called \"{lesson}\": there are {}",
            all.join(", ")
        )));
    };
    let examples: Vec<&Example> =
        found.examples.iter().filter(|e| example.is_none_or(|name| e.name == name)).collect();
    if examples.is_empty() {
        let all: Vec<String> = found.examples.iter().map(|e| format!("{lesson}/{}", e.name)).collect();
        return Err(Failure::usage(format!("no example is called \"{name}\": there are {}", all.join(", "))));
    }
    Ok((found, examples))
}

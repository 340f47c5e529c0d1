//! Which concurrency models a tcp-echo has: it is asked, so that a new one can be measured at once.

use std::path::Path;
use std::process::{Command, Stdio};

use common::exit::Failure;
use serde::Deserialize;

/// A model, as `--list-modes --json` describes it; there is more than we need.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(super) struct Mode {
    pub(super) name: String,
    /// How many connections it serves at a time.
    pub(super) serves: String,
    #[serde(default)]
    choices: Vec<Choice>,
}

/// An option of a model, and its values if these are words.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
struct Choice {
    option: String,
    values: Vec<String>,
}

impl Mode {
    /// The values of `--accept`, if it has that.
    pub(super) fn ways_to_accept(&self) -> &[String] {
        self.choices.iter().find(|choice| choice.option == "--accept").map_or(&[], |choice| &choice.values)
    }
}

/// Asks the server program.
///
/// # Errors
/// It cannot be run, or does not answer as tcp-echo does.
pub(super) fn offered_by(server: &Path) -> Result<Vec<Mode>, Failure> {
    let failed = |why: String| {
        let program = server.display();
        Failure::failed(format!(
            "{program} does not say which modes it has ({why}): is it tcp-echo, and of this version?"
        ))
    };
    let mut ask = Command::new(server);
    ask.args(["--list-modes", "--json"]).stdin(Stdio::null()).stderr(Stdio::null());
    let answer = ask.output().map_err(|e| failed(e.to_string()))?;
    if !answer.status.success() {
        return Err(failed(answer.status.to_string()));
    }
    serde_json::from_slice(&answer.stdout).map_err(|e| failed(e.to_string()))
}

/// Those that the user named, each once; `all` is all of them.
///
/// # Errors
/// One is not there; the message lists those that are.
pub(super) fn chosen(names: &[String], offered: &[Mode]) -> Result<Vec<Mode>, Failure> {
    let mut chosen: Vec<Mode> = Vec::new();
    for name in names {
        let found: Vec<&Mode> = offered.iter().filter(|mode| name == "all" || mode.name == *name).collect();
        if found.is_empty() {
            let names: Vec<&str> = offered.iter().map(|mode| mode.name.as_str()).collect();
            return Err(Failure::usage(format!(
                "--modes {name}: there is no such mode; choose from all, {}",
                names.join(", ")
            )));
        }
        found.into_iter().for_each(|mode| {
            if !chosen.contains(mode) {
                chosen.push(mode.clone());
            }
        });
    }
    Ok(chosen)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn offered() -> Vec<Mode> {
        let mode = |name: &str| Mode { name: name.to_owned(), serves: "one".to_owned(), choices: Vec::new() };
        ["thread", "pool", "uring"].map(mode).to_vec()
    }

    #[test]
    fn all_are_all_and_each_comes_once() {
        let names = |list: &[&str]| {
            let list: Vec<String> = list.iter().map(ToString::to_string).collect();
            chosen(&list, &offered()).map(|modes| modes.into_iter().map(|mode| mode.name).collect::<Vec<_>>())
        };
        assert_eq!(names(&["all"]).unwrap(), ["thread", "pool", "uring"]);
        assert_eq!(names(&["uring", "all", "uring"]).unwrap(), ["uring", "thread", "pool"]);
        let refused = names(&["threads"]).unwrap_err();
        assert_eq!(refused.code, common::exit::USAGE);
        assert!(refused.message.contains("all, thread, pool, uring"), "{}", refused.message);
    }
}

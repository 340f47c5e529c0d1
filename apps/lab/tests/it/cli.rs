//! The command line.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::process::{Command, Stdio};

use crate::program::{Run, lab};

#[test]
fn every_lesson_is_listed_and_can_be_shown() {
    let listed = lab(&["list", "--json"]);
    let lessons: Vec<serde_json::Value> = serde_json::from_str(&listed.stdout).unwrap();
    assert!(!lessons.is_empty());
    let text = lab(&["list"]).stdout;
    for lesson in &lessons {
        let name = lesson["name"].as_str().unwrap();
        assert!(text.contains(name), "{name} in {text}");
        let shown = lab(&["show", name]);
        assert_eq!(shown.code, Some(0), "{shown:?}");
        assert!(shown.stdout.lines().all(|line| line.chars().count() <= 100), "{shown:?}");
        let file = lesson["file"].as_str().unwrap();
        let place = file.strip_suffix("mod.rs").unwrap_or(file);
        assert!(shown.stdout.contains(&format!("The code: {place}\n")), "{shown:?}");
        assert!(shown.stdout.contains("What to look for") && lines_of(file).len() <= SCREENS, "{file}");
        for example in lesson["examples"].as_array().unwrap() {
            let name = format!("{name}/{}", example["name"].as_str().unwrap());
            assert!(shown.stdout.contains(&name), "{shown:?}");
            the_code_is_where_it_is_said_to_be(&name, example);
        }
    }
}

/// What a learner opens fits two screens.
const SCREENS: usize = 125;

fn lines_of(file: &str) -> Vec<String> {
    let path = format!("{}/../../{file}", env!("CARGO_MANIFEST_DIR"));
    let text = fs::read_to_string(&path).unwrap_or_else(|e| panic!("{path}: {e}"));
    text.lines().map(str::to_owned).collect()
}

/// The line has the example's name, and the function follows at once.
fn the_code_is_where_it_is_said_to_be(name: &str, example: &serde_json::Value) {
    let (file, line) = (example["file"].as_str().unwrap(), example["line"].as_u64().unwrap());
    let shown = lab(&["show", name]).stdout;
    assert!(shown.contains(&format!("The code: {file}:{line}\n")), "{shown}");
    let lines = lines_of(file);
    assert!(lines.len() <= SCREENS, "{file} has {} lines", lines.len());
    let code = lines[line as usize - 1..].iter().take(8).fold(String::new(), |code, line| code + line + "\n");
    assert!(code.contains(&format!("\"{}\"", name.split_once('/').unwrap().1)), "{name}: {code}");
    assert!(code.contains("(stage: &Stage) -> Result<Saw, Failure> {"), "{name}: {code}");
}

#[test]
fn an_unknown_name_has_the_nearest_one_or_all() {
    for (arguments, right) in [
        (&["run", "nonsense"][..], "there are process, thread, "),
        (&["run", "process/nonsense"], "there are process/start, process/join, "),
        (&["show", "nonsense"], "there are process"),
        (&["run", "proces"], "did you mean \"process\"? (lab list shows all)"),
        (&["show", "process/joi"], "did you mean \"process/join\"? (lab show process shows all)"),
        (&["run", "join"], "did you mean \"process/join\"?"),
        (&["rum"], "did you mean \"run\"? (lab --help shows all)"),
        (&["nonsense"], "there are list, show, run, tour"),
    ] {
        let ended = lab(arguments);
        assert_eq!(ended.code, Some(2), "{ended:?}");
        assert!(ended.stderr.starts_with("error: no ") && ended.stderr.contains(right), "{ended:?}");
        assert_eq!((ended.stderr.lines().count(), ended.stdout.as_str()), (1, ""));
    }
    let ended = lab(&["race", "--json"]);
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(2), ""));
    assert!(ended.stderr.contains("lab run race runs it, lab show race explains it"), "{ended:?}");
    assert_eq!(lab(&["run"]).code, Some(2));
    // what is no text is no name either
    let mut bytes = Command::new(env!("CARGO_BIN_EXE_lab"));
    let ended = bytes.arg(OsStr::from_bytes(b"\xff")).stdout(Stdio::null()).stderr(Stdio::null()).status();
    assert_eq!(ended.unwrap().code(), Some(2));
}

#[test]
fn the_help_teaches() {
    let help = lab(&["--help"]);
    assert_eq!(help.code, Some(0));
    for word in ["Examples:", "Exit codes:", "lab run process/join", "docs/tutorials.md"] {
        assert!(help.stdout.contains(word), "{word} in {}", help.stdout);
    }
    assert!(lab(&["--completions", "bash"]).stdout.contains("lab"));
}

#[test]
fn a_run_for_programs_is_a_line_for_each_example() {
    let ended = lab(&["run", "process/start", "process/join", "--json"]);
    let runs: Vec<Run> = ended.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(runs.iter().map(|run| run.example.as_str()).collect::<Vec<_>>(), ["start", "join"]);
}

#[test]
fn a_run_for_people_tells_what_happens_and_what_was_seen() {
    let ended = lab(&["run", "process/join"]);
    assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""));
    let lines: Vec<&str> = ended.stdout.lines().collect();
    assert!(lines[0].starts_with("process/join: "), "{lines:?}");
    let seen = lines.iter().position(|line| *line == "what you saw:").unwrap();
    assert!(lines[1..seen].iter().any(|line| line.contains("name kurong, age 18")), "{lines:?}");
    assert!(lines[seen + 1].starts_with("  - "), "{lines:?}");
    // what is always so stands apart from what was seen
    let run = crate::program::run("process/join");
    assert!(!run.notes.is_empty() && run.notes.iter().all(|note| !run.saw.contains(note)), "{run:?}");
    let known = lines.iter().position(|line| *line == "good to know:").unwrap();
    assert_eq!(lines[known + 1], format!("  - {}", run.notes[0]));
    assert!(seen < known, "{lines:?}");
}

/// The reader is gone before the program starts, so its first line meets a closed pipe.
#[test]
fn who_reads_no_more_is_no_failure() {
    for arguments in [
        &["run", "process/start", "process/join"][..],
        &["run", "globals", "--json"],
        &["list"],
        &["list", "--json"],
        &["show", "thread"],
        &["--completions", "bash"],
    ] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let mut command = Command::new(env!("CARGO_BIN_EXE_lab"));
        let ended = command.args(arguments).stdin(Stdio::null()).stdout(writer).output().unwrap();
        let stderr = String::from_utf8_lossy(&ended.stderr);
        assert_eq!((ended.status.code(), stderr.as_ref()), (Some(0), ""), "{arguments:?}");
    }
}

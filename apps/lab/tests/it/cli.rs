//! The command line.

use std::ffi::OsStr;
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
        assert!(shown.stdout.contains(file) && shown.stdout.contains("What to look for"), "{shown:?}");
        let top = concat!(env!("CARGO_MANIFEST_DIR"), "/../../");
        assert!(std::path::Path::new(&format!("{top}{file}")).is_file(), "{file} is not there");
        for example in lesson["examples"].as_array().unwrap() {
            assert!(shown.stdout.contains(&format!("{name}/{}", example["name"].as_str().unwrap())));
        }
    }
}

#[test]
fn an_unknown_name_lists_the_right_ones() {
    for (arguments, right) in [
        (["run", "nonsense"], "process"),
        (["run", "process/nonsense"], "process/join"),
        (["show", "nonsense"], "process"),
    ] {
        let ended = lab(&arguments);
        assert_eq!(ended.code, Some(2), "{ended:?}");
        assert!(ended.stderr.starts_with("error: no ") && ended.stderr.contains(right), "{ended:?}");
        assert_eq!((ended.stderr.lines().count(), ended.stdout.as_str()), (1, ""));
    }
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

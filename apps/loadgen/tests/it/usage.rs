//! Wrong command lines: one line on stderr, nothing on stdout, exit 2.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

use crate::tool::{correct, loadgen, ran};

#[test]
fn a_usage_error_is_one_line_and_exit_2() {
    for (arguments, hint) in [
        (vec!["run", "127.0.0.1:9", "-t", "10s"], "did you mean -d 10s?"),
        (vec!["run", "127.0.0.1:9", "-q", "100"], "-R 100"),
        (vec!["run", "127.0.0.1:9", "-z", "5s"], "-d 5s"),
        (vec!["run", "127.0.0.1"], "127.0.0.1:12000"),
        (vec!["run", "127.0.0.1:9", "-d", "0"], "-d 5s"),
        (vec!["run", "127.0.0.1:9", "-T", "0"], "1ms"),
        (vec![], "loadgen compare"),
    ] {
        let ran = ran(&arguments);
        assert_eq!((ran.code, ran.stdout.as_str()), (Some(2), ""), "{arguments:?}");
        assert!(
            ran.stderr.starts_with("error: ") && ran.stderr.contains(hint),
            "{arguments:?}: {}",
            ran.stderr
        );
        assert_eq!(ran.stderr.lines().count(), 1, "{}", ran.stderr);
    }
}

/// The name of a file may be any bytes.
#[test]
fn an_argument_that_is_no_utf_8_is_no_reason_to_panic() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join(OsStr::from_bytes(b"r\xff.json"));
    let output = loadgen(&["run", &correct().to_string(), "-n", "5", "-w", "0", "--quiet", "-J", "-o"])
        .arg(&file)
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    let report: serde_json::Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
    let command_line = report["command_line"].as_array().unwrap();
    assert!(command_line.last().unwrap().as_str().unwrap().ends_with("r\u{fffd}.json"), "{command_line:?}");
}

#[test]
fn help_teaches_by_example_and_lists_the_exit_codes() {
    for arguments in [vec!["--help"], vec!["run", "--help"], vec!["compare", "--help"]] {
        let ran = ran(&arguments);
        assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""));
        assert!(ran.stdout.contains("loadgen 127.0.0.1:12000"), "{arguments:?}: {}", ran.stdout);
        assert!(ran.stdout.contains("130 interrupted"), "{arguments:?}");
    }
}

#[test]
fn completions_are_written_for_a_shell() {
    let ran = ran(&["--completions", "bash"]);
    assert_eq!(ran.code, Some(0));
    assert!(ran.stdout.contains("_loadgen()") && ran.stdout.contains("--reconnect"), "{}", ran.stdout);
}

#[test]
fn a_missing_server_program_is_one_helpful_line() {
    let ran = ran(&["compare", "--tcp-echo", "/nowhere/tcp-echo"]);
    assert_eq!(ran.code, Some(1));
    assert!(
        ran.stderr.contains("/nowhere/tcp-echo") && ran.stderr.contains("--tcp-echo PATH"),
        "{}",
        ran.stderr
    );
    assert_eq!(ran.stderr.lines().count(), 1);
}

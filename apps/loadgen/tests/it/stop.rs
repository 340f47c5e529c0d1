//! Ctrl-C, and the files that are written whatever happens.

use std::io::{BufRead, BufReader};
use std::process::Stdio;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::tool::{Ran, correct, every, loadgen, serve};

#[test]
fn ctrl_c_gives_a_partial_report_and_130() {
    // the server tells when the load has begun, so nothing sleeps to wait
    let (told, begun) = std::sync::mpsc::sync_channel(1);
    let often = every(2000);
    let server = serve(move |stream, _| {
        crate::tool::echo(stream, |_| {
            if often() {
                let _ = told.try_send(());
            }
            true
        });
    });
    let child = loadgen(&["run", &server.to_string(), "-d", "60s", "-w", "0", "-J", "--quiet"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    begun.recv_timeout(std::time::Duration::from_secs(20)).unwrap();
    kill(Pid::from_raw(child.id().cast_signed()), Signal::SIGINT).unwrap();
    let ran = Ran::of(&child.wait_with_output().unwrap());
    assert_eq!(ran.code, Some(130), "{}", ran.stderr);
    assert_eq!(ran.json()["interrupted"], true);
    assert!(ran.client()["requests"]["ok"].as_u64() > Some(0), "{}", ran.stdout);
    assert_eq!(ran.client()["requests"]["balanced"], true);
    // what the client's CPU was doing is not known, so nothing is said about it
    assert!(ran.json()["trials"][0]["limited_by"].is_null(), "{}", ran.stdout);
    assert_eq!(ran.stderr, "error: interrupted: the report is partial\n");
}

#[test]
fn results_are_saved_in_each_format_after_each_trial() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    let (json, csv, markdown) = (path("r.json"), path("r.csv"), path("r.md"));
    let server = correct().to_string();
    let mut child = loadgen(&[
        "run", &server, "-x", "2", "-n", "50", "-w", "0", "-o", &json, "-o", &csv, "-o", &markdown,
    ])
    .stderr(Stdio::piped())
    .stdout(Stdio::null())
    .spawn()
    .unwrap();
    // plain lines when piped; when the second trial is announced, the first one is in the file
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    assert!(lines.next().unwrap().unwrap().contains("trial 1 of 2"));
    assert!(lines.next().unwrap().unwrap().contains("trial 2 of 2"));
    let text = std::fs::read_to_string(&json).unwrap();
    let saved: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert!(!saved["trials"].as_array().unwrap().is_empty());
    assert!(child.wait().unwrap().success());
    assert_eq!(std::fs::read_to_string(&csv).unwrap().lines().count(), 3);
    assert!(std::fs::read_to_string(&markdown).unwrap().contains("| server |"));
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 3, "no temporary file is left");
}

#[test]
fn a_report_that_cannot_be_saved_is_one_line() {
    let folder = tempfile::tempdir().unwrap();
    // a folder of that name is in the way
    let taken = folder.path().join("r.json");
    std::fs::create_dir(&taken).unwrap();
    let ran = crate::tool::short(correct(), &["-n", "5", "-o", &taken.display().to_string()]);
    assert_eq!(ran.code, Some(1));
    assert!(ran.stderr.starts_with("error: cannot write"), "{}", ran.stderr);
}

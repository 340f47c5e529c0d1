//! Ctrl-C, and the files that are written whatever happens.

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Stdio;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::tool::{Ran, correct, every, loadgen, serve};

/// Runs until the server has answered so often, then Ctrl-C: nothing sleeps to wait.
fn interrupted_after(replies: usize, load: &[&str]) -> Ran {
    let (told, begun) = std::sync::mpsc::sync_channel(1);
    let often = every(replies);
    let server = serve(move |stream, _| {
        crate::tool::echo(stream, |_| {
            if often() {
                let _ = told.try_send(());
            }
            true
        });
    });
    let child = loadgen(&["run", &server.to_string(), "-J", "--quiet"])
        .args(load)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    begun.recv_timeout(std::time::Duration::from_secs(20)).unwrap();
    kill(Pid::from_raw(child.id().cast_signed()), Signal::SIGINT).unwrap();
    Ran::of(&child.wait_with_output().unwrap())
}

#[test]
fn ctrl_c_gives_a_partial_report_and_130() {
    let ran = interrupted_after(2000, &["-d", "60s", "-w", "0"]);
    assert_eq!(ran.code, Some(130), "{}", ran.stderr);
    assert_eq!(ran.json()["interrupted"], true);
    assert!(ran.client()["requests"]["ok"].as_u64() > Some(0), "{}", ran.stdout);
    assert_eq!(ran.client()["requests"]["balanced"], true);
    // what the client's CPU was doing is not known, so nothing is said about it
    assert!(ran.json()["trials"][0]["limited_by"].is_null(), "{}", ran.stdout);
    assert_eq!(ran.stderr, "error: interrupted: the report is partial\n");
}

/// What is under way then belongs to no measured time, so it is missing in none.
#[test]
fn ctrl_c_in_the_warm_up_leaves_the_books_balanced() {
    let ran = interrupted_after(2000, &["-d", "60s", "-w", "60s"]);
    assert_eq!(ran.code, Some(130), "{}", ran.stderr);
    let (report, client) = (ran.json(), ran.client());
    assert_eq!((&client["requests"]["balanced"], &client["requests"]["ok"]), (&true.into(), &0.into()));
    let reasons = &report["trials"][0]["verdict"]["reasons"];
    assert_eq!(reasons.as_array().unwrap().len(), 1, "{reasons}");
    assert_eq!(reasons[0]["text"], "interrupted: the figures are partial");
}

/// Each trial is over before anybody looks for a signal in it.
#[test]
fn ctrl_c_between_short_trials_ends_the_run() {
    let ran = interrupted_after(200, &["-c", "1", "-n", "50", "-w", "0", "-x", "1000"]);
    assert_eq!(ran.code, Some(130), "{}", ran.stderr);
    let report = ran.json();
    assert_eq!(report["interrupted"], true);
    let trials = report["trials"].as_array().unwrap().len();
    assert!((3..900).contains(&trials), "{trials}");
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
    let text = fs::read_to_string(&json).unwrap();
    let saved: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert!(!saved["trials"].as_array().unwrap().is_empty());
    assert!(child.wait().unwrap().success());
    assert_eq!(fs::read_to_string(&csv).unwrap().lines().count(), 3);
    assert!(fs::read_to_string(&markdown).unwrap().contains("| server |"));
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 3, "no temporary file is left");
}

/// What was measured before is told and kept; the trial that found nobody has failed.
#[test]
fn a_server_that_leaves_between_trials_costs_its_own_trial_only() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    std::thread::spawn(move || {
        let (stream, _) = listener.accept().unwrap();
        // from now on nobody can connect
        drop(listener);
        crate::tool::echo(stream, |_| true);
    });
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("r.json").display().to_string();
    let load = ["run", &address, "-c", "1", "-n", "20", "-w", "0", "-x", "3"];
    let ran = crate::tool::ran(&[&load[..], &["--quiet", "-o", &file]].concat());
    let report: serde_json::Value = serde_json::from_str(&fs::read_to_string(&file).unwrap()).unwrap();
    let levels: Vec<&str> = report["trials"]
        .as_array()
        .unwrap()
        .iter()
        .map(|trial| trial["verdict"]["level"].as_str().unwrap())
        .collect();
    assert_eq!((ran.code, &levels[1..]), (Some(1), &["failed", "failed"][..]), "{report}");
    assert_eq!(report["trials"][0]["client"]["requests"]["ok"], 20, "{report}");
    assert!(ran.stdout.contains("20 ok") && ran.stdout.contains("FAILED: cannot connect"), "{}", ran.stdout);
    assert!(ran.stderr.contains("cannot connect to"), "{}", ran.stderr);
}

/// A script that plays the server and never says that it is ready; it tells this test that it has begun.
#[test]
fn a_report_without_a_trial_does_not_replace_an_older_one() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let (begun, script, old) = (path("begun"), path("tcp-echo"), path("old.json"));
    nix::unistd::mkfifo(&begun, nix::sys::stat::Mode::S_IRWXU).unwrap();
    let modes = r#"[{"name": "thread", "serves": "as-many-as-come"}]"#;
    let text = format!(
        "#!/bin/sh\n[ \"$1\" != --list-modes ] || {{ echo '{modes}'; exit; }}\necho >{}; read line <{0}\n",
        begun.display()
    );
    fs::write(&script, text).unwrap();
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
    fs::write(&old, "the old report").unwrap();
    let child = loadgen(&["compare", "--modes", "thread", "--quiet", "--tcp-echo"])
        .args([&script, &PathBuf::from("-o"), &old])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // opening the pipe waits for the script
    fs::read_to_string(&begun).unwrap();
    kill(Pid::from_raw(child.id().cast_signed()), Signal::SIGINT).unwrap();
    let ran = Ran::of(&child.wait_with_output().unwrap());
    assert_eq!(ran.code, Some(130), "{}", ran.stderr);
    assert_eq!(fs::read_to_string(&old).unwrap(), "the old report");
}

#[test]
fn a_report_that_cannot_be_saved_is_one_line() {
    let folder = tempfile::tempdir().unwrap();
    // a folder of that name is in the way
    let taken = folder.path().join("r.json");
    fs::create_dir(&taken).unwrap();
    let ran = crate::tool::short(correct(), &["-n", "5", "-o", &taken.display().to_string()]);
    assert_eq!(ran.code, Some(1));
    assert!(ran.stderr.starts_with("error: cannot write"), "{}", ran.stderr);
}

//! `compare --server`: any command is a row, whatever it is and however it ends, and nothing of it is left running.

use std::process::Stdio;

use serde_json::Value;

use crate::others::Python;
use crate::tool::{Ran, correct, loadgen, ran};

/// Compares these servers under one short load.
fn compared(servers: &[String], more: &[&str]) -> Ran {
    let mut command = loadgen(&["compare", "-x", "1", "-w", "20ms", "-J", "--quiet", "-d", "100ms"]);
    for server in servers {
        command.args(["--server", server]);
    }
    if !more.contains(&"--workloads") {
        command.args(["--workloads", "persistent"]);
    }
    if !more.contains(&"-c") {
        command.args(["-c", "4"]);
    }
    Ran::of(&command.args(more).output().unwrap())
}

fn row<'a>(report: &'a Value, subject: &str) -> &'a Value {
    let rows = report["summary"].as_array().unwrap();
    rows.iter().find(|row| row["subject"] == subject).unwrap_or_else(|| panic!("no row {subject}: {report}"))
}

fn trial<'a>(report: &'a Value, subject: &str) -> &'a Value {
    report["trials"].as_array().unwrap().iter().find(|trial| trial["subject"] == subject).unwrap()
}

fn reasons(report: &Value, subject: &str) -> String {
    row(report, subject)["verdict"]["reasons"].to_string()
}

/// The machine may raise doubts ("others used …"); the server may not fail.
fn assert_measured(report: &Value, subject: &str) {
    let row = row(report, subject);
    assert!(["valid", "suspect"].contains(&row["verdict"]["level"].as_str().unwrap()), "{row}");
    assert!(row["requests_per_second"]["median"].as_f64() > Some(0.0), "{row}");
    assert!(row["cpu_us_per_request"]["median"].as_f64() > Some(0.0), "{row}");
}

#[test]
fn any_command_is_a_row_and_no_mode_runs_beside_it() {
    let (plain, exec, behind) = (Python::new(), Python::new(), Python::new());
    let servers = [
        format!("plain={}", plain.command("{port}", "")),
        format!("exec=sh -c \"exec {}\"", exec.command("{port}", "")),
        format!("behind=sh -c \"{}; true\"", behind.command("{port}", "")),
    ];
    let ran = compared(&servers, &["--workloads", "persistent,churn"]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let report = ran.json();
    assert_eq!(report["subjects"].as_array().unwrap().len(), 3, "{report}");
    for (name, processes) in [("plain", 1), ("exec", 1), ("behind", 2)] {
        assert_measured(&report, name);
        let server = &trial(&report, name)["server"];
        assert_eq!(
            (&server["processes"], &server["left_cleanly"]),
            (&processes.into(), &true.into()),
            "{name}"
        );
        assert!(server["context_switches_per_request"].as_f64() > Some(0.0), "{server}");
        assert!(server["memory_bytes"].as_u64() > Some(1 << 20), "{server}");
        assert!(server["kernel_memory_per_connection"].is_number(), "{server}");
    }
    let command_line = &report["subjects"][0]["command_line"];
    assert!(command_line.to_string().contains("{port}"), "{command_line}");
    // the shell is killed by SIGTERM before its Python is
    assert!(plain.is_gone() && exec.is_gone() && behind.is_gone());
}

/// Nobody connects to see whether it listens: the one connection is the load's.
#[test]
fn a_server_of_one_connection_is_not_spoilt_by_a_question() {
    let python = Python::new();
    let ran = compared(&[format!("one={}", python.command("{port}", "one connection"))], &["-c", "1"]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert_measured(&ran.json(), "one");
    assert!(python.is_gone());
}

#[test]
fn a_forking_server_of_somebody_else_is_measured_with_its_children() {
    if std::process::Command::new("ncat").arg("--version").stderr(Stdio::null()).output().is_err() {
        assert_ne!(std::env::var("CI").as_deref(), Ok("true"), "ncat is missing");
        eprintln!("SKIPPED: ncat is missing: run scripts/test");
        return;
    }
    let ran = compared(&["ncat=ncat -l 127.0.0.1 {port} -k -e /bin/cat".to_owned()], &[]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let report = ran.json();
    assert_measured(&report, "ncat");
    assert!(trial(&report, "ncat")["server"]["processes"].as_u64() >= Some(5), "{report}");
}

#[test]
fn a_server_that_never_listens_is_given_up() {
    let command = "silent=sh -c 'echo wait a moment >&2; sleep 60; echo {port}'".to_owned();
    let ran = compared(&[command], &["--ready-timeout", "300ms"]);
    assert_eq!(ran.code, Some(1), "{}", ran.stderr);
    let reasons = reasons(&ran.json(), "silent");
    assert!(reasons.contains("was not ready within 300 ms (--ready-timeout)"), "{reasons}");
    assert!(reasons.contains("nothing listens on port") && reasons.contains("wait a moment"), "{reasons}");
}

#[test]
fn how_a_command_ended_is_told_with_its_last_words() {
    let python = Python::new();
    let servers = [
        "fails=sh -c 'echo no such thing; exit 3' {port}".to_owned(),
        "absent=/nowhere/server {port}".to_owned(),
        "killed=sh -c 'kill -9 $$' {port}".to_owned(),
        format!("daemon=sh -c \"{} & exit 0\"", python.command("{port}", "")),
        format!("fine={}", python.command("{port}", "")),
    ];
    let ran = compared(&servers, &[]);
    assert_eq!(ran.code, Some(1));
    let report = ran.json();
    for (name, what) in [
        ("fails", "it ended with exit code 3; its last words: no such thing"),
        ("absent", "cannot execute /nowhere/server: No such file or directory"),
        ("killed", "it was killed by SIGKILL"),
        ("daemon", "the command ended: loadgen needs servers that stay in the foreground"),
    ] {
        let reasons = reasons(&report, name);
        assert!(reasons.contains(what), "{name}: {reasons}");
    }
    assert_measured(&report, "fine");
    // also what the launcher has left behind
    assert!(python.is_gone());
}

#[test]
fn a_ready_line_says_where_a_server_is_and_another_first_line_nothing() {
    let ready =
        format!("ready=sh -c 'echo \"listening on {} (any, pid 1)\"; sleep 60; : {{port}}'", correct());
    let python = Python::new();
    // the script's first line is its port
    let ran = compared(&[ready, format!("says={}", python.command("{port}", ""))], &[]);
    let report = ran.json();
    let requests = &row(&report, "ready")["requests_per_second"]["median"];
    assert!(requests.as_f64() > Some(0.0), "{report}");
    assert_measured(&report, "says");
}

#[test]
fn a_port_that_somebody_else_took_is_no_failure() {
    let python = Python::new();
    let mark = python.file("tried");
    let script = format!(
        "[ -e {mark} ] || {{ touch {mark}; echo 'bind: Address already in use'; exit 1; }}; exec {}",
        python.command("$0", "")
    );
    let ran = compared(&[format!("late=sh -c {} {{port}}", shell_words::quote(&script))], &[]);
    assert_eq!(ran.code, Some(0), "{} {}", ran.stderr, ran.stdout);
    assert_measured(&ran.json(), "late");
}

#[test]
fn what_a_server_serves_at_a_time_can_be_said() {
    let python = Python::new();
    let server = format!("one[workers=1]={}", python.command("{port}", "one connection"));
    let ran = compared(&[server], &["-c", "3"]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let report = ran.json();
    assert_measured(&report, "one");
    assert_eq!(row(&report, "one")["served"], 1, "{report}");
    assert!(!reasons(&report, "one").contains("had no reply"), "{report}");
}

#[test]
fn a_wrong_server_is_one_line_before_anything_runs() {
    let python = Python::new();
    let fine = python.command("{port}", "");
    for (servers, hint) in [
        (vec!["x=nc -l 80".to_owned()], "{port} is missing"),
        (vec!["nc -l {port}".to_owned()], "NAME=COMMAND"),
        (vec![format!("x={fine}"), format!("x={fine}")], "two servers are named x"),
    ] {
        let ran = compared(&servers, &[]);
        assert_eq!((ran.code, ran.stdout.as_str()), (Some(2), ""), "{}", ran.stderr);
        assert!(ran.stderr.contains(hint) && ran.stderr.lines().count() == 1, "{}", ran.stderr);
    }
    let ran = ran(&["compare", "--pin", "server=999", "--server", "x=nc {port}"]);
    assert!(ran.code == Some(2) && ran.stderr.contains("CPU 999"), "{}", ran.stderr);
}

/// The launcher dies with its keeper; its child must as well.
#[test]
fn nothing_outlives_a_loadgen_that_was_killed() {
    let python = Python::new();
    let command = format!("x=sh -c \"{}; true\"", python.command("{port}", "tell"));
    let mut child = loadgen(&["compare", "-d", "60s", "-w", "0", "-x", "1", "-c", "2", "--server", &command])
        .args(["--workloads", "persistent"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    python.await_service();
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(python.is_gone());
}

#[test]
fn each_side_has_the_cpus_that_were_named() {
    let python = Python::new();
    let cpu = loadgen::subject::placement::allowed_cpus()[0].to_string();
    let pin = format!("client={cpu},server={cpu}");
    let ran = compared(&[format!("x={}", python.command("{port}", ""))], &["--pin", &pin]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let placement = &ran.json()["placement"];
    assert_eq!(placement["server"], placement["client"]);
    assert_eq!(placement["server"][0].to_string(), cpu);
}

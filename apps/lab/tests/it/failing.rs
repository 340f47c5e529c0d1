//! What goes wrong, made to go wrong from outside: by the search path, by a limit, by a signal.

use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rexpect::process::{Signal, WaitStatus};
use rexpect::session::spawn_command;
use tempfile::tempdir;

const LIMIT: Duration = Duration::from_secs(30);

fn with_path(path: &str, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_lab"));
    command.args(arguments).env("PATH", path).stdin(Stdio::null()).output().unwrap()
}

/// One line, and that is all of stderr.
fn told(output: &Output) -> String {
    let stderr = String::from_utf8(output.stderr.clone()).unwrap();
    assert!(stderr.starts_with("error: ") && stderr.lines().count() == 1, "{output:?}");
    stderr
}

/// An example counts on a program that is not there; here it is.
#[test]
fn what_is_not_shown_is_exit_code_3_and_the_next_one_runs() {
    let folder = tempdir().unwrap();
    let program = folder.path().join("no-such-program");
    fs::write(&program, "#!/bin/sh\n").unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    let path = format!("{}:{}", folder.path().display(), std::env::var("PATH").unwrap());
    let output = with_path(&path, &["run", "subprocess/call", "process/start", "--json"]);
    assert_eq!(output.status.code(), Some(3), "{output:?}");
    assert!(told(&output).contains("subprocess/call did not show what it is for"), "{output:?}");
    let stdout = String::from_utf8(output.stdout).unwrap();
    let runs: Vec<serde_json::Value> =
        stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!([&runs[0]["shown"], &runs[1]["shown"]], [false, true], "{stdout}");
    assert!(runs[0]["saw"][1].as_str().unwrap().contains("that should not be there was there"), "{stdout}");
}

#[test]
fn what_fails_is_exit_code_1_and_one_line() {
    let nothing = tempdir().unwrap();
    let output = with_path(nothing.path().to_str().unwrap(), &["run", "subprocess/call", "process/start"]);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(told(&output).starts_with("error: subprocess/call: "), "{output:?}");
}

#[test]
fn without_descriptors_it_fails_and_says_so() {
    // (3: a terminal of another test's, which a child that starts meanwhile may get)
    let mut shell = Command::new("sh");
    shell.args(["-c", r#"exec 3>&-; ulimit -n 3 && exec "$0" run process/start"#, env!("CARGO_BIN_EXE_lab")]);
    let output = shell.output().unwrap();
    // (without one descriptor more not even the loader may find its libraries)
    assert!(matches!(output.status.code(), Some(1 | 127)), "{output:?}");
    shell = Command::new("sh");
    shell.args(["-c", r#"exec 3>&-; ulimit -n 4 && exec "$0" run process/start"#, env!("CARGO_BIN_EXE_lab")]);
    let output = shell.output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(told(&output).starts_with("error: process/start: "), "{output:?}");
}

/// The child waits for a word from its parent, and has a copy of the end that the word would come from.
#[test]
fn a_killed_program_leaves_no_child_that_waits_for_it() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_lab"));
    command.args(["run", "process/info", "--original-pace"]).stdout(Stdio::piped());
    let mut lab = command.spawn().unwrap();
    let mut lines = BufReader::new(lab.stdout.take().unwrap()).lines();
    let tick = lines.find_map(|line| line.ok().filter(|line| line.contains("tick 1"))).unwrap();
    let child: u32 = tick.split_whitespace().nth(3).unwrap().parse().unwrap();
    assert!(is_running(child), "{tick}");
    lab.kill().unwrap();
    lab.wait().unwrap();
    let end = Instant::now() + LIMIT;
    while is_running(child) {
        assert!(Instant::now() < end, "{child} is left");
        thread::sleep(Duration::from_millis(5));
    }
}

/// In a terminal, which sends the signal to all processes of the example at once.
#[test]
fn ctrl_c_ends_the_program_with_all_its_children() {
    // (seconds are left when these words are said)
    for (example, words) in [("class/process", "@ 0"), ("pool/sleep", "begins: 3")] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_lab"));
        command.args(["run", example, "--original-pace"]).env("NO_COLOR", "1");
        let mut session = spawn_command(command, Some(LIMIT.as_millis() as u64)).unwrap();
        let mut told = session.exp_string(words).unwrap();
        session.send_control('c').unwrap();
        session.flush().unwrap();
        told += &session.exp_eof().unwrap();
        let status = session.process().wait().unwrap();
        assert!(matches!(status, WaitStatus::Signaled(_, Signal::SIGINT, _)), "{example}: {status:?}");
        assert!(!told.contains("error") && !told.contains("panicked"), "{example}: {told}");
        let pid = |line: &str| line.split_whitespace().nth(3).and_then(|word| word.parse().ok());
        let pids: BTreeSet<u32> = told.lines().filter_map(pid).collect();
        assert!(!pids.is_empty(), "{example}: {told}");
        let end = Instant::now() + LIMIT;
        while pids.iter().any(|pid| is_running(*pid)) {
            assert!(Instant::now() < end, "{example} left some of {pids:?}: {told}");
            thread::sleep(Duration::from_millis(5));
        }
    }
}

/// One that has ended, and that nobody has waited for yet, runs no more.
fn is_running(pid: u32) -> bool {
    let stat = fs::read_to_string(Path::new("/proc").join(pid.to_string()).join("stat"));
    stat.is_ok_and(|stat| stat.rsplit_once(") ").is_some_and(|(_, state)| !state.starts_with(['Z', 'X'])))
}

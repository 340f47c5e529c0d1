//! The real program, run with a time limit.

use std::collections::BTreeMap;
use std::io::Read;
use std::os::fd::AsFd;
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use common::exit::DONE;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use serde::Deserialize;
use serde_json::Value;

/// No example takes so long, however busy the machine is.
const LIMIT: Duration = Duration::from_secs(120);

/// A run fits a screen of so many lines.
const SCREEN: usize = 24;

/// A run of an example, as `--json` tells it.
#[derive(Debug, Deserialize)]
pub(crate) struct Run {
    pub(crate) lesson: String,
    pub(crate) example: String,
    pub(crate) rows: Vec<u8>,
    pub(crate) events: Vec<Event>,
    pub(crate) saw: Vec<String>,
    pub(crate) notes: Vec<String>,
    pub(crate) facts: Value,
    pub(crate) shown: bool,
    pub(crate) left_behind: BTreeMap<String, usize>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Event {
    pub(crate) at_us: u64,
    pub(crate) pid: u32,
    pub(crate) who: String,
    pub(crate) what: String,
}

/// How the program ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// Runs an example; it has to end well, show what it is for, and leave nothing behind.
pub(crate) fn run(example: &str) -> Run {
    let ended = lab(&["run", example, "--json"]);
    assert_eq!((ended.code, ended.stderr.as_str()), (Some(i32::from(DONE)), ""), "{ended:?}");
    let run: Run = serde_json::from_str(&ended.stdout).unwrap_or_else(|e| panic!("{e}: {ended:?}"));
    assert_eq!(format!("{}/{}", run.lesson, run.example), example);
    assert!(run.shown && !run.saw.is_empty() && !run.rows.is_empty(), "{run:?}");
    assert!(run.left_behind.values().all(|left| *left == 0), "{run:?}");
    // (what goes on until somebody ends it may go on longer when the machine is busy)
    let headings = if run.notes.is_empty() { 3 } else { 4 };
    let lines = headings + run.events.len() + run.saw.len() + run.notes.len();
    assert!(lines <= SCREEN || example == "class/loop", "{lines} lines: {run:?}");
    assert!(run.events.iter().all(|event| event.at_us < LIMIT.as_micros() as u64), "{run:?}");
    run
}

/// Runs the program with these arguments, to its end.
pub(crate) fn lab(arguments: &[&str]) -> Ended {
    let mut command = Command::new(env!("CARGO_BIN_EXE_lab"));
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let read = |mut from: Box<dyn Read + Send>| {
        thread::spawn(move || {
            let mut text = String::new();
            from.read_to_string(&mut text).map(|_| text)
        })
    };
    let stdout = read(Box::new(child.stdout.take().unwrap()));
    let stderr = read(Box::new(child.stderr.take().unwrap()));
    let pid = rustix::process::Pid::from_child(&child);
    let end = rustix::process::pidfd_open(pid, rustix::process::PidfdFlags::empty()).unwrap();
    let limit = PollTimeout::try_from(LIMIT).unwrap();
    if poll(&mut [PollFd::new(end.as_fd(), PollFlags::POLLIN)], limit) != Ok(1) {
        child.kill().unwrap();
        child.wait().unwrap();
        panic!("lab {arguments:?} has not ended after {LIMIT:?}");
    }
    let code = child.wait().unwrap().code();
    Ended { code, stdout: stdout.join().unwrap().unwrap(), stderr: stderr.join().unwrap().unwrap() }
}

impl Run {
    /// The process number of the first event of this one.
    pub(crate) fn pid_of(&self, who: &str) -> u32 {
        self.of(who).first().unwrap_or_else(|| panic!("{who} said nothing: {self:?}")).pid
    }

    /// The events of this one.
    pub(crate) fn of(&self, who: &str) -> Vec<&Event> {
        self.events.iter().filter(|event| event.who == who).collect()
    }
}

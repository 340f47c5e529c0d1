//! `lab tour`: for who reads at a terminal, and for who does not.

use std::process::Command;

use rexpect::process::WaitStatus;
use rexpect::session::{PtySession, spawn_command};

use crate::program::lab;

const LIMIT_MS: u64 = 60_000;

/// The names of the lessons, in their order.
fn lessons() -> Vec<String> {
    let listed: Vec<serde_json::Value> = serde_json::from_str(&lab(&["list", "--json"]).stdout).unwrap();
    listed.iter().map(|lesson| lesson["name"].as_str().unwrap().to_owned()).collect()
}

/// On a terminal, from the lesson that has one behind it; gives the last one's name, too.
fn at_a_terminal() -> (PtySession, String) {
    let lessons = lessons();
    let [.., from, last] = lessons.as_slice() else { panic!("{lessons:?}") };
    let mut command = Command::new(env!("CARGO_BIN_EXE_lab"));
    command.args(["tour", "--from", from]).env("NO_COLOR", "1");
    let mut session = spawn_command(command, Some(LIMIT_MS)).unwrap();
    session.exp_string("q and Enter ends the tour").unwrap();
    session.exp_string(&format!("lesson {} of {}, {from}: ", lessons.len() - 1, lessons.len())).unwrap();
    session.exp_string("What to look for: ").unwrap();
    session.exp_string("what you saw:").unwrap();
    // one example after the other, each at the reader's pace
    session.exp_string(&format!("Enter for {from}/")).unwrap();
    session.send_line("").unwrap();
    session.exp_string("what you saw:").unwrap();
    session.exp_string(&format!("Enter for the next lesson ({last}), q to end: ")).unwrap();
    (session, last.clone())
}

fn ends_well(mut session: PtySession) -> String {
    let rest = session.exp_eof().unwrap();
    let status = session.process().wait().unwrap();
    assert!(matches!(status, WaitStatus::Exited(_, 0)), "{status:?} after {rest}");
    rest
}

#[test]
fn enter_goes_on() {
    let (mut session, last) = at_a_terminal();
    session.send_line("").unwrap();
    let rest = ends_well(session);
    assert!(rest.contains(&format!(", {last}: ")) && rest.contains("what you saw:"), "{rest}");
    assert!(!rest.contains("Enter for the next"), "there is none: {rest}");
}

#[test]
fn l_goes_on_to_the_next_lesson() {
    let lessons = lessons();
    let mut command = Command::new(env!("CARGO_BIN_EXE_lab"));
    command.arg("tour").env("NO_COLOR", "1");
    let mut session = spawn_command(command, Some(LIMIT_MS)).unwrap();
    session.exp_string(&format!("Enter for {}/", lessons[0])).unwrap();
    session.send_line("l").unwrap();
    let skipped = session.exp_string(&format!("lesson 2 of {}, {}: ", lessons.len(), lessons[1])).unwrap();
    assert!(!skipped.contains("what you saw:"), "{skipped}");
    session.exp_string("q to end: ").unwrap();
    session.send_line("q").unwrap();
    ends_well(session);
}

#[test]
fn q_ends_and_so_does_the_end_of_the_input() {
    let (mut session, last) = at_a_terminal();
    session.send_line("q").unwrap();
    let rest = ends_well(session);
    assert!(!rest.contains(&last) && !rest.contains("error"), "{rest}");

    let (mut session, last) = at_a_terminal();
    session.send_control('d').unwrap();
    session.flush().unwrap();
    let rest = ends_well(session);
    assert!(!rest.contains(&last) && !rest.contains("error"), "{rest}");
}

#[test]
fn without_a_terminal_it_goes_straight_through() {
    let lessons = lessons();
    let [.., from, last] = lessons.as_slice() else { panic!("{lessons:?}") };
    let ended = lab(&["tour", "--from", from]);
    assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""), "{ended:?}");
    let total = lessons.len();
    let [first, second] = [
        format!("lesson {} of {total}, {from}: ", total - 1),
        format!("lesson {total} of {total}, {last}: "),
    ];
    assert!(ended.stdout.starts_with(&first), "{ended:?}");
    assert!(ended.stdout.contains(&second) && !ended.stdout.contains("Enter"), "{ended:?}");
}

#[test]
fn an_unknown_lesson_lists_the_right_ones() {
    let ended = lab(&["tour", "--from", "nonsense"]);
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(2), ""), "{ended:?}");
    assert!(ended.stderr.contains("race"), "{ended:?}");
}

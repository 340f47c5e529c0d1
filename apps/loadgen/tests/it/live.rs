//! The view on a terminal, as a person sees it.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use rexpect::session::{PtySession, spawn_command};

use crate::tool::{correct, loadgen};

const LIMIT_MS: u64 = 20_000;
/// A redraw begins and ends so.
const BEGIN: &str = "\x1b[?7l";
const END: &str = "\x1b[J\x1b[?7h";

fn session(server: SocketAddr, variables: &[(&str, &str)], arguments: &[&str]) -> PtySession {
    let mut command = loadgen(&["run", &server.to_string(), "-c", "3", "-i", "100ms"]);
    command.env_remove("LC_ALL").env_remove("LC_CTYPE").env("TERM", "xterm").env("LANG", "C.UTF-8");
    command.envs(variables.iter().copied()).args(arguments);
    spawn_command(command, Some(LIMIT_MS)).unwrap()
}

/// What is said to the end; the library takes each byte for a letter.
fn all(session: &mut PtySession) -> String {
    String::from_utf8(session.exp_eof().unwrap().chars().map(|letter| letter as u8).collect()).unwrap()
}

/// The lines of each redraw.
fn frames(said: &str) -> Vec<Vec<&str>> {
    let frames = said.split(BEGIN).skip(1);
    frames.map(|rest| rest.split(END).next().unwrap().split("\r\n").collect()).collect()
}

#[test]
fn it_shows_rate_and_latency_at_most_four_times_a_second_and_is_gone_at_the_end() {
    let begin = Instant::now();
    let mut session = session(correct(), &[], &["-d", "1500ms", "-w", "200ms"]);
    let said = all(&mut session);
    let drawn = frames(&said);
    let most = (begin.elapsed().as_secs_f64() * 4.0) as usize + 1;
    assert!((3..=most).contains(&drawn.len()), "{} of {most}: {said:?}", drawn.len());
    // the very last one may have caught the draining
    let shown = drawn.iter().rfind(|frame| frame[0].contains("measuring")).unwrap();
    for part in
        ["requests/s", "p50 ", "p99 ", "max ", "▁", "3 of 3 connected", "no errors", "measuring", " left"]
    {
        assert!(shown.iter().any(|line| line.contains(part)), "no {part} in {shown:?}");
    }
    // from below the last lines to the first one, and all of it removed; the report follows
    let rows = drawn.last().unwrap().len() - 1;
    let (_, after) = said.rsplit_once(END).unwrap();
    let removed = format!("\r\x1b[{rows}A\x1b[J");
    assert!(after.starts_with(&format!("{removed}loadgen run 127.0.0.1:")), "{after:?}");
}

#[test]
fn ctrl_c_leaves_the_terminal_clean() {
    let mut session = session(correct(), &[], &["-d", "60s", "-w", "0"]);
    session.exp_string("measuring").unwrap();
    session.exp_string(END).unwrap();
    session.send_control('c').unwrap();
    session.flush().unwrap();
    let said = all(&mut session);
    let after = said.rsplit_once("A\x1b[J").unwrap().1;
    assert!(after.starts_with("loadgen run") && !after.contains("\x1b[?7l"), "{after:?}");
    assert!(after.ends_with("error: interrupted: the report is partial\r\n"), "{after:?}");
}

#[test]
fn letters_and_colours_are_those_that_the_terminal_knows() {
    let load = ["-d", "1500ms", "-w", "0"];
    let mut ascii = session(correct(), &[("LANG", "C"), ("NO_COLOR", "1")], &load);
    let said = all(&mut ascii);
    let view: String = frames(&said).concat().concat();
    // the course of the p99: its lowest interval, wherever that was
    let course = view.rsplit_once("p99 ").unwrap().1;
    assert!(view.is_ascii() && course.contains('_'), "{view:?}");
    assert!(!view.contains("\x1b[1m"), "{view:?}");
    let mut colours = session(correct(), &[], &load);
    assert!(frames(&all(&mut colours)).concat().concat().contains("\x1b[1m"));
    // a terminal that can do nothing gets lines
    let mut dumb = session(correct(), &[("TERM", "dumb")], &load);
    let said = all(&mut dumb);
    assert!(frames(&said).is_empty() && said.contains("measuring 127.0.0.1"), "{said:?}");
}

/// Collecting, showing and writing all of it down: some thousandths of the time.
#[test]
fn the_view_costs_next_to_nothing_and_says_how_much() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("r.json").display().to_string();
    let mut session = session(correct(), &[], &["-d", "1s", "-w", "0", "-o", &path]);
    all(&mut session);
    let report: serde_json::Value = serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
    let spent = report["trials"][0]["client"]["conductor_cpu_seconds"].as_f64().unwrap();
    assert!(spent > 0.0 && Duration::from_secs_f64(spent) < Duration::from_millis(200), "{spent} s");
}

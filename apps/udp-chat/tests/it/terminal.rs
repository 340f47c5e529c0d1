//! On a terminal, as a person sees it.

use std::io::Write;
use std::process::Command;

use rexpect::session::{PtySession, spawn_command};

use crate::support::{heard, peer, udp_chat};

const LIMIT_MS: u64 = 20_000;

fn session(variables: &[(&str, &str)], arguments: &[&str]) -> (PtySession, tempfile::TempDir, u16) {
    let folder = tempfile::tempdir().unwrap();
    let mut command = udp_chat(&folder);
    command.env("TERM", "xterm").envs(variables.iter().copied()).args(["--port", "0"]).args(arguments);
    let mut session = spawn_command(command, Some(LIMIT_MS)).unwrap();
    session.exp_string("listening on [::]:").unwrap();
    let port = session.exp_string(" (udp-chat").unwrap().parse().unwrap();
    (session, folder, port)
}

#[test]
fn what_comes_while_typing_stands_above_the_line() {
    let (mut session, _folder, port) = session(&[], &[]);
    session.exp_string("your choice: ").unwrap();
    let bob = peer();
    session.send_line(&format!("/to {}", bob.local_addr().unwrap())).unwrap();
    session.exp_string("> ").unwrap();
    session.send("half a sen").unwrap();
    session.flush().unwrap();
    session.exp_string("half a sen").unwrap();
    bob.send_to(b"are you typing?", ("127.0.0.1", port)).unwrap();
    session.exp_string("are you typing?").unwrap();
    // the prompt and what was typed are there again, and the line goes on
    session.exp_string("half a sen").unwrap();
    session.send_line("tence").unwrap();
    assert_eq!(heard(&bob), "half a sentence");
    session.exp_string("> ").unwrap();
    session.send_control('d').unwrap();
    session.flush().unwrap();
    session.exp_eof().unwrap();
}

#[test]
fn a_terminal_that_can_do_nothing_will_do() {
    let (mut session, _folder, port) = session(&[("TERM", "dumb")], &[]);
    session.exp_string("your choice: ").unwrap();
    let bob = peer();
    bob.send_to(b"hello", ("127.0.0.1", port)).unwrap();
    let before = session.exp_string("> hello").unwrap();
    assert!(!before.contains('\x1b'), "no escape sequences: {before:?}");
    assert!(before.starts_with("\r\n"), "not behind the prompt: {before:?}");
    // and what is asked is asked again
    session.exp_string("to answer: /to ").unwrap();
    session.exp_string("\r\nyour choice: ").unwrap();
    session.send_line("x").unwrap();
    // (this terminal does not echo, or there would be an x and the end of its line)
    assert_eq!(session.exp_string("! type 1 or 2").unwrap(), "", "no line is empty");
    session.exp_string("your choice: ").unwrap();
    session.send_line("2").unwrap();
    assert_eq!(session.exp_eof().unwrap(), "");
}

#[test]
fn colours_are_there_unless_they_are_unwanted() {
    for (variables, coloured) in [(&[][..], true), (&[("NO_COLOR", "1")], false)] {
        let (mut session, _folder, port) = session(variables, &[]);
        session.exp_string("your choice: ").unwrap();
        peer().send_to(b"hello", ("127.0.0.1", port)).unwrap();
        let before = session.exp_string(" hello").unwrap();
        assert_eq!(before.contains("\x1b[1m"), coloured, "{before:?}");
        session.send_control('c').unwrap();
        session.flush().unwrap();
        session.exp_eof().unwrap();
    }
}

#[test]
fn a_signal_at_the_prompt_leaves_the_terminal_as_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let program = env!("CARGO_BIN_EXE_udp-chat");
    let script = format!(
        "stty -a > before; {program} --port 0; echo \"left with $?\"; stty -a > after; cmp before after && echo the same"
    );
    let mut shell = Command::new("sh");
    shell.current_dir(folder.path()).env("TERM", "xterm").args(["-c", &script]);
    let mut session = spawn_command(shell, Some(LIMIT_MS)).unwrap();
    session.exp_string("pid ").unwrap();
    let pid: i32 = session.exp_string(")").unwrap().parse().unwrap();
    session.exp_string("your choice: ").unwrap();
    // raw mode is there once the editor echoes by itself
    session.send("x").unwrap();
    session.flush().unwrap();
    session.exp_string("x").unwrap();
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), nix::sys::signal::Signal::SIGTERM).unwrap();
    // pasted text would come with marks around it for ever, and the shell's prompt behind this one
    let before = session.exp_string("left with 0").unwrap();
    assert!(before.contains("\x1b[?2004l") && before.ends_with("\r\n"), "{before:?}");
    session.exp_string("the same").unwrap();
    session.exp_eof().unwrap();
}

#[test]
fn a_byte_that_is_not_utf_8_costs_its_line_and_not_the_chat() {
    let (mut session, _folder, _port) = session(&[], &[]);
    session.exp_string("your choice: ").unwrap();
    let bob = peer();
    session.send_line(&format!("/to {}", bob.local_addr().unwrap())).unwrap();
    session.exp_string("> ").unwrap();
    // as a terminal in Latin-1 sends it, or a clipboard; the rest of the line must not become a command
    session.send("gr").unwrap();
    session.flush().unwrap();
    session.exp_string("gr").unwrap();
    session.process().get_file_handle().unwrap().write_all(b"\xfc").unwrap();
    session.exp_string("that was not UTF-8, this line is dropped: press Enter").unwrap();
    session.send_line("/quit").unwrap();
    session.exp_string(&format!("to {}> ", bob.local_addr().unwrap())).unwrap();
    session.send_line("grüß dich").unwrap();
    assert_eq!(heard(&bob), "grüß dich");
    session.exp_string("> ").unwrap();
    session.send_control('d').unwrap();
    session.flush().unwrap();
    session.exp_eof().unwrap();
}

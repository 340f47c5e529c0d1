//! The command line: every mistake ends at once with one clear line and the right exit code.

use std::net::TcpListener;
use std::process::Output;

use clap::CommandFactory;
use tcp_echo::cli::Arguments;

use crate::server::program;

fn run(arguments: &str) -> Output {
    program().args(arguments.split_whitespace()).output().unwrap()
}

/// It fails with this code, says nothing on stdout, and on stderr what all these words are part of.
fn assert_fails(arguments: &str, code: i32, words: &[&str]) -> String {
    let output = run(arguments);
    let message = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(code), "{arguments}: {message}");
    assert!(output.stdout.is_empty(), "{arguments}");
    assert!(message.starts_with("error: "), "{arguments}: {message}");
    for word in words {
        assert!(message.contains(word), "{arguments}: no \"{word}\" in {message}");
    }
    assert!(!message.contains("panicked") && !message.contains("os error"), "{arguments}: {message}");
    message
}

/// A value that another mode takes is refused with the list of those that this one takes.
#[test]
fn a_value_of_another_mode_is_refused_with_the_right_ones() {
    for (mode, value, right) in [
        ("prethread", "flock", "open|mutex|reuseport"),
        ("prefork", "exclusive", "open|flock|mutex|reuseport"),
        ("event-loop", "open", "shared|exclusive|reuseport|main"),
    ] {
        let words = format!("--accept {right}");
        assert_fails_in_one_line(&format!("--port 0 --mode {mode} --accept {value}"), 2, &[value, &words]);
    }
}

/// Our own messages are one line; those of the option parser may add how it is used.
fn assert_fails_in_one_line(arguments: &str, code: i32, words: &[&str]) {
    let message = assert_fails(arguments, code, words);
    assert_eq!(message.trim_end().lines().count(), 1, "{arguments}: {message}");
}

#[test]
fn an_option_of_another_mode_names_its_owner() {
    for (mode, option, owner) in [
        ("process", "--stack 64KiB", "thread"),
        ("pool", "--spare 3", "thread"),
        ("thread", "--spawn exec", "process"),
        ("pool", "--spawn fork", "process"),
        ("thread", "--of processes", "pool"),
        ("process", "--workers 3", "prefork"),
        ("iterative", "--accept open", "prefork"),
        ("event-loop", "--runtime multi", "async"),
        ("async", "--recv oneshot", "uring"),
        ("uring", "--offload 3", "hybrid"),
        ("thread", "--queue lifo", "pool"),
        ("thread", "--queue-capacity 3", "pool"),
        ("process", "--on-full reject", "pool"),
    ] {
        let name = option.split(' ').next().unwrap();
        let belongs = format!("belongs to --mode {owner}");
        assert_fails_in_one_line(&format!("--port 0 --mode {mode} {option}"), 2, &[name, &belongs]);
    }
}

#[test]
fn a_value_that_cannot_be_is_refused() {
    for (arguments, words) in [
        ("--stack 1KiB", &["--stack", "16KiB"][..]),
        ("--stack 2GiB", &["--stack", "1GiB"]),
        ("--mode pool --workers 0", &["--workers", "1"]),
        ("--mode pool --workers 5000", &["--workers", "1,024"]),
        ("--mode pool --queue-capacity 0", &["--queue-capacity", "1"]),
        ("--max-conns 0", &["--max-conns"]),
        ("--max-conns 100m", &["--max-conns", "ulimit -n"]),
        ("--faults --bind 0.0.0.0", &["--faults", "loopback"]),
    ] {
        assert_fails_in_one_line(&format!("--port 0 {arguments}"), 2, words);
    }
}

#[test]
fn what_cannot_be_parsed_is_refused() {
    for (arguments, words) in [
        ("--mode treads", &["--mode", "thread", "process", "pool"][..]),
        ("--port 70000", &["--port"]),
        ("--port http", &["--port"]),
        ("--bind localhost", &["--bind"]),
        ("--buffer 65KiB", &["--buffer", "64KiB"]),
        ("--buffer 0", &["--buffer"]),
        ("--buffer 1QiB", &["KiB"]),
        ("--idle-timeout 10", &["10s"]),
        ("--write-timeout fast", &["--write-timeout"]),
        ("--backlog 0", &["--backlog"]),
        ("--backlog 70000", &["--backlog"]),
        ("--spare 1000000", &["--spare"]),
        ("--mode pool --of cats", &["--of", "threads", "processes"]),
        ("--mode pool --on-full cry", &["wait", "reject"]),
        ("--mode process --spawn clone", &["fork", "exec"]),
        ("--serve", &["--serve"]),
        ("extra", &["extra"]),
        ("--completions tcsh", &["bash"]),
    ] {
        assert_fails(arguments, 2, words);
    }
}

#[test]
fn a_port_that_is_taken_is_an_error_that_says_what_to_do() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let words = ["cannot listen on 127.0.0.1", &format!("ss -ltnp 'sport = {port}'"), "--port 0"];
    assert_fails_in_one_line(&format!("--port {port}"), 1, &words);
}

#[test]
fn an_address_of_another_machine_is_an_error() {
    // 192.0.2.0/24 is reserved for documents
    assert_fails_in_one_line("--bind 192.0.2.1 --port 0", 1, &["192.0.2.1", "ip address"]);
}

#[test]
fn the_child_of_exec_cannot_be_started_by_hand() {
    assert_fails_in_one_line("--serve-stdin nonsense", 1, &["--serve-stdin"]);
}

#[test]
fn the_help_names_every_option_and_what_a_script_must_know() {
    let output = run("--help");
    assert_eq!(output.status.code(), Some(0));
    let help = String::from_utf8(output.stdout).unwrap();
    for argument in Arguments::command().get_arguments().filter(|a| !a.is_hide_set()) {
        let option = format!("--{}", argument.get_long().unwrap());
        assert!(help.contains(&option), "{option}");
        assert!(argument.get_help().is_some(), "{option} is not explained");
    }
    let all = ["Exit codes", "SIGTERM", "memory fault", "128 + signal", "connections were cut", "Examples"];
    for word in all {
        assert!(help.contains(word), "{word}");
    }
    assert!(help.lines().all(|line| line.chars().count() <= 120), "a line is too long");
}

#[test]
fn the_version_is_told() {
    let output = run("--version");
    assert_eq!(
        String::from_utf8(output.stdout).unwrap(),
        format!("tcp-echo {}\n", env!("CARGO_PKG_VERSION"))
    );
}

#[test]
fn completions_know_the_options() {
    for shell in ["bash", "zsh", "fish"] {
        let output = run(&format!("--completions {shell}"));
        assert_eq!(output.status.code(), Some(0), "{shell}");
        let script = String::from_utf8(output.stdout).unwrap();
        for option in ["idle-timeout", "queue-capacity", "spawn"] {
            assert!(script.contains(option), "{shell}: {option}");
        }
    }
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let unread = program().args(["--completions", "bash"]).stdout(writer).output().unwrap();
    assert_eq!(
        (unread.status.code(), unread.stderr.as_slice()),
        (Some(0), &b""[..]),
        "who reads no more is no failure"
    );
}

#[test]
fn a_closed_stdout_is_an_error_and_no_panic() {
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let output = program().args(["--port", "0"]).stdout(full).output().unwrap();
    let message = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{message}");
    assert!(message.starts_with("error: "), "{message}");
}

//! The rules: each takes a file's text and gives what is wrong in it.

use crate::code::{bare, holds, lines_with, without_tests};

fn forbidden(code: &str, words: &[&str], why: &str) -> Vec<String> {
    let complain = |word: &&str| {
        lines_with(code, word)
            .into_iter()
            .map(|line| format!("line {line}: {word} {why}"))
            .collect::<Vec<_>>()
    };
    words.iter().flat_map(complain).collect()
}

/// Sockets, files and clocks. An address is only data.
pub(crate) fn impure(text: &str) -> Vec<String> {
    const WORDS: &[&str] = &[
        "fs::",
        "io::",
        "mio::",
        "socket2::",
        "libc::",
        "nix::",
        "TcpStream",
        "TcpListener",
        "UdpSocket",
        "UnixStream",
        "ToSocketAddrs",
        "File",
        "OpenOptions",
        "Instant::now",
        "SystemTime",
        "elapsed",
        "sleep",
        "Utc",
        "Local",
    ];
    forbidden(&without_tests(text), WORDS, "does not belong into a file that decides and does not act")
}

/// A pattern with `Model::`: before an arrow, after `let`, or in `matches!`.
pub(crate) fn matches_model(text: &str) -> Vec<String> {
    let code = without_tests(text);
    let mut wrong = Vec::new();
    for (i, line) in code.lines().enumerate().filter(|(_, line)| holds(line, "Model::")) {
        let before_arrow =
            line.split("=>").next().is_some_and(|arm| line.contains("=>") && holds(arm, "Model::"));
        let bound = line.contains("let Model::") || line.contains("matches!(");
        if before_arrow || bound {
            wrong.push(format!("line {}: the model is matched in model.rs only", i + 1));
        }
    }
    wrong
}

pub(crate) fn has_unsafe(text: &str) -> Vec<String> {
    forbidden(&bare(text), &["unsafe"], "belongs under a sys folder")
}

/// The reason stands in the comment above the statement that the block is in.
pub(crate) fn unsafe_without_reason(text: &str) -> Vec<String> {
    let lines: Vec<&str> = text.lines().collect();
    let mut wrong = Vec::new();
    for number in lines_with(&bare(text), "unsafe {") {
        let above = lines[..number - 1].iter().rev().take(8);
        let mut near = above.take_while(|line| !line.trim().is_empty() && line.trim() != "}");
        if !near.any(|line| line.contains("// SAFETY:")) {
            wrong.push(format!("line {number}: no SAFETY: above it"));
        }
    }
    wrong
}

/// What panics: on a value that is not there, on a thread that the kernel has no room for, on a closed stdout.
pub(crate) fn can_panic(text: &str) -> Vec<String> {
    const WORDS: &[&str] = &[
        ".unwrap()",
        ".expect(",
        ".unwrap_err()",
        "panic!",
        "todo!",
        "unimplemented!",
        "thread::spawn(",
        "println!",
        "print!",
        "eprintln!",
        "eprint!",
        "dbg!",
    ];
    forbidden(&without_tests(text), WORDS, "can panic")
}

pub(crate) fn unbounded(text: &str) -> Vec<String> {
    forbidden(&without_tests(text), &["unbounded(", "mpsc::channel(", "unbounded_channel("], "has no bound")
}

pub(crate) fn longer_than(most: usize, text: &str) -> Vec<String> {
    let lines = text.lines().count();
    if lines > most {
        vec![format!("{lines} lines, at most {most}: does it hold two concepts?")]
    } else {
        vec![]
    }
}

pub(crate) fn no_first_words(text: &str) -> Vec<String> {
    if text.starts_with("//! ") { vec![] } else { vec!["does not begin with //! and what it is".to_owned()] }
}

pub(crate) fn missing_headings(text: &str) -> Vec<String> {
    let headings = ["How it works", "What it costs", "Where it breaks", "Who does it"];
    let missing = |heading: &&&str| !text.contains(&format!("//! **{heading}.**"));
    headings.iter().filter(missing).map(|heading| format!("no paragraph **{heading}.**")).collect()
}

/// `[wrong, right]`: the rule finds something in the first and nothing in the second.
#[cfg(test)]
fn assert_tells(rule: fn(&str) -> Vec<String>, wrong: &[&str], right: &[&str]) {
    for text in wrong {
        assert!(!rule(text).is_empty(), "finds nothing in: {text}");
    }
    for text in right {
        assert!(rule(text).is_empty(), "{:?} in: {text}", rule(text));
    }
}

#[test]
fn each_rule_can_fail() {
    assert_tells(
        impure,
        &["use std::io;\nio::stdin();", "use std::net::TcpStream;", "let t = Instant::now();", "fs::read(x)"],
        &[
            "use std::ops::Range;",
            "// std::io is not used",
            "#[cfg(test)]\nmod t { use std::fs::File; }",
            "let profile = 1;",
            "use std::net::SocketAddr;",
        ],
    );
    assert_tells(
        matches_model,
        &[
            "match m { Model::Thread(_) => 1 }",
            "if let Model::Pool(p) = m {",
            "matches!(m, Model::Thread(_))",
        ],
        &["Mode::Thread => Model::Thread(x),", "let m: Model = Model::Process(Spawn::Fork);"],
    );
    assert_tells(
        has_unsafe,
        &["unsafe { x() }", "unsafe fn f() {}"],
        &["// unsafe", "#![expect(unsafe_code)]"],
    );
    assert_tells(
        unsafe_without_reason,
        &["let a = unsafe { x() };", "// SAFETY: y\ny();\n\nunsafe { x() };"],
        &[
            "// SAFETY: it is\nlet a = unsafe { x() };",
            "// SAFETY: it is,\n// and long\nmatch unsafe { x() } {",
        ],
    );
    assert_tells(
        can_panic,
        &["x.unwrap();", "x.expect(\"y\")", "panic!()", "thread::spawn(f)", "println!(\"x\")"],
        &[
            "x.unwrap_or(1)",
            "#[cfg(test)]\nmod t { fn f() { x.unwrap() } }",
            "silence_panics()",
            "\"panic!\"",
        ],
    );
    assert_tells(
        unbounded,
        &["let (a, b) = unbounded();", "mpsc::channel()"],
        &["bounded(3)", "mpsc::sync_channel(3)"],
    );
    assert_tells(|text| longer_than(2, text), &["a\nb\nc"], &["a\nb"]);
    assert_tells(no_first_words, &["use x;", "// x"], &["//! What it is."]);
    let all = "//! **How it works.**\n//! **What it costs.**\n//! **Where it breaks.**\n//! **Who does it.**";
    assert_tells(missing_headings, &["//! **How it works.**"], &[all]);
}

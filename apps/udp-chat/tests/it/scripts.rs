//! `send`, `listen`, `log` and the command line, as a script uses them.

use std::net::UdpSocket;
use std::process::{Command, Stdio};
use std::time::Instant;

use nix::sys::signal::Signal;

use crate::support::{Chat, LIMIT, deaf_port, has, heard, peer, ran, records, text, udp_chat};

#[test]
fn send_sends_its_words_or_each_line() {
    let folder = tempfile::tempdir().unwrap();
    let bob = peer();
    let to = bob.local_addr().unwrap().to_string();
    let out = ran(&folder, &["send", "--to", &to, "dinner", "at 8?"], "");
    assert_eq!(
        (out.status.code(), text(&out.stdout), text(&out.stderr)),
        (Some(0), String::new(), String::new())
    );
    assert_eq!(heard(&bob), "dinner at 8?");
    let out = ran(&folder, &["send", "--to", &to, "--eol", "lf", "--no-history"], "one\n/two\nthree");
    assert_eq!(out.status.code(), Some(0));
    assert_eq!([heard(&bob), heard(&bob), heard(&bob)], ["one\n", "/two\n", "three\n"]);
    assert_eq!(records(&folder).len(), 1);
}

#[test]
fn a_long_line_of_a_pipe_loses_nothing_and_commands_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let bob = peer();
    let to = bob.local_addr().unwrap().to_string();
    // the first limit falls into a character, the second in front of what looks like a command
    for line in
        [format!("a{}", "ä".repeat(40_000)), format!("{}/quit", "x".repeat(65_536)), "x".repeat(65_536)]
    {
        let input = format!("{line}\nnext\n");
        let out =
            ran(&folder, &["--port", "0", "--no-history", "--max-datagram", "60000", "--to", &to], &input);
        assert_eq!(out.status.code(), Some(0));
        let mut all = String::new();
        while !all.ends_with("next") {
            all.push_str(&heard(&bob));
        }
        assert!(all == format!("{line}next"), "{} bytes of {}", all.len(), line.len() + 4);
        assert!(text(&out.stdout).contains(": next\n"), "the recipient is still the same");
    }
}

#[test]
fn a_refused_send_is_exit_code_4() {
    let folder = tempfile::tempdir().unwrap();
    let to = format!("127.0.0.1:{}", deaf_port());
    let out = ran(&folder, &["send", "--to", &to, "anybody?"], "");
    assert_eq!(out.status.code(), Some(4));
    assert_eq!(
        text(&out.stderr),
        format!("! not delivered to {to}: nothing listens on {to} (\"anybody?\")\n")
    );
    assert_eq!(records(&folder).len(), 2);
}

#[test]
fn what_cannot_be_sent_is_exit_code_1() {
    let folder = tempfile::tempdir().unwrap();
    let out = ran(&folder, &["send", "--bind", "127.0.0.1", "--to", "[::1]:9", "x"], "");
    assert_eq!(out.status.code(), Some(1), "{out:?}");
    assert!(text(&out.stderr).starts_with("! not sent to [::1]:9: "), "{out:?}");
    let out = ran(&folder, &["--bind", "127.0.0.1", "--port", "0"], "/msg [::1]:9 x\n");
    assert_eq!(out.status.code(), Some(1), "{out:?}");
}

#[test]
fn listen_prints_messages_only_and_ends_after_so_many() {
    let mut chat = Chat::start(&["listen", "-n", "2", "--json", "--port", "0"]);
    let bob = peer();
    for message in [&b""[..], b"\xFFframe", "t\u{e9}xt \x1b[31m\u{202e}".as_bytes(), b"two"] {
        bob.send_to(message, chat.v4()).unwrap();
    }
    let (status, said) = chat.ended();
    assert_eq!(status.code(), Some(0), "{said:#?}");
    let json: Vec<serde_json::Value> = said
        .iter()
        .filter(|line| line.starts_with('{'))
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(json.len(), 2, "{said:#?}");
    assert_eq!(json[0]["text"], "t\u{e9}xt \x1b[31m\u{202e}");
    assert_eq!(json[0]["port"], bob.local_addr().unwrap().port());
    assert!(!said.concat().contains(['\x1b', '\u{202e}']), "{said:#?}");
}

#[test]
fn listen_ends_when_nobody_reads_it_any_more() {
    let folder = tempfile::tempdir().unwrap();
    let program = env!("CARGO_BIN_EXE_udp-chat");
    let mut shell = Command::new("sh");
    shell
        .current_dir(folder.path())
        .args(["-c", &format!("{program} listen --port 0 2>said | head -1; echo over")]);
    let mut shell = shell.stdout(Stdio::piped()).spawn().unwrap();
    let said = folder.path().join("said");
    let deadline = Instant::now() + LIMIT;
    let port: u16 = loop {
        assert!(Instant::now() < deadline);
        let said = std::fs::read_to_string(&said).unwrap_or_default();
        if let Some((ready, _)) = said.split_once(" (udp-chat") {
            break ready.rsplit(':').next().unwrap().parse().unwrap();
        }
    };
    let bob = peer();
    bob.send_to(b"first", ("127.0.0.1", port)).unwrap();
    // head reads one line and is gone; what comes then finds nobody, and the shell goes on
    while shell.try_wait().unwrap().is_none() {
        assert!(Instant::now() < deadline, "it goes on for ever");
        bob.send_to(b"more", ("127.0.0.1", port)).ok();
        std::thread::yield_now();
    }
    assert!(text(&shell.wait_with_output().unwrap().stdout).ends_with("> first\nover\n"));
}

#[test]
fn listen_prints_no_more_than_it_was_asked_for() {
    let mut chat = Chat::start(&["listen", "-n", "1", "--port", "0"]);
    // it wakes up to three at once
    chat.signal(Signal::SIGSTOP);
    let bob = peer();
    for message in ["one", "two", "three"] {
        bob.send_to(message.as_bytes(), chat.v4()).unwrap();
    }
    chat.signal(Signal::SIGCONT);
    let (status, said) = chat.ended();
    assert_eq!(status.code(), Some(0));
    assert_eq!(said.iter().filter(|line| line.contains("> ")).count(), 1, "{said:#?}");
    assert_eq!(records(&chat.folder).len(), 3, "what was taken from the kernel is kept");
}

#[test]
fn listening_in_vain_is_exit_code_5() {
    let folder = tempfile::tempdir().unwrap();
    for arguments in
        [&["listen", "--timeout", "50ms", "-p", "0"][..], &["listen", "-n1", "--timeout", "50ms", "-p0"]]
    {
        let out = ran(&folder, arguments, "");
        assert_eq!((out.status.code(), text(&out.stdout)), (Some(5), String::new()), "{out:?}");
    }
}

#[test]
fn a_conversation_is_found_again() {
    let folder = tempfile::tempdir().unwrap();
    let bob = peer();
    let to = bob.local_addr().unwrap().to_string();
    for message in ["dinner at eight", "no, at nine"] {
        assert_eq!(ran(&folder, &["send", "--to", &to, message], "").status.code(), Some(0));
    }
    let out = ran(&folder, &["log", "--grep", "eight"], "");
    assert_eq!(out.status.code(), Some(0), "{out:?}");
    assert!(text(&out.stdout).ends_with(":dinner at eight\n") && text(&out.stdout).lines().count() == 1);
    let out = ran(&folder, &["log", "--json", "--peer", &to], "");
    let json: serde_json::Value = serde_json::from_str(text(&out.stdout).lines().last().unwrap()).unwrap();
    assert_eq!((&json["direction"], &json["text"]), (&"sent".into(), &"no, at nine".into()));
}

#[test]
fn a_taken_port_is_said_clearly() {
    let folder = tempfile::tempdir().unwrap();
    let taken = UdpSocket::bind("[::]:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let out = ran(&folder, &["--port", &port], "");
    assert_eq!(out.status.code(), Some(1));
    let expected =
        format!("error: cannot listen on port {port}: address already in use: another program has it");
    assert!(text(&out.stderr).starts_with(&expected), "{out:?}");
}

#[test]
fn addresses_that_need_an_interface_and_others_that_do_not_fit() {
    let folder = tempfile::tempdir().unwrap();
    let chat = &["--port", "0", "--no-history"][..];
    let input = "/msg 127.255.255.255 x\n/msg fe80::1%nowhere x\n/add fe80::1%lo me\n";
    let said = text(&ran(&folder, chat, input).stdout);
    let loopback = nix::net::if_::if_nametoindex("lo").unwrap();
    for what in [
        "permission denied: a broadcast address?",
        "fe80::1%nowhere is no address of an interface of this machine",
        &format!("me is [fe80::1%{loopback}]:7890"),
    ] {
        assert!(said.contains(what), "{what}: {said}");
    }
    let said = text(&ran(&folder, &[chat, &["--bind", "127.0.0.1"]].concat(), "/msg ::1 x\n").stdout);
    assert!(said.contains("--bind has bound this chat to the other of IPv4 and IPv6"), "{said}");
    let said = text(&ran(&folder, &[chat, &["--bind", "fe80::1"]].concat(), "").stderr);
    assert!(said.contains("this address needs its interface"), "{said}");
    let out = ran(&folder, &["send", "--no-history", "--to", "fe80::1%nowhere", "x"], "");
    assert_eq!(out.status.code(), Some(2), "{out:?}");
}

#[test]
fn wrong_usage_is_exit_code_2_and_one_helpful_line() {
    let folder = tempfile::tempdir().unwrap();
    let cases: &[(&[&str], &str)] = &[
        (&["send", "--to", "bob", "x"], "it is no IP:PORT"),
        (&["--to", "bob"], "nobody is called bob"),
        (&["--max-datagram", "5"], "16..=65507"),
        (&["--rate-limit", "fast"], "200/s"),
        (&["--sync", "sometimes"], "always"),
        (&["--history", "x", "--no-history"], "cannot be used with"),
        (&["listen", "-n", "0"], "a number from 1 on"),
        (&["--queue-capacity", "0"], "1 to 10,000,000"),
        (&["frob"], "unrecognized subcommand"),
    ];
    for (arguments, what) in cases {
        let out = ran(&folder, &[arguments, &["--port", "0"][..]].concat(), "");
        assert_eq!(out.status.code(), Some(2), "{arguments:?}: {out:?}");
        assert!(text(&out.stderr).contains(what), "{arguments:?}: {}", text(&out.stderr));
    }
}

#[test]
fn a_history_that_cannot_be_opened() {
    let folder = tempfile::tempdir().unwrap();
    let out = ran(&folder, &["--port", "0", "--history", "no/such/folder"], "");
    assert_eq!(out.status.code(), Some(1));
    assert!(text(&out.stderr).starts_with("error: history: cannot open "), "{out:?}");
    // the default one is no reason to stay silent
    std::fs::create_dir(folder.path().join("chat.txt")).unwrap();
    let bob = peer();
    let input = format!("/msg {} hello\n", bob.local_addr().unwrap());
    let out = ran(&folder, &["--port", "0"], &input);
    assert_eq!((out.status.code(), heard(&bob)), (Some(1), "hello".into()));
    assert!(text(&out.stdout).contains("nothing will be saved"), "{out:?}");
    assert!(text(&out.stderr).starts_with("error: 1 record could not be saved: cannot open "), "{out:?}");
    let out = ran(&folder, &["send", "--to", &bob.local_addr().unwrap().to_string(), "hello"], "");
    assert_eq!((out.status.code(), heard(&bob)), (Some(1), "hello".into()));
    // who has said nothing has lost nothing
    assert_eq!(ran(&folder, &["--port", "0"], "/peers\n").status.code(), Some(0));
}

#[test]
fn without_ipv6_there_is_ipv4() {
    if !has("strace") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let mut command = Command::new("strace");
    command.args(["-f", "-qq", "-o", "/dev/null", "-e", "inject=socket:error=EAFNOSUPPORT:when=1"]);
    command.args([env!("CARGO_BIN_EXE_udp-chat"), "--port", "0"]).current_dir(folder.path());
    let mut chat = Chat::of(command, folder);
    peer().send_to(b"four", chat.v4()).unwrap();
    chat.expect("> four");
    chat.type_line("/status");
    assert!(!chat.expect("listening on  ").contains('['));
    chat.quit();
}

#[test]
fn help_and_completions() {
    let folder = tempfile::tempdir().unwrap();
    for verb in [&["--help"][..], &["send", "--help"], &["listen", "--help"], &["log", "--help"]] {
        let out = udp_chat(&folder).args(verb).output().unwrap();
        assert_eq!(out.status.code(), Some(0));
        assert!(text(&out.stdout).contains("Usage: "), "{out:?}");
    }
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let unread = udp_chat(&folder).args(["--completions", "bash"]).stdout(writer).output().unwrap();
    assert_eq!(
        (unread.status.code(), unread.stderr.as_slice()),
        (Some(0), &b""[..]),
        "who reads no more is no failure"
    );
    let out = udp_chat(&folder).args(["--completions", "bash"]).output().unwrap();
    assert!(text(&out.stdout).contains("udp-chat"));
}

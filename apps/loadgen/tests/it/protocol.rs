//! Any protocol: every way in which a reply may end, replies that are wrong, and a first message, against small servers.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};

use serde_json::Value;

use crate::tool::{Ran, correct, every, ran, serve, short};

/// Answers each line with what `answer` makes of it, in two pieces; none ends the connection.
fn lines(answer: impl Fn(&str) -> Option<Vec<u8>> + Send + Sync + 'static) -> SocketAddr {
    serve(move |stream, _| {
        let mut requests = BufReader::new(stream.try_clone().unwrap());
        let (mut stream, mut line) = (stream, String::new());
        while requests.read_line(&mut line).is_ok_and(|count| count > 0) {
            let Some(reply) = answer(line.trim_end()) else { return };
            line.clear();
            let (first, second) = reply.split_at(reply.len() / 2);
            if stream.write_all(first).and_then(|()| stream.write_all(second)).is_err() {
                return;
            }
        }
    })
}

/// A run that must be right in every respect.
fn right(ran: &Ran) -> Value {
    assert_eq!(ran.code, Some(0), "{} {}", ran.stderr, ran.stdout);
    let client = ran.client();
    assert!(client["requests"]["ok"].as_u64().unwrap() > 0, "{client}");
    assert_eq!(client["requests"]["balanced"], true, "{client}");
    assert_eq!(client["requests"]["scheduled"], client["requests"]["ok"]);
    assert_eq!(client["reply"]["count"], client["requests"]["ok"]);
    client
}

#[test]
fn every_framing_finds_the_end_of_every_reply() {
    for (expect, reply, content) in [
        ("line", b"+PONG 1\r\n".as_slice(), "+PONG 1"),
        (r"delim:END\r\n", b"some\r\nlines\r\nEND\r\n", r"some\r\nlines\r\n"),
        ("bytes:7", b"sev\nen!", r"sev\nen!"),
        ("prefix:u8", b"\x05hello", "hello"),
        ("prefix:u16be", b"\x00\x05hello", "hello"),
        ("prefix:u16le", b"\x05\x00hello", "hello"),
        ("prefix:u32be", b"\x00\x00\x00\x05hello", "hello"),
        ("prefix:u32le", b"\x05\x00\x00\x00hello", "hello"),
        ("resp", b"*2\r\n$4\r\na\r\nb\r\n:7\r\n", r"*2\r\n$4\r\na\r\nb\r\n:7"),
    ] {
        let server = lines(move |_| Some(reply.to_vec()));
        let arguments = ["-e", "-m", r"ask {sequence}\n", "--expect", expect, "--reply", content];
        right(&short(server, &[&arguments[..], &["-c", "3", "-P", "4", "-n", "300"]].concat()));
        let wrong = ["-e", "-m", r"ask\n", "--expect", expect, "--reply", "re:NEVER", "-c", "2", "-n", "50"];
        let ran = short(server, &wrong);
        assert_eq!((ran.code, ran.classes()), (Some(1), vec!["unexpected".to_owned()]), "{expect}");
    }
}

#[test]
fn a_marker_counts_a_reply_as_soon_as_it_is_seen() {
    let server = lines(|_| Some(b"HEAD OK and some more that belongs to nobody\n".to_vec()));
    let ran = short(server, &["-e", "-m", r"ask\n", "--expect", "marker:OK", "-c", "3", "-n", "200"]);
    right(&ran);
}

#[test]
fn a_reply_may_end_with_the_connection() {
    let server = serve(|mut stream, _| {
        let mut request = [0; 8];
        if stream.read_exact(&mut request).is_ok() && &request == b"GET / 12" {
            let _ = stream.write_all(b"200 fine\n").and_then(|()| stream.write_all(b"and a body"));
        }
    });
    let message = ["-m", "GET / 12", "--expect", "close", "--reply", "re:^200 "];
    let client = right(&short(server, &[&message[..], &["-c", "3", "-n", "60", "-w", "0"]].concat()));
    assert!(client["connections"]["opened"].as_u64() > Some(55), "{client}");
    // a server that hangs up without a word has not answered
    let rude = serve(|mut stream, _| {
        let _ = stream.read(&mut [0; 64]);
    });
    let ran = short(rude, &[&message[..], &["-c", "2", "-T", "200ms"]].concat());
    assert_eq!((ran.code, ran.classes()), (Some(1), vec!["closed_early".to_owned()]), "{}", ran.stderr);
}

#[test]
fn the_users_own_message_is_echoed_and_compared() {
    for message in ["hello", "{connection}:{sequence}", r#"{"id":{sequence:8},"connection":{connection}}"#] {
        right(&short(correct(), &["-m", message, "-c", "5", "-P", "7", "-n", "2000"]));
    }
    let spoilt = every(20);
    let server = lines(move |line| {
        let reply = if spoilt() { line.to_uppercase() } else { line.to_owned() };
        Some((reply + "\n").into_bytes())
    });
    let ran = short(server, &["-e", "-m", r"abc\n", "-c", "2"]);
    assert_eq!((ran.code, ran.classes()), (Some(1), vec!["corrupt".to_owned()]), "{}", ran.stderr);
    assert!(ran.client()["first_wrong"].as_str().unwrap().starts_with("byte 0 "), "{}", ran.stdout);
}

#[test]
fn an_unexpected_reply_is_an_error_and_the_connection_goes_on() {
    let spoilt = every(10);
    let server = lines(move |_| Some(if spoilt() { "-ERR\tno\r\n" } else { "+OK\r\n" }.into()));
    let ask = ["-e", "-m", r"ask\n", "--expect", "line", "--reply", "+OK"];
    let ran = short(server, &[&ask[..], &["-c", "1", "-P", "3", "-n", "1000", "-w", "0"]].concat());
    assert_eq!((ran.code, ran.classes()), (Some(1), vec!["unexpected".to_owned()]), "{}", ran.stderr);
    let client = ran.client();
    let requests = &client["requests"];
    assert_eq!((&requests["scheduled"], &requests["ok"]), (&1000.into(), &900.into()), "{client}");
    assert_eq!(requests["lost"][0]["requests"], 100);
    assert_eq!(requests["lost"][0]["connections"], 0);
    assert_eq!(requests["balanced"], true);
    assert_eq!(client["reply"]["count"], 900);
    assert_eq!(client["connections"]["opened"], 0);
    assert_eq!(client["first_wrong"], r#"a reply was "-ERR\tno" and must be +OK"#);
    assert!(ran.stderr.contains("100 requests with an unexpected reply: a reply was"), "{}", ran.stderr);
}

/// A server that answers nothing but errors is there all the same: the run is as long as it was meant to be.
#[test]
fn a_run_in_which_every_reply_is_unexpected_is_no_stall() {
    let server = lines(|_| Some(b"-ERR\r\n".to_vec()));
    let arguments = [
        "-e", "-m", r"ask\n", "--expect", "line", "--reply", "+OK", "-c", "2", "-T", "500ms", "-d", "1300ms",
    ];
    let ran = short(server, &arguments);
    assert_eq!((ran.code, ran.client()["ending"].as_str()), (Some(1), Some("completed")), "{}", ran.stdout);
    assert_eq!(ran.classes(), ["unexpected"]);
}

#[test]
fn messages_take_turns_and_each_has_its_reply() {
    let server = lines(|line| {
        Some(match line.split_once(' ') {
            Some(("SET", value)) => format!("OK {value}\n").into_bytes(),
            _ => b"value\n".to_vec(),
        })
    });
    let two = ["-e", "-m", r"SET {sequence}\n", "-m", r"GET\n", "--expect", "line"];
    let replies = ["--reply", r"re:^OK \d*[02468]$", "--reply", "value"];
    right(&short(server, &[&two[..], &replies[..], &["-c", "3", "-P", "5", "-n", "500"]].concat()));
}

#[test]
fn a_file_is_sent_byte_for_byte() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("message");
    std::fs::write(&file, b"\\r{sequence}\n").unwrap();
    let server = lines(|line| Some(format!("{line}\n").into_bytes()));
    let file = file.to_str().unwrap();
    right(&short(server, &["-f", file, "--expect", "line", "--reply", r"re:^\\r\{sequence\}$", "-n", "50"]));
}

/// Each connection says who it is first; that is awaited, and no request of the measured ones.
#[test]
fn a_first_message_is_answered_before_the_load_begins_and_not_counted() {
    fn polite(stream: TcpStream, greeting: &str, asks: bool) {
        let mut requests = BufReader::new(stream.try_clone().unwrap());
        let (mut stream, mut line) = (stream, String::new());
        if asks && (requests.read_line(&mut line).unwrap_or(0) == 0 || !line.starts_with("HELLO ")) {
            return;
        }
        // the requests must not have come before the answer
        if !requests.buffer().is_empty() || stream.write_all(greeting.as_bytes()).is_err() {
            return;
        }
        line.clear();
        while requests.read_line(&mut line).is_ok_and(|count| count > 0) && line == "ask\n" {
            line.clear();
            if stream.write_all(b"fine\n").is_err() {
                return;
            }
        }
    }
    let ask =
        ["-e", "-m", r"ask\n", "--expect", "line", "--reply", "fine", "-c", "3", "-P", "4", "-n", "400"];
    for more in [[].as_slice(), &["-w", "0"], &["--reconnect", "10"]] {
        let server = serve(|stream, _| polite(stream, "welcome\n", true));
        let hello = ["-1", r"HELLO {connection}\n"];
        let client = right(&short(server, &[&ask[..], &hello, more].concat()));
        assert_eq!(client["requests"]["ok"], 400);
        // a server that speaks first
        let server = serve(|stream, _| polite(stream, "220 welcome\n", false));
        let client = right(&short(server, &[&ask[..], &["-1", ""], more].concat()));
        assert_eq!(client["requests"]["ok"], 400);
    }
    let mute = lines(|line| (line == "ask").then(|| b"fine\n".to_vec()));
    let ran = short(mute, &[&ask[..], &["-1", r"HELLO\n", "-w", "0", "-T", "100ms"]].concat());
    assert_eq!(ran.code, Some(1), "{}", ran.stdout);
}

#[test]
fn a_reply_that_nobody_asked_for_is_corrupt() {
    let server = lines(|_| Some(b"one\ntwo\n".to_vec()));
    let ran = short(server, &["-e", "-m", r"ask\n", "--expect", "line", "-c", "2"]);
    assert_eq!((ran.code, ran.classes()), (Some(1), vec!["corrupt".to_owned()]), "{}", ran.stderr);
    assert_eq!(ran.client()["requests"]["balanced"], true);
    assert!(ran.stderr.contains("several lines? --expect delim:STR"), "{}", ran.stderr);
}

#[test]
fn who_takes_another_server_for_an_echo_server_is_told_what_to_write() {
    let server = serve(|mut stream, _| {
        let _ = stream.read(&mut [0; 64]);
        let _ = stream.write_all(b"-ERR unknown command\r\n");
        let _ = stream.read(&mut [0; 64]);
    });
    let ran = short(server, &["-c", "1", "-T", "200ms"]);
    assert_eq!(ran.code, Some(1));
    assert!(
        ran.stderr.contains("--protocol redis-ping") && ran.stderr.lines().count() == 1,
        "{}",
        ran.stderr
    );
}

#[test]
fn a_report_says_what_was_sent_and_how_far_replies_were_looked_at() {
    let server = lines(|_| Some(b"+PONG\r\n".to_vec())).to_string();
    let ask = ["run", &server, "-e", "-m", r"PING\r\n", "--expect", "line", "-n", "50", "-w", "0", "--quiet"];
    let unchecked = ran(&ask);
    assert!(unchecked.stdout.contains("6 B messages, replies end with a line, kept"), "{}", unchecked.stdout);
    assert!(unchecked.stdout.contains("counted, not looked at"), "{}", unchecked.stdout);
    let checked = ran(&[&ask[..], &["--reply", "+PONG"]].concat());
    assert!(checked.stdout.contains("each must be +PONG"), "{}", checked.stdout);
    assert!(checked.stdout.contains("every reply was what it must be"), "{}", checked.stdout);
}

//! Datagrams that nobody would send by mistake, and crowds.

use std::net::{Ipv4Addr, UdpSocket};
use std::path::Path;

use crate::support::{Chat, deaf_port, heard, peer};

/// What must never reach a terminal or a file raw; a line break only ends lines.
fn is_raw(c: char) -> bool {
    c != '\n'
        && (c.is_control()
            || matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}'))
}

#[track_caller]
fn assert_clean(text: &str) {
    assert_eq!(text.chars().find(|c| is_raw(*c)), None, "{text:?}");
}

/// The committed datagrams, in the order of their names.
fn corpus() -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus/datagrams");
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().path()).collect();
    files.sort();
    files.into_iter().map(|file| std::fs::read(file).unwrap()).collect()
}

#[test]
fn no_datagram_does_harm() {
    let mut chat = Chat::start(&["--rate-limit", "off"]);
    let bob = peer();
    let datagrams = corpus();
    assert!(datagrams.len() > 20);
    for datagram in &datagrams {
        bob.send_to(datagram, chat.v4()).unwrap();
    }
    bob.send_to(b"the last one", chat.v4()).unwrap();
    chat.expect("> the last one");
    chat.type_line("/status");
    chat.expect("1 empty, 2 unsupported frames");
    chat.close_input();
    let (status, said) = chat.ended();
    assert_eq!(status.code(), Some(0));
    assert_clean(&said.join("\n"));
    assert_clean(&chat.history());
    // an empty datagram and the frames are no messages, all others are a record each, and no message forged one
    assert_eq!(chat.history().lines().count(), datagrams.len() - 3 + 1);
    assert!(chat.history().contains("hi\\n2026-11-20T21:45:03.123Z >>>"));
}

#[test]
fn the_longest_datagram_is_kept_whole() {
    let mut chat = Chat::start(&[]);
    let bob = peer();
    let long = "0123456789".repeat(6551)[..65_507].to_owned();
    bob.send_to(long.as_bytes(), chat.v4()).unwrap();
    chat.expect(&long);
    chat.quit();
}

#[test]
fn a_datagram_of_line_breaks_does_not_flood_the_terminal() {
    let mut chat = Chat::start(&[]);
    let bob = peer();
    bob.send_to(&[b'\n'; 65_000], chat.v4()).unwrap();
    bob.send_to(b"the next", chat.v4()).unwrap();
    chat.expect("... 64,980 more lines (/history)");
    chat.expect("> the next");
    chat.close_input();
    let (_, said) = chat.ended();
    assert!(said.len() < 50, "{} lines", said.len());
    assert!(chat.history().contains(&"\\n".repeat(64_999)), "it is kept whole");
}

#[test]
fn a_crowd_of_strangers_neither_fills_nor_stops_it() {
    let mut chat = Chat::start(&[]);
    let bob = peer();
    chat.type_line(&format!("/add {} bob", bob.local_addr().unwrap()));
    chat.type_line("/to bob");
    for number in 0..10_000u32 {
        let source = Ipv4Addr::from(0x7f01_0000 + number);
        let stranger = UdpSocket::bind((source, 0)).unwrap();
        stranger.send_to(b"let me in", chat.v4()).unwrap();
    }
    bob.send_to(b"still there?", chat.v4()).unwrap();
    chat.expect("bob> still there?");
    chat.type_line("yes");
    assert_eq!(heard(&bob), "yes");
    chat.type_line("/peers");
    chat.type_line("/status");
    chat.expect("nobody answers?");
    let status = std::fs::read_to_string(format!("/proc/{}/status", chat.child.id())).unwrap();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    let peak: u64 = peak.trim().trim_end_matches(" kB").parse().unwrap();
    assert!(peak < 64 * 1024, "it grew to {peak} KiB");
    chat.close_input();
    let (_, said) = chat.ended();
    assert!(said.iter().filter(|line| line.contains(", sent ")).count() <= 256);
}

#[test]
fn a_storm_of_refusals_costs_nobody_else_a_message() {
    let mut chat = Chat::start(&["--queue-capacity", "100000"]);
    let bob = peer();
    chat.type_line(&format!("/add {} bob", bob.local_addr().unwrap()));
    for _ in 0..100 {
        chat.type_line(&format!("/add 127.0.0.1:{}", deaf_port()));
    }
    chat.type_line("/to all");
    for round in 0..20 {
        chat.type_line(&format!("round {round}"));
    }
    for round in 0..20 {
        assert_eq!(heard(&bob), format!("round {round}"));
    }
    chat.expect("! not delivered to 127.0.0.1:");
    chat.type_line("/status");
    chat.expect(", 0 send errors, ");
    chat.quit();
}

#[test]
fn a_flood_of_one_is_cut_down_and_said() {
    let mut chat = Chat::start(&["--rate-limit", "1/s,burst 5"]);
    let bob = peer();
    for number in 0..100 {
        bob.send_to(format!("flood {number}").as_bytes(), chat.v4()).unwrap();
    }
    chat.expect("# suppressed: ");
    chat.close_input();
    let (_, said) = chat.ended();
    let shown = said.iter().filter(|line| line.contains("> flood ")).count();
    let history = chat.history();
    let saved = history.lines().filter(|line| line.contains("):flood ")).count();
    let suppressed: usize = history
        .lines()
        .filter_map(|line| line.split_once("# suppressed: ")?.1.split(' ').next()?.parse::<usize>().ok())
        .sum();
    assert_eq!((shown, saved, suppressed), (saved, saved, 100 - saved), "{history}");
    assert!((5..10).contains(&saved));
}

#[test]
fn an_address_has_many_ports_and_is_one_source() {
    let mut chat = Chat::start(&["--rate-limit", "1/s,burst 20"]);
    let strangers: Vec<UdpSocket> = (0..300).map(|_| peer()).collect();
    // no frame tells more than one about many
    for stranger in &strangers {
        stranger.send_to(b"\xFFframe", chat.v4()).unwrap();
    }
    chat.expect(" other sources (--rate-limit)");
    chat.type_line("/ignore 127.0.0.1");
    chat.expect("127.0.0.1 with all its ports is ignored from now on");
    peer().send_to(b"a new port of theirs", chat.v4()).unwrap();
    let bob = UdpSocket::bind("127.0.0.2:0").unwrap();
    bob.send_to(b"another address", chat.v4()).unwrap();
    chat.expect("> another address");
    chat.close_input();
    let (_, said) = chat.ended();
    let reports = said.iter().filter(|line| line.contains("unsupported") || line.contains("suppressed"));
    assert!(reports.count() < 10, "{said:#?}");
    assert!(!said.iter().any(|line| line.contains("a new port")), "{said:#?}");
}

#[test]
fn one_who_sleeps_wakes_nobody() {
    let mut chat = Chat::start(&[]);
    peer().send_to(b"hello", chat.v4()).unwrap();
    chat.expect("> hello");
    // the saver syncs once, a second later; then every thread sleeps for good
    let switches = |chat: &Chat| -> u64 {
        let tasks = std::fs::read_dir(format!("/proc/{}/task", chat.child.id())).unwrap();
        tasks
            .map(|task| std::fs::read_to_string(task.unwrap().path().join("status")).unwrap())
            .map(|status| {
                let line = status.lines().find(|line| line.starts_with("voluntary_ctxt_switches")).unwrap();
                line.rsplit('\t').next().unwrap().parse::<u64>().unwrap()
            })
            .sum()
    };
    let until_quiet = std::time::Instant::now() + crate::support::LIMIT;
    loop {
        let before = switches(&chat);
        // an event that has nothing to do with the chat: a child that lives for a while
        let mut clock = std::process::Command::new("sleep").arg("1.2").spawn().unwrap();
        clock.wait().unwrap();
        if switches(&chat) == before {
            break;
        }
        assert!(std::time::Instant::now() < until_quiet, "it never sleeps");
    }
    chat.quit();
}

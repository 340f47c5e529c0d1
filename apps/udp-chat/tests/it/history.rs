//! The history, as it stands in the file after good ends and bad ones.

use std::fs;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::net::{SocketAddr, UdpSocket};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use nix::sys::signal::Signal;
use tempfile::TempDir;

use crate::books::{Books, all_taken, flood, listener, lost, message, say, stopped, without_time};
use crate::support::{Chat, LIMIT, has, peer, ran, records, text, udp_chat};

/// Crashes on one file before it is looked at.
const CRASHES: u64 = 10;

fn random() -> u64 {
    RandomState::new().build_hasher().finish()
}

#[test]
fn what_was_written_survives_kill_9() {
    let sessions = if std::env::var_os("MANYHANDS_FULL").is_some() { 100 } else { 3 };
    for _ in 0..sessions {
        crashes_on_one_file();
    }
}

fn crashes_on_one_file() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("chat.txt");
    let mut next = 0;
    let mut crashes = vec![];
    for _ in 0..CRASHES {
        let (before, after) = crash_in_a_flood(&file, &mut next);
        assert!(after.starts_with(&before), "a crash has changed what was written");
        crashes.push(after);
    }
    // the last start is one that ends well
    let mut chat = listener(&file, &[]);
    say(&peer(), &mut chat, next..next + 1);
    assert_eq!(stopped(chat).0, Some(0));

    let all = fs::read(&file).unwrap();
    for crash in &crashes {
        let rest = all.strip_prefix(crash.as_slice()).expect("a start has changed what was written");
        let torn = crash.last().is_some_and(|byte| *byte != b'\n');
        assert_eq!(torn, rest.starts_with(b" # torn\n"), "the line of a crash at {}", crash.len());
    }
    let books = Books::of(&text(&all));
    books.assert_rising();
    assert_eq!(books.messages().last(), Some(&next));
    assert!(books.torn() <= crashes.len());
}

/// Kills a chat at a moment that nobody can foresee. Gives what stood in the file before, and what stands in it now.
fn crash_in_a_flood(file: &Path, next: &mut u64) -> (Vec<u8>, Vec<u8>) {
    let mut chat = listener(file, &[]);
    let length = || fs::metadata(file).unwrap().len();
    let enough = length() + random() % 100_000;
    let (stop, to) = (AtomicBool::new(false), chat.v4());
    let before = std::thread::scope(|threads| {
        threads.spawn(|| flood_until(&stop, to, next));
        let deadline = Instant::now() + LIMIT;
        while length() < enough && Instant::now() < deadline {
            std::thread::yield_now();
        }
        let before = fs::read(file).unwrap();
        chat.child.kill().unwrap();
        chat.child.wait().unwrap();
        stop.store(true, Ordering::Relaxed);
        before
    });
    assert!(before.len() as u64 >= enough, "the file never grew to {enough} bytes");
    (before, fs::read(file).unwrap())
}

fn flood_until(stop: &AtomicBool, to: SocketAddr, next: &mut u64) {
    let from = peer();
    while !stop.load(Ordering::Relaxed) {
        let _ = from.send_to(message(*next).as_bytes(), to);
        *next += 1;
    }
}

#[test]
fn a_file_cut_at_any_byte_is_continued() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("chat.txt");
    let bob = peer();
    let to = bob.local_addr().unwrap().to_string();
    let send = |word: &str| ran(&folder, &["send", "--to", &to, "--wait", "0ms", "--sync", "off", word], "");
    let record = format!("<<<(127.0.0.1, {}):", bob.local_addr().unwrap().port());
    ["one", "grüß dich", "three"].iter().for_each(|word| drop(send(word)));
    let valid = fs::read(&file).unwrap();
    assert_eq!(
        records(&folder),
        [format!("{record}one"), format!("{record}grüß dich"), format!("{record}three")]
    );

    for end in 0..=valid.len() {
        let left = &valid[..end];
        fs::write(&file, left).unwrap();
        assert_eq!(send("next").status.code(), Some(0));
        let whole = left.is_empty() || left.ends_with(b"\n");
        let kept = [left, if whole { b"" } else { b" # torn\n" }].concat();
        let now = fs::read(&file).unwrap();
        let added = now.strip_prefix(kept.as_slice());
        let added = added.unwrap_or_else(|| panic!("cut at {end}: {}", String::from_utf8_lossy(&now)));
        assert_eq!(without_time(&text(added)), Some(format!("{record}next\n").as_str()), "cut at {end}");
    }
}

#[test]
fn a_full_queue_is_counted_exactly() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("chat.txt");
    let mut chat = listener(&file, &["--queue-capacity", "4"]);
    say(&peer(), &mut chat, 0..5_000);
    let (code, said) = stopped(chat);
    let books = Books::read(&file);
    books.assert_exact(5_000);
    assert!(books.gaps() > 0, "four have been enough");
    assert_eq!((code, lost(&said)), (Some(1), books.gaps()));
}

#[test]
fn a_flood_that_the_kernel_drops_is_counted_exactly() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("chat.txt");
    let mut chat = listener(&file, &["--queue-capacity", "4"]);
    let bob = peer();
    say(&bob, &mut chat, 0..200);
    // a program that stands still takes nothing out of the kernel's buffer, which holds some thousand
    chat.signal(Signal::SIGSTOP);
    flood(&bob, chat.v4(), 200..20_000);
    chat.signal(Signal::SIGCONT);
    // the kernel tells what it dropped with the next datagram that it does not
    let dropped = all_taken(chat.port);
    say(&bob, &mut chat, 20_000..20_001);
    let (code, said) = stopped(chat);

    let books = Books::read(&file);
    books.assert_rising();
    assert!(dropped > 0, "the kernel had room for all of it");
    assert_eq!((books.dropped(), books.total()), (dropped, 20_001));
    assert_eq!((code, lost(&said)), (Some(1), books.gaps()));
}

#[test]
fn two_chats_can_write_one_file() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("chat.txt");
    let capacity = ["--queue-capacity", "20000"];
    let mut chats = [listener(&file, &capacity), listener(&file, &capacity)];
    let peers = [peer(), peer()];
    // both have a hundred to write at the same time, again and again
    for start in (0..2_000).step_by(100) {
        for (chat, peer) in chats.iter().zip(&peers) {
            flood(peer, chat.v4(), start..start + 100);
        }
        for chat in &mut chats {
            chat.expect(&message(start + 99));
        }
    }
    for chat in chats {
        assert_eq!(stopped(chat).0, Some(0));
    }
    let all = fs::read_to_string(&file).unwrap();
    assert_eq!(all.lines().count(), 4_000);
    for peer in &peers {
        lines_of(&all, peer).assert_exact(2_000);
    }
}

/// The lines that one peer's messages make.
fn lines_of(history: &str, peer: &UdpSocket) -> Books {
    let from = format!("('127.0.0.1', {}):", peer.local_addr().unwrap().port());
    let lines: String =
        history.lines().filter(|line| line.contains(&from)).map(|l| format!("{l}\n")).collect();
    Books::of(&lines)
}

/// How the tutorial's program keeps its file.
const PYTHON: &str = r#"
import sys
port = int(sys.argv[1])
history = open("chat.txt", "a", encoding="utf-8")
history.write(">>>%s:%s\n" % (str(("127.0.0.1", port)), "grüß dich"))
history.write("<<<(%s, %s):%s\n" % ("127.0.0.1", port, "hello"))
"#;

#[test]
fn a_file_of_the_tutorials_program_is_continued_in_its_own_form() {
    if !has("python3") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let bob = peer();
    let address = bob.local_addr().unwrap();
    let python = Command::new("python3")
        .args(["-c", PYTHON, &address.port().to_string()])
        .current_dir(&folder)
        .status()
        .unwrap();
    assert!(python.success());
    let theirs = fs::read_to_string(folder.path().join("chat.txt")).unwrap();
    assert!(theirs.starts_with(">>>('127.0.0.1', "), "{theirs}");

    let mut command = udp_chat(&folder);
    command.args(["--log-format", "classic"]);
    let mut chat = Chat::of(command, folder);
    bob.send_to("grüß dich".as_bytes(), chat.v4()).unwrap();
    chat.expect("> grüß dich");
    chat.type_line(&format!("/msg {address} hello"));
    chat.expect(&format!("-> {address}: hello"));
    let folder = chat.quit();
    // the same words once more, and letter for letter the same lines
    let both = theirs.repeat(2);
    assert_eq!(fs::read_to_string(folder.path().join("chat.txt")).unwrap(), both);

    let log = ran(&folder, &["log"], "");
    assert_eq!((log.status.code(), text(&log.stdout)), (Some(0), both));
    let log = ran(&folder, &["log", "--json", "--peer", &address.to_string(), "--grep", "hello"], "");
    assert_eq!(text(&log.stdout).lines().count(), 2, "{log:?}");
    assert!(text(&log.stdout).lines().all(|line| line.contains(r#""direction":"sent""#)), "{log:?}");
}

#[test]
fn a_new_file_is_private_and_an_old_one_stays_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("chat.txt");
    let mode = || fs::metadata(&file).unwrap().permissions().mode() & 0o777;
    write_one(&folder);
    assert_eq!(mode(), 0o600);
    fs::set_permissions(&file, fs::Permissions::from_mode(0o640)).unwrap();
    write_one(&folder);
    assert_eq!((mode(), records(&folder).len()), (0o640, 2));
}

fn write_one(folder: &TempDir) {
    let bob = peer();
    let to = bob.local_addr().unwrap().to_string();
    let out = ran(folder, &["send", "--to", &to, "--wait", "0ms", "hi"], "");
    assert_eq!(out.status.code(), Some(0), "{out:?}");
}

#[test]
fn what_the_kernel_drops_behind_the_last_message_is_counted() {
    // it is stopped like this, or when it has taken all; nothing comes afterwards that could tell
    for stop_at_once in [false, true] {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("chat.txt");
        let mut chat = listener(&file, &["--queue-capacity", "100000"]);
        chat.signal(Signal::SIGSTOP);
        let bob = peer();
        flood(&bob, chat.v4(), 0..30_000);
        if stop_at_once {
            chat.signal(Signal::SIGTERM);
        }
        chat.signal(Signal::SIGCONT);
        if !stop_at_once {
            assert!(all_taken(chat.port) > 0, "the socket held all");
            chat.signal(Signal::SIGTERM);
        }
        let (status, said) = chat.ended();
        let code = status.code();
        assert_eq!(code, Some(0), "{said:#?}");
        let books = Books::read(&file);
        books.assert_rising();
        assert!(books.dropped() > 0);
        assert_eq!(books.total(), 30_000);
    }
}

#[test]
fn long_records_are_shown_in_little_memory() {
    let folder = tempfile::tempdir().unwrap();
    let long = format!(">>>('127.0.0.1', 5):{}\n", "\\x01".repeat(50_000));
    fs::write(folder.path().join("chat.txt"), long.repeat(200)).unwrap();
    let mut chat = Chat::of(udp_chat(&folder), folder);
    chat.type_line("/history 200");
    for _ in 0..200 {
        assert!(chat.expect(" bytes more (udp-chat log)").len() < 5000);
    }
    let status = fs::read_to_string(format!("/proc/{}/status", chat.child.id())).unwrap();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    let peak: u64 = peak.trim().trim_end_matches(" kB").parse().unwrap();
    assert!(peak < 30 * 1024, "it grew to {peak} KiB for 40 MB");
    chat.quit();
}

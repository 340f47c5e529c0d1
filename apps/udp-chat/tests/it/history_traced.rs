//! The history as the system sees it: what is written, when it is synced, and what becomes of calls that fail or take
//! their time.

use std::fs;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tempfile::TempDir;

use crate::books::{Books, all_taken, flood, lost, say};
use crate::history_faults::{count, file_of, run_by};
use crate::support::{Chat, LIMIT, has, peer, udp_chat, wait};

/// A batch of records, and the longest record that a test here makes.
const WRITE_MAX: u64 = 64 * 1024 + 300;

/// A listening chat whose calls on its history, and no others, are noted and tampered with.
fn traced(tampering: &[&str], more: &[&str]) -> Chat {
    let folder = tempfile::tempdir().unwrap();
    let arguments = tracing(&folder, tampering);
    run_by("strace", &arguments, &[&["listen", "--rate-limit", "off"], more].concat(), folder)
}

/// What strace is asked for. As it becomes a grandchild, the child is the chat itself.
fn tracing(folder: &TempDir, tampering: &[&str]) -> Vec<String> {
    // strace compares names as the kernel has them
    let place = folder.path().canonicalize().unwrap();
    let (file, trace) = (place.join("chat.txt"), place.join("trace"));
    let mut arguments: Vec<String> =
        ["-D", "-f", "-qq", "-ttt", "-e", "trace=openat,write,fdatasync,ftruncate"].map(str::to_owned).into();
    arguments.extend(["-P", file.to_str().unwrap(), "-o", trace.to_str().unwrap()].map(str::to_owned));
    arguments.extend(tampering.iter().flat_map(|tampering| ["-e".to_owned(), format!("inject={tampering}")]));
    arguments
}

/// A call that the chat has made.
#[derive(Debug)]
struct Call {
    seconds: f64,
    what: String,
    result: i64,
}

/// The calls so far that have returned.
fn calls(folder: &TempDir) -> Vec<Call> {
    let trace = fs::read_to_string(folder.path().join("trace")).unwrap();
    trace.lines().filter_map(call).collect()
}

/// Of a line such as `17278 1795234457.127236 write(5, "2026-11-21T04:14:17.126Z <<<(127"..., 46) = 46`.
fn call(line: &str) -> Option<Call> {
    let (_thread, rest) = line.split_once(' ')?;
    let (seconds, rest) = rest.trim_start().split_once(' ')?;
    let (what, result) = rest.rsplit_once(" = ")?;
    Some(Call {
        seconds: seconds.parse().ok()?,
        // a call that was noted in two parts
        what: what.trim_start_matches("<... ").to_owned(),
        result: result.split(' ').next()?.parse().ok()?,
    })
}

fn named<'a>(calls: &'a [Call], name: &str) -> Vec<&'a Call> {
    calls.iter().filter(|call| call.what.starts_with(name)).collect()
}

/// Waits until that is so.
#[track_caller]
fn until(so: impl Fn() -> bool) {
    let deadline = Instant::now() + LIMIT;
    while !so() {
        assert!(Instant::now() < deadline, "it never became so");
        std::thread::yield_now();
    }
}

#[test]
fn a_disk_that_fails_for_a_while_loses_nothing() {
    if !has("strace") {
        return;
    }
    let mut chat = traced(&["write:error=EIO:when=2..3"], &[]);
    let bob = peer();
    say(&bob, &mut chat, 0..1);
    until(|| !chat.history().is_empty());
    say(&bob, &mut chat, 1..200);
    chat.has_said("history: cannot write ");
    chat.has_said("can be written again");
    say(&bob, &mut chat, 200..210);
    chat.signal(Signal::SIGTERM);
    let (status, said) = chat.ended();
    assert_eq!(status.code(), Some(0), "{said:#?}");
    assert_eq!(count(&said, "history: cannot write "), 1, "{said:#?}");
    let books = Books::read(&file_of(&chat));
    books.assert_exact(210);
    assert_eq!(books.gaps(), 0);
}

#[test]
fn a_disk_that_fails_for_good_is_told_with_the_count() {
    if !has("strace") {
        return;
    }
    let mut chat = traced(&["write:error=EIO:when=2+"], &[]);
    let bob = peer();
    say(&bob, &mut chat, 0..1);
    until(|| !chat.history().is_empty());
    say(&bob, &mut chat, 1..50);
    chat.signal(Signal::SIGTERM);
    let (status, said) = chat.ended();
    assert_eq!(count(&said, "history: cannot write "), 1, "{said:#?}");
    let books = Books::read(&file_of(&chat));
    books.assert_exact(books.messages().len() as u64);
    assert_eq!((status.code(), lost(&said)), (Some(1), 50 - books.total()));
}

#[test]
fn interrupted_writes_are_nothing_to_speak_of() {
    if !has("strace") {
        return;
    }
    let mut chat = traced(&["write:error=EINTR:when=1..50"], &[]);
    let bob = peer();
    say(&bob, &mut chat, 0..100);
    chat.signal(Signal::SIGTERM);
    let (status, said) = chat.ended();
    assert_eq!((status.code(), count(&said, "history: c")), (Some(0), 0), "{said:#?}");
    assert!(named(&calls(&chat.folder), "write").iter().filter(|call| call.result < 0).count() == 50);
    Books::read(&file_of(&chat)).assert_exact(100);
}

#[test]
fn a_sync_that_fails_is_told_once_and_noted() {
    if !has("strace") {
        return;
    }
    let mut chat = traced(&["fdatasync:error=EIO:when=1+"], &["--sync", "always"]);
    let bob = peer();
    say(&bob, &mut chat, 0..1);
    chat.has_said("history: cannot sync ");
    say(&bob, &mut chat, 1..50);
    chat.signal(Signal::SIGTERM);
    let (status, said) = chat.ended();
    let told = said.iter().filter(|line| line.starts_with("history: cannot sync ")).count();
    assert_eq!((status.code(), told), (Some(1), 1), "{said:#?}");
    assert!(said.iter().any(|line| line.starts_with("error: history: ")), "{said:#?}");
    let history = chat.history();
    let is_note = |line: &&str| line.contains(" # not synced: ");
    assert_eq!(history.lines().filter(is_note).count(), 1, "{history}");
    let rest: String = history.lines().filter(|l| !is_note(l)).map(|line| format!("{line}\n")).collect();
    Books::of(&rest).assert_exact(50);
    // an error is told to one opening only once, so each failure must have led to a new one
    let calls = calls(&chat.folder);
    assert!(named(&calls, "openat").len() > named(&calls, "fdatasync").len(), "{calls:#?}");
}

#[test]
fn a_write_holds_whole_records_and_goes_to_the_end() {
    if !has("strace") {
        return;
    }
    // while the first write takes its time, enough waits for several long ones
    let mut chat = traced(&["write:delay_enter=300000:when=1"], &["--queue-capacity", "5000"]);
    let bob = peer();
    flood(&bob, chat.v4(), 0..3_000);
    let dropped = all_taken(chat.port);
    say(&bob, &mut chat, 3_000..3_001);
    chat.signal(Signal::SIGTERM);
    let (status, said) = chat.ended();
    assert_eq!(status.code(), Some(0), "{:?}", said.last());

    let history = fs::read(file_of(&chat)).unwrap();
    let calls = calls(&chat.folder);
    let mut end = 0;
    for write in named(&calls, "write") {
        let length = u64::try_from(write.result).unwrap();
        assert!(length <= WRITE_MAX, "{write:?}");
        end += usize::try_from(length).unwrap();
        assert_eq!(history.get(end - 1), Some(&b'\n'), "{write:?} has split a record at {end}");
    }
    assert_eq!(end, history.len());
    assert!(named(&calls, "write").iter().any(|write| write.result > 64_000), "no write was long");
    for open in named(&calls, "openat") {
        assert!(open.what.contains("O_WRONLY|") && open.what.contains("O_APPEND"), "{open:?}");
    }
    assert_eq!(Books::of(&String::from_utf8(history).unwrap()).total(), 3_001);
    assert_eq!(dropped, Books::read(&file_of(&chat)).dropped());
}

#[test]
fn a_second_later_it_is_on_the_disk() {
    if !has("strace") {
        return;
    }
    let mut chat = traced(&[], &[]);
    let bob = peer();
    say(&bob, &mut chat, 0..1);
    until(|| !named(&calls(&chat.folder), "fdatasync").is_empty());
    say(&bob, &mut chat, 1..2);
    chat.signal(Signal::SIGTERM);
    assert_eq!(chat.ended().0.code(), Some(0));
    let calls = calls(&chat.folder);
    let (writes, syncs) = (named(&calls, "write"), named(&calls, "fdatasync"));
    let waited = syncs[0].seconds - writes[0].seconds;
    // half a second is for a machine that is busy with other tests
    assert!((0.9..1.5).contains(&waited), "synced after {waited} s: {calls:#?}");
    assert!(
        syncs.last().unwrap().seconds > writes.last().unwrap().seconds,
        "an end without a sync: {calls:#?}"
    );
}

/// A chat that is in its first write, has shown these messages, and has nothing in the file.
fn held_up(capacity: &str, messages: u64) -> Option<Chat> {
    let delay = ["write:delay_enter=1500000:when=1"];
    for _ in 0..3 {
        let mut chat = traced(&delay, &["--queue-capacity", capacity]);
        say(&peer(), &mut chat, 0..messages);
        if chat.history().is_empty() {
            return Some(chat);
        }
        // this machine is too slow today: the write was over before
    }
    None
}

#[test]
fn a_clean_stop_writes_all_that_waits() {
    if !has("strace") {
        return;
    }
    for signal in [Signal::SIGTERM, Signal::SIGINT] {
        let mut chat = held_up("20000", 10_000).expect("10,000 messages never came within the delay");
        chat.signal(signal);
        let (status, said) = chat.ended();
        assert_eq!(status.code(), Some(0), "{:?}", said.last());
        let books = Books::read(&file_of(&chat));
        books.assert_exact(10_000);
        assert_eq!(books.gaps(), 0);
        let calls = calls(&chat.folder);
        assert!(calls.last().unwrap().what.starts_with("fdatasync"), "{:?}", calls.last());
    }
}

#[test]
fn a_full_queue_does_not_stop_the_receiver() {
    if !has("strace") {
        return;
    }
    let mut chat = held_up("4", 300).expect("300 messages were never shown while the disk stood still");
    chat.signal(Signal::SIGTERM);
    let (status, said) = chat.ended();
    let books = Books::read(&file_of(&chat));
    books.assert_exact(300);
    assert!(books.gaps() > 200, "{}", books.gaps());
    assert_eq!((status.code(), lost(&said)), (Some(1), books.gaps()));
}

#[test]
fn a_disk_that_begins_to_fail_does_not_put_off_the_sync() {
    if !has("strace") {
        return;
    }
    let mut chat = traced(&["write:error=EIO:when=2+"], &[]);
    say(&peer(), &mut chat, 0..1);
    until(|| !chat.history().is_empty());
    say(&peer(), &mut chat, 1..2);
    until(|| !named(&calls(&chat.folder), "fdatasync").is_empty());
    let calls = calls(&chat.folder);
    let waited = named(&calls, "fdatasync")[0].seconds - named(&calls, "write")[0].seconds;
    assert!(waited < 1.25, "synced after {waited} s: {calls:#?}");
}

/// A child that is gone when the test is.
struct Gone(Child);

impl Drop for Gone {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn a_warning_is_told_also_when_nobody_reads_the_messages() {
    if !has("strace") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let tampering = tracing(&folder, &["write:error=ENOSPC:delay_enter=500000:when=1"]);
    let mut command = Command::new("strace");
    command.args(tampering).arg(udp_chat(&folder).get_program()).current_dir(&folder);
    command.args(["listen", "--rate-limit", "off", "--port", "0", "--queue-capacity", "10000"]);
    let mut chat = Gone(command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap());
    let mut stderr = BufReader::new(chat.0.stderr.take().unwrap());
    let mut ready = String::new();
    stderr.read_line(&mut ready).unwrap();
    let port: u16 = ready.split(" (").next().unwrap().rsplit(':').next().unwrap().parse().unwrap();
    // more than the pipe, the printer and the queue of lines hold, while the first write takes its time
    flood(&peer(), ([127, 0, 0, 1], port).into(), 0..4_000);
    until(|| fs::read_to_string(folder.path().join("trace")).unwrap().contains("ENOSPC"));

    let mut stdout = chat.0.stdout.take().unwrap();
    let reader = std::thread::spawn(move || std::io::copy(&mut stdout, &mut std::io::sink()).unwrap());
    kill(Pid::from_raw(chat.0.id().try_into().unwrap()), Signal::SIGTERM).unwrap();
    let said: Vec<String> = stderr.lines().map_while(Result::ok).collect();
    reader.join().unwrap();
    wait(&mut chat.0);
    assert_eq!(count(&said, "history: cannot write "), 1, "{said:#?}");
}

//! The history on disks that are full, for good or for a while, and cut a write short.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use nix::sys::signal::Signal;
use tempfile::TempDir;

use crate::books::{Books, listener, lost, say, stopped};
use crate::support::{Chat, has, heard, peer, udp_chat};

/// How many lines hold this.
pub(crate) fn count(said: &[String], what: &str) -> usize {
    said.iter().filter(|line| line.contains(what)).count()
}

/// A chat run by another program, which changes how the system treats it.
pub(crate) fn run_by(program: &str, arguments: &[String], chat: &[&str], folder: TempDir) -> Chat {
    let plain = udp_chat(&folder);
    let mut command = Command::new(program);
    command.args(arguments).arg(plain.get_program()).args(chat);
    command.current_dir(folder.path()).env_remove("NO_COLOR").env("TZ", "UTC");
    Chat::of(command, folder)
}

/// The file of a chat in a folder of its own.
pub(crate) fn file_of(chat: &Chat) -> PathBuf {
    chat.folder.path().canonicalize().unwrap().join("chat.txt")
}

#[test]
fn a_disk_without_room_costs_the_history_and_nothing_else() {
    let mut chat = Chat::start(&["--history", "/dev/full", "--queue-capacity", "4", "--rate-limit", "off"]);
    let bob = peer();
    say(&bob, &mut chat, 0..1);
    chat.has_said(
        "history: cannot write /dev/full: No space left on device: messages wait in memory, 4 at most",
    );
    // more than the queue holds
    say(&bob, &mut chat, 1..30);
    chat.type_line(&format!("/msg {} still here", bob.local_addr().unwrap()));
    assert_eq!(heard(&bob), "still here");
    chat.close_input();
    let (status, said) = chat.ended();
    assert_eq!((status.code(), lost(&said)), (Some(1), 31));
    assert_eq!(count(&said, "cannot write"), 2, "one warning, and the error at the end: {said:#?}");
}

/// A file system in memory that holds 64 KiB; gone when the test is, however it ends.
struct SmallDisk(TempDir);

impl SmallDisk {
    fn mount() -> Option<Self> {
        if !nix::unistd::geteuid().is_root() {
            assert_ne!(std::env::var("CI").as_deref(), Ok("true"), "only root can mount");
            eprintln!("SKIPPED: only root can mount a file system that becomes full");
            return None;
        }
        let disk = Self(tempfile::tempdir().unwrap());
        let mount = ["-t", "tmpfs", "-o", "size=64k", "tmpfs"];
        let mounted = Command::new("mount").args(mount).arg(disk.0.path()).status().unwrap();
        assert!(mounted.success(), "cannot mount a tmpfs");
        Some(disk)
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // lazily: also if a chat that is just being ended still has it
        let _ = Command::new("umount").arg("--lazy").arg(self.0.path()).status();
    }
}

#[test]
fn a_disk_that_is_full_for_a_while() {
    let Some(disk) = SmallDisk::mount() else { return };
    let (file, filler) = (disk.0.path().join("chat.txt"), disk.0.path().join("filler"));
    fs::write(&filler, vec![0; 48 * 1024]).unwrap();
    // what is said in all fits on the disk without the filler, and not beside it
    let mut chat = listener(&file, &["--queue-capacity", "200"]);
    let bob = peer();
    say(&bob, &mut chat, 0..150);
    chat.has_said("history: cannot write ");
    say(&bob, &mut chat, 150..500);
    fs::remove_file(&filler).unwrap();
    chat.has_said("can be written again");
    say(&bob, &mut chat, 500..501);
    let (code, said) = stopped(chat);

    let books = Books::read(&file);
    books.assert_exact(501);
    assert!(books.gaps() > 100, "{}", books.gaps());
    assert_eq!((code, lost(&said)), (Some(1), books.gaps()));
    assert_eq!(count(&said, "history: cannot write "), 1, "{said:#?}");
    assert_eq!(count(&said, "can be written again"), 1, "{said:#?}");
}

fn limit_of_file_size(limit: &str) -> String {
    // only the soft one, so that it can be raised again
    format!("--fsize={limit}:unlimited")
}

#[test]
fn a_write_that_is_cut_short_leaves_no_half_record() {
    if !has("prlimit") {
        return;
    }
    // a record is about 150 bytes long: cut within the first, and at every place within others
    std::thread::scope(|threads| {
        for limit in [1, 30, 150, 997, 1_000, 1_003, 4_096, 5_000] {
            threads.spawn(move || cut_short_at(limit));
        }
    });
}

fn cut_short_at(limit: u64) {
    let limited = [limit_of_file_size(&limit.to_string())];
    let folder = tempfile::tempdir().unwrap();
    let mut chat = run_by("prlimit", &limited, &["listen", "--rate-limit", "off"], folder);
    let bob = peer();
    say(&bob, &mut chat, 0..50);
    chat.has_said("history: cannot write ");
    let file = file_of(&chat);
    let left = fs::read_to_string(&file).unwrap();
    Books::of(&left).assert_exact(Books::of(&left).messages().len() as u64);
    assert!(left.len() as u64 <= limit);

    let raise = Command::new("prlimit")
        .args([&format!("--pid={}", chat.child.id()), &limit_of_file_size("unlimited")])
        .status();
    assert!(raise.unwrap().success());
    chat.has_said("can be written again");
    say(&bob, &mut chat, 50..60);
    chat.signal(Signal::SIGTERM);
    let (status, said) = chat.ended();
    assert_eq!(status.code(), Some(0), "{said:#?}");
    assert_eq!(count(&said, "history: cannot write "), 1, "{said:#?}");
    let books = Books::read(&file);
    books.assert_exact(60);
    assert_eq!(books.gaps(), 0, "cut at {limit}");
}

//! Readers and terminals that take nothing any more: whatever is asked to end must end all the same, and keep what it has.

use std::io::{BufRead, BufReader, Write};
use std::os::fd::OwnedFd;
use std::process::{Child, Command, ExitStatus, Stdio};

use nix::fcntl::{FcntlArg, fcntl};
use nix::pty::{OpenptyResult, openpty};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tempfile::TempDir;

use crate::books::{Books, all_taken, flood};
use crate::support::{history, peer, udp_chat, wait};

/// A program whose stdout nobody reads; stderr tells where it listens.
struct Unread {
    child: Child,
    port: u16,
    folder: TempDir,
    /// Held open, so that writing is no error.
    _reader: OwnedFd,
}

impl Unread {
    fn listen(more: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (reader, writer) = nix::unistd::pipe().unwrap();
        // the smallest that there is: a page
        fcntl(&writer, FcntlArg::F_SETPIPE_SZ(4096)).unwrap();
        let mut command = udp_chat(&folder);
        command
            .args(["listen", "--port", "0", "--rate-limit", "off", "--queue-capacity", "100000"])
            .args(more);
        let mut child = command.stdin(Stdio::null()).stdout(writer).stderr(Stdio::piped()).spawn().unwrap();
        let mut said = BufReader::new(child.stderr.take().unwrap());
        let mut ready = String::new();
        said.read_line(&mut ready).unwrap();
        let port = ready.split(" (").next().unwrap().rsplit(':').next().unwrap().parse().unwrap();
        // what it says later does not matter, but somebody takes it
        std::thread::spawn(move || said.lines().map_while(Result::ok).for_each(drop));
        Self { child, port, folder, _reader: reader }
    }

    /// More than the pipe, the queue of lines and that of events hold.
    fn flooded(more: &[&str]) -> Self {
        let unread = Self::listen(more);
        let bob = peer();
        for part in 0..50 {
            flood(&bob, ([127, 0, 0, 1], unread.port).into(), part * 100..(part + 1) * 100);
        }
        unread
    }

    fn end(&mut self) -> ExitStatus {
        wait(&mut self.child)
    }
}

impl Drop for Unread {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn a_listener_that_nobody_reads_hears_a_stop_signal() {
    let mut unread = Unread::flooded(&[]);
    kill(Pid::from_raw(unread.child.id().try_into().unwrap()), Signal::SIGTERM).unwrap();
    // not all was shown, and it says so
    assert_eq!(unread.end().code(), Some(1));
    let books = Books::of(&history(&unread.folder));
    books.assert_rising();
    assert_eq!(books.total(), 5000);
}

#[test]
fn a_listener_that_nobody_reads_ends_in_time() {
    let mut unread = Unread::flooded(&["--timeout", "500ms"]);
    assert_eq!(unread.end().code(), Some(1));
    assert_eq!(Books::of(&history(&unread.folder)).total(), 5000);
}

#[test]
fn an_answer_from_the_history_that_nobody_reads_holds_up_no_end() {
    let folder = tempfile::tempdir().unwrap();
    let old: String = (0..10_000).map(|n| format!(">>>('127.0.0.1', 5):{n:0100}\n")).collect();
    std::fs::write(folder.path().join("chat.txt"), old).unwrap();
    let (reader, writer) = nix::unistd::pipe().unwrap();
    let mut command = udp_chat(&folder);
    let mut child = command.args(["--port", "0"]).stdin(Stdio::piped()).stdout(writer).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let bob = peer();
    writeln!(stdin, "/history 10000\n/msg {} said", bob.local_addr().unwrap()).unwrap();
    // its answer was begun: the question came first
    assert_eq!(crate::support::heard(&bob), "said");
    kill(Pid::from_raw(child.id().try_into().unwrap()), Signal::SIGTERM).unwrap();
    assert_eq!(wait(&mut child).code(), Some(0));
    assert!(history(&folder).ends_with(":said\n"));
    drop((reader, stdin));
}

/// The window of somebody whose connection hangs.
fn on_a_terminal(folder: &TempDir) -> (Child, OpenptyResult, u16) {
    let terminal = openpty(None, None).unwrap();
    let port = crate::support::deaf_port();
    let mut command: Command = udp_chat(folder);
    command.env("TERM", "xterm").args(["--port", &port.to_string(), "--bind", "127.0.0.1"]);
    command.args(["--rate-limit", "off", "--queue-capacity", "100000"]);
    let side = || terminal.slave.try_clone().unwrap();
    let child = command.stdin(side()).stdout(side()).stderr(side()).spawn().unwrap();
    (child, terminal, port)
}

#[test]
fn a_terminal_that_takes_nothing_holds_up_no_end() {
    let folder = tempfile::tempdir().unwrap();
    let (mut child, terminal, port) = on_a_terminal(&folder);
    let mut screen = std::fs::File::from(terminal.master.try_clone().unwrap());
    let mut seen = String::new();
    while !seen.contains("your choice: ") {
        let mut room = [0; 4096];
        let length = std::io::Read::read(&mut screen, &mut room).unwrap();
        seen.push_str(&String::from_utf8_lossy(&room[..length]));
    }
    // from now on nobody reads
    let bob = peer();
    for part in 0..40 {
        flood(&bob, ([127, 0, 0, 1], port).into(), part * 100..(part + 1) * 100);
        all_taken(port);
    }
    kill(Pid::from_raw(child.id().try_into().unwrap()), Signal::SIGTERM).unwrap();
    assert_eq!(wait(&mut child).code(), Some(0));
    assert_eq!(Books::of(&history(&folder)).total(), 4000);
    drop(terminal);
}

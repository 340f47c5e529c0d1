//! A flood from one sender on this machine: 200,000 datagrams of 64 bytes a second, for 5 seconds, against `udp-chat` and
//! against the Python program that it grew from, one after the other, three rounds.
//!
//! Recorded per second is what stands in the history at the moment when the flood ends, by its duration. (What waits in
//! memory then would be lost with the program; the Python program has an unbounded queue and goes on writing for a while.)
//! For `udp-chat` the books must balance exactly, at the end: sent = recorded + gaps + dropped by the kernel, or the
//! benchmark fails.
//!
//! Run it: `cargo bench -p udp-chat --bench flood` (about a minute; `python3` is needed for the comparison).

#![allow(clippy::unwrap_used, reason = "a benchmark may stop at the first surprise")]

use std::io::{BufRead, BufReader};
use std::net::UdpSocket;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

const RATE: u64 = 200_000;
const TIME: Duration = Duration::from_secs(5);
const SIZE: usize = 64;
const ROUNDS: usize = 3;
/// Sent together, so that the clock is not read for each.
const TOGETHER: u64 = 20;
const MARKER: &[u8] = b"the last datagram";

fn main() {
    let mut ratios = Vec::new();
    println!("{RATE} datagrams/s of {SIZE} B for {TIME:?}, rate limit off, output to /dev/null");
    for round in 1..=ROUNDS {
        let ours = ours();
        let theirs = theirs();
        println!(
            "round {round}, udp-chat: {:.0}/s recorded of {:.0}/s; in the end {} of {} (gaps {}, dropped by the kernel {}); \
             CPU {:.2} s",
            ours.per_second(),
            ours.sent as f64 / ours.seconds,
            ours.recorded,
            ours.sent,
            ours.gaps,
            ours.dropped,
            ours.cpu,
        );
        println!(
            "round {round}, Python:   {:.0}/s recorded of {:.0}/s; in the end {} of {}",
            theirs.per_second(),
            theirs.sent as f64 / theirs.seconds,
            theirs.recorded,
            theirs.sent,
        );
        ratios.push(ours.per_second() / theirs.per_second());
    }
    ratios.sort_by(f64::total_cmp);
    println!("udp-chat / the Python program, recorded per second: median {:.1}", ratios[ROUNDS / 2]);
}

struct Result {
    sent: u64,
    seconds: f64,
    /// When the flood ended.
    recorded_then: u64,
    /// When the program had ended.
    recorded: u64,
    gaps: u64,
    dropped: u64,
    cpu: f64,
}

impl Result {
    fn per_second(&self) -> f64 {
        self.recorded_then as f64 / self.seconds
    }
}

/// Sends the flood; gives how much and how long.
fn flood(port: u16) -> (u64, f64) {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.connect(("127.0.0.1", port)).unwrap();
    let message = [b'x'; SIZE];
    let (start, mut sent) = (Instant::now(), 0);
    while start.elapsed() < TIME {
        for _ in 0..TOGETHER {
            sent += u64::from(socket.send(&message).is_ok());
        }
        while start.elapsed().as_secs_f64() < sent as f64 / RATE as f64 {
            std::hint::spin_loop();
        }
    }
    (sent, start.elapsed().as_secs_f64())
}

/// Waits until the socket with this port has nothing waiting.
fn drained(port: u16) {
    let waits = |table: &str| {
        let text = std::fs::read_to_string(table).unwrap();
        text.lines().skip(1).any(|line| {
            let fields: Vec<&str> = line.split_whitespace().collect();
            fields[1].ends_with(&format!(":{port:04X}")) && !fields[4].ends_with(":00000000")
        })
    };
    while waits("/proc/net/udp") || waits("/proc/net/udp6") {
        std::thread::sleep(Duration::from_millis(10));
    }
}

fn ours() -> Result {
    let folder = tempfile::tempdir().unwrap();
    let mut chat = Command::new(env!("CARGO_BIN_EXE_udp-chat"))
        .args(["listen", "--port", "0", "--rate-limit", "off"])
        .current_dir(folder.path())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(chat.stderr.take().unwrap()).lines();
    let ready = lines.next().unwrap().unwrap();
    let port: u16 = ready.split(" (").next().unwrap().rsplit(':').next().unwrap().parse().unwrap();
    let (mut sent, seconds) = flood(port);
    let then = size(folder.path());
    drained(port);
    // the kernel tells its losses with the next datagram
    UdpSocket::bind("127.0.0.1:0").unwrap().send_to(MARKER, ("127.0.0.1", port)).unwrap();
    sent += 1;
    drained(port);
    let cpu = ended(&mut chat);
    let history = std::fs::read_to_string(folder.path().join("chat.txt")).unwrap();
    let recorded = messages_in(&history);
    let recorded_then = messages_in(&history[..then]);
    let gaps = number_in(&history, "# gap: ");
    let dropped = number_in(&history, "# dropped: ");
    assert_eq!(sent, recorded + gaps + dropped, "{recorded} + {gaps} + {dropped}: the books do not balance");
    Result { sent, seconds, recorded_then, recorded, gaps, dropped, cpu }
}

fn messages_in(history: &str) -> u64 {
    history.matches(">>>('127.0.0.1', ").count() as u64
}

fn size(folder: &Path) -> usize {
    usize::try_from(std::fs::metadata(folder.join("chat.txt")).unwrap().len()).unwrap()
}

/// The sum of the numbers behind this in the notes of a history.
fn number_in(history: &str, what: &str) -> u64 {
    let numbers =
        history.lines().filter_map(|line| line.split_once(what)?.1.split(' ').next()?.parse::<u64>().ok());
    numbers.sum()
}

fn theirs() -> Result {
    let folder = tempfile::tempdir().unwrap();
    let port = UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/tutorial.py");
    let mut python = Command::new("python3")
        .arg(program)
        .arg(port.to_string())
        .current_dir(folder.path())
        // its menu waits for ever
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    // it is there when it has opened its file
    while !folder.path().join("chat.txt").exists() {
        std::thread::sleep(Duration::from_millis(10));
    }
    let (sent, seconds) = flood(port);
    let then = size(folder.path());
    // it may finish
    drained(port);
    let history = folder.path().join("chat.txt");
    let mut size = 0;
    loop {
        std::thread::sleep(Duration::from_millis(500));
        let now = std::fs::metadata(&history).unwrap().len();
        if now == size {
            break;
        }
        size = now;
    }
    python.kill().unwrap();
    python.wait().unwrap();
    let history = std::fs::read_to_string(&history).unwrap();
    let (recorded, recorded_then) = (messages_in(&history), messages_in(&history[..then]));
    Result { sent, seconds, recorded_then, recorded, gaps: 0, dropped: 0, cpu: 0.0 }
}

/// Stops it with SIGTERM; gives the CPU seconds of its life.
fn ended(child: &mut Child) -> f64 {
    let usage = || nix::sys::resource::getrusage(nix::sys::resource::UsageWho::RUSAGE_CHILDREN).unwrap();
    let seconds = |usage: nix::sys::resource::Usage| {
        let (user, system) = (usage.user_time(), usage.system_time());
        (user.tv_sec() + system.tv_sec()) as f64 + (user.tv_usec() + system.tv_usec()) as f64 / 1e6
    };
    let before = seconds(usage());
    let pid = nix::unistd::Pid::from_raw(child.id().try_into().unwrap());
    nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGTERM).unwrap();
    child.wait().unwrap();
    seconds(usage()) - before
}

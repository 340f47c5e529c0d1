//! Floods of numbered messages, and the books that a history must balance afterwards.

use std::net::{SocketAddr, UdpSocket};
use std::ops::Range;
use std::path::Path;
use std::time::Instant;

use nix::sys::signal::Signal;

use crate::support::{Chat, LIMIT};

/// A chat that only listens and has its history there.
pub(crate) fn listener(file: &Path, more: &[&str]) -> Chat {
    let file = file.to_str().unwrap();
    Chat::start(&[&["listen", "--rate-limit", "off", "--history", file], more].concat())
}

/// Stops it by SIGTERM; gives the exit code and all that it said.
#[track_caller]
pub(crate) fn stopped(mut chat: Chat) -> (Option<i32>, Vec<String>) {
    chat.signal(Signal::SIGTERM);
    let (status, said) = chat.ended();
    (status.code(), said)
}

/// How many records it said at its end that it has not saved.
#[track_caller]
pub(crate) fn lost(said: &[String]) -> u64 {
    let errors: Vec<_> = said.iter().filter_map(|line| line.strip_prefix("error: ")).collect();
    let count = match errors[..] {
        [error] if error.contains(" could not be saved: ") => error.split(' ').next(),
        _ => None,
    };
    let count = count.and_then(|count| count.replace(',', "").parse().ok());
    count.unwrap_or_else(|| panic!("no count: {errors:?}"))
}

/// A message that shows its number, where it begins and where it ends: no piece of one looks like a whole one.
pub(crate) fn message(number: u64) -> String {
    let dots = usize::try_from(number * 37 % 200).unwrap();
    format!("message {number} {}|", ".".repeat(dots))
}

/// Sends these, as fast as can be.
pub(crate) fn flood(from: &UdpSocket, to: SocketAddr, numbers: Range<u64>) {
    for number in numbers {
        from.send_to(message(number).as_bytes(), to).unwrap();
    }
}

/// Sends these, so many at a time that no kernel has to drop any, and returns when all have been shown.
#[track_caller]
pub(crate) fn say(from: &UdpSocket, chat: &mut Chat, numbers: Range<u64>) {
    let mut next = numbers.start;
    while next < numbers.end {
        let end = numbers.end.min(next + 100);
        flood(from, chat.v4(), next..end);
        chat.expect(&message(end - 1));
        next = end;
    }
}

/// What the history tells, line by line.
#[derive(Debug, PartialEq, Eq)]
enum Entry {
    Message(u64),
    /// So many were not saved.
    Gap(u64),
    /// So many never came.
    Dropped(u64),
    Torn,
}

/// A history in which every line was whole and known.
#[derive(Debug)]
pub(crate) struct Books(Vec<Entry>);

impl Books {
    /// Takes a history apart, with times and without other notes.
    #[track_caller]
    pub(crate) fn of(history: &str) -> Self {
        let end = history.len() - history.len().min(200);
        assert!(history.is_empty() || history.ends_with('\n'), "no end: {:?}", history.get(end..));
        Self(history.lines().map(entry).collect())
    }

    #[track_caller]
    pub(crate) fn read(path: &Path) -> Self {
        Self::of(&std::fs::read_to_string(path).unwrap())
    }

    pub(crate) fn messages(&self) -> Vec<u64> {
        let number = |entry: &Entry| if let Entry::Message(number) = entry { Some(*number) } else { None };
        self.0.iter().filter_map(number).collect()
    }

    /// Lines that a crash left.
    pub(crate) fn torn(&self) -> usize {
        self.0.iter().filter(|entry| **entry == Entry::Torn).count()
    }

    /// How many were not saved.
    pub(crate) fn gaps(&self) -> u64 {
        self.0.iter().map(|entry| if let Entry::Gap(count) = entry { *count } else { 0 }).sum()
    }

    /// How many the kernel dropped.
    pub(crate) fn dropped(&self) -> u64 {
        self.0.iter().map(|entry| if let Entry::Dropped(count) = entry { *count } else { 0 }).sum()
    }

    /// All that were sent, whatever became of them.
    pub(crate) fn total(&self) -> u64 {
        self.messages().len() as u64 + self.gaps() + self.dropped()
    }

    /// First in, first out; none twice.
    #[track_caller]
    pub(crate) fn assert_rising(&self) {
        for pair in self.messages().windows(2) {
            assert!(pair[0] < pair[1], "{} stands in front of {}", pair[0], pair[1]);
        }
    }

    /// Nothing was torn or dropped, and every number that is missing is counted in the gap that stands in its place.
    #[track_caller]
    pub(crate) fn assert_exact(&self, sent: u64) {
        let mut next = 0;
        for entry in &self.0 {
            match entry {
                Entry::Message(number) => {
                    assert_eq!(*number, next, "of {sent}");
                    next += 1;
                }
                Entry::Gap(count) => next += count,
                Entry::Dropped(_) | Entry::Torn => panic!("{entry:?} before {next}"),
            }
        }
        assert_eq!(next, sent);
    }
}

#[track_caller]
fn entry(line: &str) -> Entry {
    if line.ends_with(" # torn") {
        return Entry::Torn;
    }
    let what = without_time(line).unwrap_or_else(|| panic!("no time: {line:?}"));
    if let Some(text) = what.strip_prefix(">>>('127.0.0.1', ").and_then(|rest| rest.split_once("):")) {
        let number = text.1.split(' ').nth(1).and_then(|number| number.parse().ok());
        let number = number.unwrap_or_else(|| panic!("no whole record: {line:?}"));
        assert_eq!(text.1, message(number), "no whole record: {line:?}");
        return Entry::Message(number);
    }
    let note = |head: &str, tails: &[&str]| {
        let rest = what.strip_prefix(head)?;
        tails.iter().find_map(|tail| rest.strip_suffix(tail)?.parse().ok())
    };
    let gap = note("# gap: ", &[" messages not saved", " message not saved"]).map(Entry::Gap);
    gap.or_else(|| note("# dropped: ", &[" by the kernel"]).map(Entry::Dropped))
        .unwrap_or_else(|| panic!("no record: {line:?}"))
}

/// What stands behind a time such as `2026-11-20T21:45:03.123Z `.
pub(crate) fn without_time(line: &str) -> Option<&str> {
    let form = "dddd-dd-ddTdd:dd:dd.dddZ ";
    let (time, what) = line.split_at_checked(form.len())?;
    let fits = |(c, f): (char, char)| if f == 'd' { c.is_ascii_digit() } else { c == f };
    time.chars().zip(form.chars()).all(fits).then_some(what)
}

/// Waits until the chat has taken all that came to its port. Gives how many datagrams the kernel has dropped there.
#[track_caller]
pub(crate) fn all_taken(port: u16) -> u64 {
    let deadline = Instant::now() + LIMIT;
    loop {
        // the table may lack a line while others come and go: then the next look has it
        let state = socket_state(port);
        if let Some((0, dropped)) = state {
            return dropped;
        }
        assert!(Instant::now() < deadline, "bytes that wait, and dropped ones: {state:?}");
        std::thread::yield_now();
    }
}

/// Closes a socket and waits until nobody listens there: a child that another test is just starting may still hold a copy
/// of it, until it executes its program.
#[track_caller]
pub(crate) fn leave(socket: UdpSocket) {
    let port = socket.local_addr().unwrap().port();
    drop(socket);
    let deadline = Instant::now() + LIMIT;
    // the table may lack a line while others come and go: so it has to be missing three times
    let mut missing = 0;
    while missing < 3 {
        missing = if socket_state(port).is_none() { missing + 1 } else { 0 };
        assert!(Instant::now() < deadline, "somebody listens on {port}");
    }
}

/// Bytes that wait in the socket, and datagrams that did not fit, as the kernel tells everybody.
fn socket_state(port: u16) -> Option<(u64, u64)> {
    let tables = ["/proc/net/udp6", "/proc/net/udp"].map(|t| std::fs::read_to_string(t).unwrap_or_default());
    let lines = tables.iter().flat_map(|table| table.lines());
    let fields = lines.map(|line| line.split_whitespace().collect::<Vec<_>>());
    let mut ours = fields.filter(|f| f.get(1).is_some_and(|local| local.ends_with(&format!(":{port:04X}"))));
    let ours = ours.next()?;
    let waiting = u64::from_str_radix(ours.get(4)?.split(':').nth(1)?, 16).ok()?;
    Some((waiting, ours.last()?.parse().ok()?))
}

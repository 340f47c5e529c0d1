//! Where an example tells what happens, from whatever thread or process it happens in.
//!
//! What is said goes into a file in memory, a line in one `write` that appends: so lines of many processes never mix, their order
//! is that of the writes, and nothing is lost with a process that is killed. In a text run the same process writes the line to
//! stdout as well, at once.
//!
//! The file is bounded; what is said beyond the bound is dropped, and the report says so.

use std::fmt::Display;
use std::fs::File;
use std::io::{self, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::FileExt;
use std::thread;
use std::time::Duration;

use nix::sys::memfd::{MFdFlags, memfd_create};
use nix::time::{ClockId, clock_gettime};
use rustix::fs::{OFlags, fcntl_setfl};
use serde::{Deserialize, Serialize};

use crate::wrap;

/// No more is remembered of a run.
const BYTES_MAX: u64 = 4 << 20;
/// No event is longer, in characters.
const TEXT_MAX: usize = 1024;
/// In this column of a terminal it begins; the rest of a long one goes below it.
const WHAT_BEGINS: usize = 36;
/// A pause is that much shorter than in the tutorials, and at most so long.
const FASTER: u32 = 10;
const PAUSE_MAX: Duration = Duration::from_millis(300);

/// The stage of one run.
#[derive(Debug)]
pub struct Stage {
    memory: File,
    note: StageNote,
}

/// What a spawned process has to know of the stage, beside its descriptor.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct StageNote {
    /// When the run began, on the clock that all processes share, in microseconds.
    began: u64,
    /// What is said is shown at once.
    live: bool,
    original_pace: bool,
}

/// Something that was said.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// Microseconds since the run began.
    pub at_us: u64,
    /// By which process.
    pub pid: u32,
    /// By whom, in the words of the example.
    pub who: String,
    /// What.
    pub what: String,
}

impl Stage {
    /// A new one.
    ///
    /// # Errors
    /// There is no memory or descriptor for it.
    pub fn new(live: bool, original_pace: bool) -> io::Result<Self> {
        let memory = File::from(memfd_create("stage", MFdFlags::MFD_CLOEXEC)?);
        fcntl_setfl(&memory, OFlags::APPEND)?;
        Ok(Self { memory, note: StageNote { began: now(), live, original_pace } })
    }

    /// In a spawned process: the stage that its parent passed.
    #[must_use]
    pub fn inherited(note: StageNote, descriptor: OwnedFd) -> Self {
        Self { memory: descriptor.into(), note }
    }

    /// For a process that is spawned: to be passed, together with the [`Self::note`].
    #[must_use]
    pub fn descriptor(&self) -> BorrowedFd<'_> {
        self.memory.as_fd()
    }

    /// See [`Self::descriptor`].
    #[must_use]
    pub fn note(&self) -> StageNote {
        self.note
    }

    /// Microseconds since the run began, in whatever process.
    #[must_use]
    pub fn clock_us(&self) -> u64 {
        now().saturating_sub(self.note.began)
    }

    /// Tells what happens.
    pub fn says(&self, who: &str, what: impl Display) {
        let at_us = self.clock_us();
        let what: String = what.to_string().chars().map(shown).take(TEXT_MAX).collect();
        let event = Event { at_us, pid: std::process::id(), who: who.to_owned(), what };
        if self.memory.metadata().is_ok_and(|memory| memory.len() < BYTES_MAX)
            && let Ok(mut line) = serde_json::to_vec(&event)
        {
            line.push(b'\n');
            let _ = (&self.memory).write_all(&line);
        }
        if self.note.live {
            let line = match wrap::columns() {
                Some(columns) if columns > 2 * WHAT_BEGINS => {
                    wrap::wrap(&event.beginning(), &event.what, WHAT_BEGINS, columns)
                }
                _ => format!("{event}\n"),
            };
            // a reader who has gone wants no more
            let _ = io::stdout().lock().write_all(line.as_bytes());
        }
    }

    /// Pauses where the tutorials do: a tenth as long and at most 300 ms, or as long as they do.
    pub fn pause(&self, original: Duration) {
        thread::sleep(self.paced(original));
    }

    /// How long [`Self::pause`] pauses.
    #[must_use]
    pub fn paced(&self, original: Duration) -> Duration {
        if self.note.original_pace { original } else { (original / FASTER).min(PAUSE_MAX) }
    }

    /// What has been said so far, in the order of the writes.
    #[must_use]
    pub fn events(&self) -> Vec<Event> {
        let length = self.memory.metadata().map_or(0, |memory| memory.len());
        let mut bytes = vec![0; usize::try_from(length).unwrap_or(0)];
        if self.memory.read_exact_at(&mut bytes, 0).is_err() {
            return Vec::new();
        }
        bytes.split(|byte| *byte == b'\n').filter_map(|line| serde_json::from_slice(line).ok()).collect()
    }

    /// More was said than is remembered.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.memory.metadata().is_ok_and(|memory| memory.len() >= BYTES_MAX)
    }

    /// The place of this one's first event among all.
    #[must_use]
    pub fn first_of(&self, who: &str) -> Option<usize> {
        self.events().iter().position(|event| event.who == who)
    }

    /// The place of this one's last event among all.
    #[must_use]
    pub fn last_of(&self, who: &str) -> Option<usize> {
        self.events().iter().rposition(|event| event.who == who)
    }
}

impl Event {
    /// All but what was said.
    fn beginning(&self) -> String {
        let seconds = Duration::from_micros(self.at_us).as_secs_f64();
        format!("  {seconds:>7.3} s  {:<12} {:>7}   ", self.who, self.pid)
    }
}

impl Display for Event {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}{}", self.beginning(), self.what)
    }
}

/// Microseconds on the clock that all processes of the machine share.
fn now() -> u64 {
    clock_gettime(ClockId::CLOCK_MONOTONIC)
        .map_or(0, |time| u64::try_from(Duration::from(time).as_micros()).unwrap_or(u64::MAX))
}

/// An event is a line.
fn shown(letter: char) -> char {
    if letter.is_control() { ' ' } else { letter }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_is_remembered_in_order_and_as_lines() {
        let stage = Stage::new(false, false).unwrap();
        stage.says("one", "a\nb");
        thread::scope(|threads| {
            threads.spawn(|| stage.says("two", "传习录"));
        });
        let events = stage.events();
        let said: Vec<(&str, &str)> = events.iter().map(|e| (e.who.as_str(), e.what.as_str())).collect();
        assert_eq!(said, [("one", "a b"), ("two", "传习录")]);
        assert_eq!(
            (stage.first_of("two"), stage.last_of("one"), stage.first_of("three")),
            (Some(1), Some(0), None)
        );
    }

    #[test]
    fn the_memory_is_bounded() {
        let stage = Stage::new(false, false).unwrap();
        (0..10_000).for_each(|_| stage.says("one", "x".repeat(5000)));
        assert!(stage.is_full());
        assert!(stage.events().len() < 5000 && stage.events().iter().all(|e| e.what.len() == TEXT_MAX));
    }

    #[test]
    fn a_pause_is_a_tenth_and_at_most_300_ms() {
        let (fast, original) = (Stage::new(false, false).unwrap(), Stage::new(false, true).unwrap());
        assert_eq!(fast.paced(Duration::from_secs(1)), Duration::from_millis(100));
        assert_eq!(fast.paced(Duration::from_secs(5)), PAUSE_MAX);
        assert_eq!(original.paced(Duration::from_secs(5)), Duration::from_secs(5));
    }
}

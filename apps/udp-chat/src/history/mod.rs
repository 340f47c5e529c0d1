//! The history: what was said, in a plain text file, written by one thread and fed through a FIFO.
//!
//! ```text
//!   whoever owns the chat's state           the FIFO                 the saver thread
//!   History::save(record)  ── offer ──▶ [ r r r gap r ] ── next ──▶  batch ── write ──▶ chat.txt
//!         never waits                      bounded                  waits for the disk
//! ```
//!
//! **Who owns what.** A record belongs to the caller until it is put into the FIFO, to the FIFO until the saver takes it
//! out, and then to the saver, which alone has the file. At no time can two threads reach the same record, so there
//! is nothing to lock, and no order of steps that a test might miss. The FIFO is also the order in the file.
//!
//! **When the FIFO is full**, which happens when the disk is full, dead, or slower than a flood, [`History::save`] does
//! not wait: the receiver must go on receiving. It counts. In front of the next record that fits goes one that says
//! `# gap: 17 messages not saved`. So recorded + unsaved + given up at the end = saved, exactly, and a reader of the
//! file sees where something is missing.
//!
//! **What survives.** A crash of the program: all that `write` took, which is everything but the FIFO's content and the
//! batch in hand. A crash may tear the last line; the next start ends it with ` # torn`, so that no record is glued to
//! it, and never cuts anything off. A power cut: all but the last second ([`Sync`]). A clean end ([`History::finish`]):
//! everything; and what the disk refuses is counted.
//!
//! **What it costs.** One thread that sleeps while nobody speaks, one `write` for up to 64 KiB of records, and memory for
//! the FIFO. Start-up looks at the last byte of the file and not at the rest.
//!
//! **Where it breaks.** A `write` that never returns (a network file system whose server is gone) holds up the saver,
//! and [`History::finish`] with it. The file is not watched: renamed or deleted, it is still the one that is written.

mod batch;
mod file;
pub mod line;
pub mod read;
pub mod record;
mod saver;
mod settings;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use common::fifo::{self, Next, Refused};

pub use line::{Kind, Line, parse};
pub use record::{Format, Record, What};
pub use settings::{DEFAULT_FILE, Settings, Sync};

pub(crate) use file::why;

use file::HistoryFile;
use saver::{Ended, Entry, Saver, Shared};

/// So many notes wait for room at most.
const HELD_MAX: usize = 64;
/// How often a flush that finds the FIFO full tries again.
const FLUSH_RETRY: Duration = Duration::from_millis(1);

/// The history, as the one thread sees it that owns the chat's state.
#[derive(Debug)]
pub struct History {
    queue: fifo::Sender<Entry>,
    saver: JoinHandle<Ended>,
    shared: Arc<Shared>,
    /// Records that did not fit since the last that did.
    gap: u64,
    unsaved: u64,
    /// Notes that did not fit: they say what else is missing, so they wait here for room.
    held: VecDeque<Record>,
}

/// What became of the history.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finished {
    /// Records of this run that are not in the file: those that did not fit into the FIFO ([`History::unsaved`]) and
    /// those that could not be written at the end.
    pub lost: u64,
    /// What was wrong with the file, for the user; `None` if all that is in the file is also safe there.
    pub error: Option<String>,
}

/// Opens the file and starts the saver. `tell` gets lines for the user, from the saver's thread; if it says `false`, the
/// line is told again later.
///
/// # Errors
/// The file cannot be opened, or there is no thread to be had.
pub fn start(settings: &Settings, tell: impl Fn(&str) -> bool + Send + 'static) -> io::Result<History> {
    let file = HistoryFile::open(&settings.path)?;
    let (queue, taker) = fifo::bounded(settings.capacity);
    let shared = Arc::new(Shared::default());
    let saver = Saver::new(settings, file, taker, Arc::clone(&shared), tell);
    let saver = thread::Builder::new().name("saver".to_owned()).spawn(move || saver.run())?;
    Ok(History { queue, saver, shared, gap: 0, unsaved: 0, held: VecDeque::new() })
}

impl History {
    /// Gives a record to the saver. Never waits: a record that does not fit is counted, and a gap is noted in front of
    /// the next one that does. (A note that does not fit is kept for later: the books would not balance without it. Of
    /// those, too, only so many.)
    pub fn save(&mut self, record: Record) {
        if self.gap > 0 {
            match self.queue.offer(Entry::Gap(self.gap, record.time)) {
                Ok(()) => self.gap = 0,
                Err(_) => return self.missed(record),
            }
        }
        while let Some(note) = self.held.pop_front() {
            if let Err(Refused::Full(Entry::Record(note)) | Refused::Closed(Entry::Record(note))) =
                self.queue.offer(Entry::Record(note))
            {
                self.held.push_front(note);
                return self.missed(record);
            }
        }
        if let Err(Refused::Full(Entry::Record(record)) | Refused::Closed(Entry::Record(record))) =
            self.queue.offer(Entry::Record(record))
        {
            self.missed(record);
        }
    }

    fn missed(&mut self, record: Record) {
        if matches!(record.what, What::Note(_)) && self.held.len() < HELD_MAX {
            return self.held.push_back(record);
        }
        self.gap += 1;
        self.unsaved += 1;
    }

    /// How many entries wait for the saver.
    #[must_use]
    pub fn depth(&self) -> usize {
        self.queue.depth()
    }

    /// How many records did not fit so far.
    #[must_use]
    pub fn unsaved(&self) -> u64 {
        self.unsaved
    }

    /// How many records are in the file.
    #[must_use]
    pub fn recorded(&self) -> u64 {
        self.shared.recorded.load(Ordering::Relaxed)
    }

    /// A way for any thread to wait for the saver.
    #[must_use]
    pub fn flusher(&self) -> Flusher {
        Flusher { queue: self.queue.clone() }
    }

    /// The clean end: waits until the saver has written and synced what is in the FIFO. If the disk takes nothing, each
    /// batch is tried once, and then given up and counted.
    #[must_use]
    pub fn finish(self) -> Finished {
        // ends a pause of the saver's, so that there will be room for what follows
        self.shared.ending.store(true, Ordering::Release);
        self.saver.thread().unpark();
        if self.gap > 0 {
            let _ = self.queue.put(Entry::Gap(self.gap, record::now()));
        }
        for note in self.held {
            let _ = self.queue.put(Entry::Record(note));
        }
        // an entry, and not just the end of the queue: a flusher may still hold it open
        let _ = self.queue.put(Entry::End);
        drop(self.queue);
        match self.saver.join() {
            Ok(ended) => Finished { lost: self.unsaved + ended.given_up, error: ended.error },
            Err(_) => Finished {
                lost: self.unsaved,
                error: Some("the saver failed: records are missing".to_owned()),
            },
        }
    }
}

/// Waits until what was saved is in the file.
#[derive(Debug, Clone)]
pub struct Flusher {
    queue: fifo::Sender<Entry>,
}

impl Flusher {
    /// Waits, no longer than `limit`, until all that was put in before is in the file (and synced, with
    /// [`Sync::Always`]); says whether it is. A note in the FIFO: it arrives when all before it has been written.
    #[must_use]
    pub fn wait(&self, limit: Duration) -> bool {
        let deadline = Instant::now() + limit;
        let (reply, answer) = fifo::bounded(1);
        let mut entry = Entry::Flush(reply);
        loop {
            match self.queue.offer(entry) {
                Ok(()) => return answer.next_before(Some(deadline)) == Next::Item(()),
                Err(Refused::Closed(_)) => return false,
                Err(Refused::Full(back)) => entry = back,
            }
            let retry = Instant::now() + FLUSH_RETRY;
            if retry >= deadline {
                return false;
            }
            let _ = answer.next_before(Some(retry));
        }
    }
}

//! The thread that writes the history: takes records out of the FIFO, puts them into the file.
//!
//! **How it works.** It waits for one entry, takes whatever else is there up to 64 KiB, and writes that at once: one
//! `write` when little happens, one for a thousand records in a flood. Records are in the file in the order in which
//! they were put in. While there is nothing unsynced, it waits without a timer.
//!
//! **When the disk is full.** What it holds is kept and tried again after 200 ms, then after twice that, up to 5 s; the
//! FIFO fills behind it, and what does not fit is counted by whoever puts it in. The user is told once when this begins
//! and once when it ends. Asked to end meanwhile, it tries each batch once more, and counts what it gives up.
//!
//! **When a sync fails**, the kernel may have dropped what it could not write, and a second sync would succeed all the
//! same. So nothing is tried again: it is told and noted in the file, which is opened anew.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use common::fifo::{Next, Receiver, Sender};

use super::batch::Batch;
use super::file::{HistoryFile, why};
use super::record::{Record, now};
use super::settings::{Settings, Sync};

/// So many bytes make a batch; its last record may go beyond.
const BATCH: usize = 64 * 1024;
/// So much may be unsynced, however short the time, unless syncing is off. A sync holds up the saver in proportion to
/// what it has to write: after so little, 200,000 records a second do not fill a FIFO of 1,024 meanwhile. After less,
/// there are so many syncs that the file system's own journal stands in the way now and then.
const UNSYNCED: usize = 4 * 1024 * 1024;
/// The first pause after a write that failed; each is twice the one before.
const PAUSE_FIRST: Duration = Duration::from_millis(200);
const PAUSE_MAX: Duration = Duration::from_secs(5);

/// So many lines wait until somebody takes them; what is said then is out of date anyway.
const UNSAID_MAX: usize = 16;
/// The pause before a line is said again that nobody took.
const SAY_AGAIN: Duration = Duration::from_millis(200);

/// What goes through the FIFO.
#[derive(Debug)]
pub(super) enum Entry {
    Record(Record),
    /// So many records did not fit into the FIFO here; told at this time.
    Gap(u64, u64),
    /// Answer when all that came before is in the file.
    Flush(Sender<()>),
    /// Nothing that matters comes after this.
    End,
}

/// What the saver and the owner of the history both see.
#[derive(Debug, Default)]
pub(super) struct Shared {
    /// The program ends: no more pauses.
    pub(super) ending: AtomicBool,
    /// Records in the file.
    pub(super) recorded: AtomicU64,
}

/// What became of it all.
#[derive(Debug)]
pub(super) struct Ended {
    /// Records that came through the FIFO and are not in the file.
    pub(super) given_up: u64,
    /// What was wrong at the end, or with the disk at any time.
    pub(super) error: Option<String>,
}

/// The saver's own state; nobody else ever sees it.
pub(super) struct Saver {
    queue: Receiver<Entry>,
    file: HistoryFile,
    batch: Batch,
    sync: Sync,
    capacity: usize,
    shared: Arc<Shared>,
    tell: Box<dyn Fn(&str) -> bool + Send>,
    /// What the user has not been told yet: nobody took it.
    unsaid: VecDeque<String>,
    /// Who waits for what is in the batch.
    flushes: Vec<Sender<()>>,
    /// When the oldest of what is not yet synced was written.
    unsynced: Option<Instant>,
    unsynced_bytes: usize,
    /// Why the last write failed.
    failing: Option<String>,
    sync_failing: bool,
    sync_error: Option<String>,
    given_up: u64,
    /// Given up, and not yet told in the file.
    untold: u64,
    ended: bool,
}

impl Saver {
    pub(super) fn new(
        settings: &Settings,
        file: HistoryFile,
        queue: Receiver<Entry>,
        shared: Arc<Shared>,
        tell: impl Fn(&str) -> bool + Send + 'static,
    ) -> Self {
        Self {
            queue,
            file,
            batch: Batch::new(settings.format),
            sync: settings.sync,
            capacity: settings.capacity,
            shared,
            tell: Box::new(tell),
            unsaid: VecDeque::new(),
            flushes: Vec::new(),
            unsynced: None,
            unsynced_bytes: 0,
            failing: None,
            sync_failing: false,
            sync_error: None,
            given_up: 0,
            untold: 0,
            ended: false,
        }
    }

    /// The thread's life.
    pub(super) fn run(mut self) -> Ended {
        self.begin_batch();
        while !(self.ended && self.batch.is_empty()) {
            self.gather();
            self.put_down();
            self.sync_if_due();
            self.answer();
            self.speak();
        }
        self.begin_batch();
        self.put_down();
        if self.sync != Sync::Off {
            self.sync_now();
            self.put_down();
        }
        let cannot = self.failing.map(|why| format!("cannot write {}: {why}", self.file.path().display()));
        Ended { given_up: self.given_up, error: cannot.or(self.sync_error) }
    }

    /// Waits for an entry if there is nothing to write, then takes what else is there.
    fn gather(&mut self) {
        if self.batch.is_empty() {
            let say = (!self.unsaid.is_empty()).then(|| Instant::now() + SAY_AGAIN);
            let until = [self.sync_deadline(), say].into_iter().flatten().min();
            match self.queue.next_before(until) {
                Next::Item(entry) => {
                    self.begin_batch();
                    self.take(entry);
                }
                Next::Late => return,
                Next::End => self.end(),
            }
        }
        while !self.ended
            && self.batch.bytes().len() < BATCH
            && let Some(entry) = self.queue.take()
        {
            self.take(entry);
        }
    }

    fn take(&mut self, entry: Entry) {
        match entry {
            Entry::Record(record) => self.batch.record(&record),
            Entry::Gap(lost, time) => self.batch.gap(time, lost),
            Entry::Flush(reply) => self.flushes.push(reply),
            Entry::End => self.end(),
        }
    }

    fn end(&mut self) {
        self.ended = true;
        self.shared.ending.store(true, Ordering::Release);
    }

    /// What must stand in front of the next record.
    fn begin_batch(&mut self) {
        if self.file.line_is_open() {
            self.batch.torn();
        }
        if self.untold > 0 {
            self.batch.gap(now(), std::mem::take(&mut self.untold));
        }
    }

    /// Writes the batch, however long that takes; gives it up only if the program ends.
    fn put_down(&mut self) {
        let mut pause = PAUSE_FIRST;
        while !self.batch.is_empty() {
            let (written, result) = self.file.append(self.batch.bytes());
            if written > 0 {
                self.unsynced.get_or_insert_with(Instant::now);
                self.unsynced_bytes += written;
                self.shared.recorded.fetch_add(self.batch.done(written), Ordering::Relaxed);
            }
            let Err(error) = result else {
                self.works_again();
                continue;
            };
            self.fails(&error);
            self.speak();
            if self.shared.ending.load(Ordering::Acquire) {
                return self.give_up();
            }
            self.sync_if_due();
            self.pause(pause);
            pause = (pause * 2).min(PAUSE_MAX);
        }
    }

    fn fails(&mut self, error: &io::Error) {
        let why = why(error);
        if self.failing.is_none() {
            let path = self.file.path().display();
            let most = self.capacity;
            self.say(format!("history: cannot write {path}: {why}: messages wait in memory, {most} at most"));
        }
        self.failing = Some(why);
    }

    fn works_again(&mut self) {
        if self.failing.take().is_some() {
            self.say(format!("history: {} can be written again", self.file.path().display()));
        }
    }

    fn give_up(&mut self) {
        let given_up = self.batch.give_up();
        self.given_up += given_up.records;
        self.untold += given_up.records + given_up.gaps;
        // who waits for these learns it by the end of their queue
        self.flushes.clear();
    }

    /// Tells the user, now or when somebody listens.
    fn say(&mut self, line: String) {
        if self.unsaid.len() < UNSAID_MAX {
            self.unsaid.push_back(line);
        }
        self.speak();
    }

    fn speak(&mut self) {
        while self.unsaid.front().is_some_and(|line| (self.tell)(line)) {
            self.unsaid.pop_front();
        }
    }

    /// Pauses; the end of the program ends the pause, and so does the time to sync what was written before.
    fn pause(&self, pause: Duration) {
        let until = Instant::now() + pause;
        let until = self.sync_deadline().map_or(until, |sync| until.min(sync));
        loop {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() || self.shared.ending.load(Ordering::Acquire) {
                return;
            }
            thread::park_timeout(left);
        }
    }

    fn sync_deadline(&self) -> Option<Instant> {
        match self.sync {
            Sync::Every(span) => self.unsynced.map(|since| since + span),
            Sync::Always | Sync::Off => None,
        }
    }

    fn sync_if_due(&mut self) {
        let due = match self.sync {
            Sync::Always => true,
            Sync::Every(_) => {
                let late = |deadline| deadline <= Instant::now();
                self.unsynced_bytes >= UNSYNCED || self.sync_deadline().is_some_and(late)
            }
            Sync::Off => false,
        };
        if due {
            self.sync_now();
        }
    }

    fn sync_now(&mut self) {
        if self.unsynced.take().is_none() {
            return;
        }
        self.unsynced_bytes = 0;
        match self.file.sync() {
            Ok(()) => self.sync_failing = false,
            Err(error) => {
                let why = why(&error);
                if !self.sync_failing {
                    self.sync_failing = true;
                    self.not_synced(&why);
                }
                self.file.reopen();
            }
        }
    }

    fn not_synced(&mut self, why: &str) {
        let path = self.file.path().display();
        let told = format!("cannot sync {path}: {why}: what was written last may not be on the disk");
        self.say(format!("history: {told}"));
        self.sync_error = Some(told);
        // behind what is still to be written, if the disk is also full
        if self.batch.is_empty() {
            self.begin_batch();
        }
        self.batch.mark(now(), format!("not synced: {why}: what stands above may not be on the disk"));
    }

    fn answer(&mut self) {
        for reply in self.flushes.drain(..) {
            let _ = reply.offer(());
        }
    }
}

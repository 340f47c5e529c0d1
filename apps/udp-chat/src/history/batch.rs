//! The lines that go into one `write`: whole ones, in order, and what each of them stands for.

use std::collections::VecDeque;

use super::record::{Format, Record, What, Writer};

/// A buffer that one huge record made larger than this is given back.
const KEPT: usize = 128 * 1024;

/// What a line stands for, once it is in the file or given up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stands {
    /// One record that somebody saved.
    Record,
    /// So many records that are lost.
    Gap(u64),
    /// Nothing: a mark that the saver makes by itself.
    Nothing,
}

/// What was given up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct GivenUp {
    /// Records.
    pub(super) records: u64,
    /// Records lost before, whose gap was to be told in a line.
    pub(super) gaps: u64,
}

/// Lines to be written.
#[derive(Debug)]
pub(super) struct Batch {
    bytes: Vec<u8>,
    /// Where each line ends, and what it stands for.
    lines: VecDeque<(usize, Stands)>,
    writer: Writer,
}

impl Batch {
    pub(super) fn new(format: Format) -> Self {
        Self { bytes: Vec::new(), lines: VecDeque::new(), writer: Writer::new(format) }
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    pub(super) fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    pub(super) fn record(&mut self, record: &Record) {
        self.writer.write(record, &mut self.bytes);
        self.ends(Stands::Record);
    }

    /// A line for records that are lost.
    pub(super) fn gap(&mut self, time: u64, lost: u64) {
        let plural = if lost == 1 { "" } else { "s" };
        self.note(time, format!("gap: {lost} message{plural} not saved"), Stands::Gap(lost));
    }

    /// A note of the saver's own.
    pub(super) fn mark(&mut self, time: u64, text: String) {
        self.note(time, text, Stands::Nothing);
    }

    /// The end of a line that was left without one.
    pub(super) fn torn(&mut self) {
        self.bytes.extend_from_slice(b" # torn\n");
        self.ends(Stands::Nothing);
    }

    fn note(&mut self, time: u64, text: String, stands: Stands) {
        self.writer.write(&Record { time, what: What::Note(text) }, &mut self.bytes);
        self.ends(stands);
    }

    fn ends(&mut self, stands: Stands) {
        self.lines.push_back((self.bytes.len(), stands));
    }

    /// So many bytes are in the file. Gives how many records that completes.
    pub(super) fn done(&mut self, written: usize) -> u64 {
        let whole = self.lines.partition_point(|(end, _)| *end <= written);
        let records = self.lines.drain(..whole).filter(|(_, stands)| *stands == Stands::Record).count();
        self.bytes.drain(..written.min(self.bytes.len()));
        self.lines.iter_mut().for_each(|(end, _)| *end -= written);
        if self.bytes.is_empty() && self.bytes.capacity() > KEPT {
            self.bytes = Vec::new();
        }
        records as u64
    }

    /// Throws away what has not been written.
    pub(super) fn give_up(&mut self) -> GivenUp {
        self.bytes.clear();
        let mut given_up = GivenUp::default();
        for (_, stands) in self.lines.drain(..) {
            match stands {
                Stands::Record => given_up.records += 1,
                Stands::Gap(lost) => given_up.gaps += lost,
                Stands::Nothing => {}
            }
        }
        given_up
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn note(text: &str) -> Record {
        Record { time: 0, what: What::Note(text.into()) }
    }

    #[test]
    fn only_whole_lines_count() {
        let mut batch = Batch::new(Format::Classic);
        batch.record(&note("one"));
        batch.gap(0, 1);
        batch.record(&note("two"));
        assert_eq!(batch.bytes(), b"# one\n# gap: 1 message not saved\n# two\n");
        assert_eq!(batch.done(3), 0);
        assert_eq!(batch.done(3), 1);
        assert_eq!(batch.done(28), 0);
        assert_eq!(batch.bytes(), b" two\n");
        assert_eq!(batch.done(5), 1);
        assert!(batch.is_empty());
    }

    #[test]
    fn what_is_given_up_is_counted() {
        let mut batch = Batch::new(Format::Classic);
        batch.torn();
        batch.gap(0, 7);
        batch.record(&note("one"));
        batch.mark(0, "not synced".into());
        batch.record(&note("two"));
        assert_eq!(batch.give_up(), GivenUp { records: 2, gaps: 7 });
        assert!(batch.is_empty());
        assert_eq!(batch.give_up(), GivenUp::default());
    }
}

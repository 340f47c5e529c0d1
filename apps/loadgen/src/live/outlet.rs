//! A file, pipe or terminal that lines go to, without the conductor ever waiting for a reader while it measures.
//!
//! How: lines are kept until the kernel says that it takes more, and then given to it in pieces that it takes at once. A
//! regular file always takes everything. Cost: a `poll` and a `write` a line. Where it breaks: when [`BACKLOG`] is full,
//! because nobody reads, [`Outlet::add`] waits; until then a slow reader does not disturb the measurement.

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::{AsFd, BorrowedFd};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

/// Bytes that wait for a reader before the conductor does: some hundred intervals with their histograms.
const BACKLOG: usize = 1 << 20;
/// A pipe that can be written to takes so many bytes at once (`PIPE_BUF`).
const PIECE: usize = 4096;

/// Whether the kernel takes bytes at once.
#[must_use]
pub(super) fn is_writable(to: BorrowedFd<'_>) -> bool {
    let mut asked = [PollFd::new(to, PollFlags::POLLOUT)];
    // where it cannot tell, the write itself will
    poll(&mut asked, PollTimeout::ZERO).map_or(true, |ready| ready > 0)
}

/// Where lines go.
#[derive(Debug)]
pub(super) struct Outlet {
    to: File,
    is_file: bool,
    pending: Vec<u8>,
    /// Bytes of whole lines that a regular file holds.
    whole: u64,
}

impl Outlet {
    /// To an open file, a copy of a standard stream included.
    #[must_use]
    pub(super) fn new(to: File) -> Self {
        let is_file = to.metadata().is_ok_and(|about| about.is_file());
        Self { to, is_file, pending: Vec::new(), whole: 0 }
    }

    /// Adds a whole line and writes what can be written at once.
    ///
    /// # Errors
    /// It cannot be written, as on a full disk. A regular file then ends with the last whole line.
    pub(super) fn add(&mut self, line: &str) -> io::Result<()> {
        self.pending.extend_from_slice(line.as_bytes());
        self.pour(false)
    }

    /// Writes everything, however long the reader takes.
    ///
    /// # Errors
    /// As [`Self::add`].
    pub(super) fn finish(&mut self) -> io::Result<()> {
        self.pour(true)
    }

    /// Whether so much waits for a reader that a line that may be lost is better lost.
    #[must_use]
    pub(super) fn is_behind(&self) -> bool {
        self.pending.len() > BACKLOG / 2
    }

    fn pour(&mut self, waits: bool) -> io::Result<()> {
        if self.is_file {
            let written = self.to.write_all(&self.pending);
            match written {
                Ok(()) => self.whole += self.pending.len() as u64,
                // what is there of the line would be no line
                Err(_) => self.to.set_len(self.whole)?,
            }
            self.pending.clear();
            return written;
        }
        while !self.pending.is_empty() {
            let waits = waits || self.pending.len() > BACKLOG;
            if !waits && !is_writable(self.to.as_fd()) {
                return Ok(());
            }
            let piece = &self.pending[..self.pending.len().min(PIECE)];
            match self.to.write(piece) {
                Ok(count) => drop(self.pending.drain(..count)),
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                // somebody else made it a descriptor that does not block
                Err(e) if e.kind() == io::ErrorKind::WouldBlock && waits => wait_for(self.to.as_fd()),
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(e) => {
                    self.pending.clear();
                    return Err(e);
                }
            }
        }
        Ok(())
    }
}

fn wait_for(to: BorrowedFd<'_>) {
    let _ = poll(&mut [PollFd::new(to, PollFlags::POLLOUT)], PollTimeout::NONE);
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read;

    #[test]
    fn a_reader_that_sleeps_is_not_waited_for_and_gets_all_in_the_end() {
        let (mut reader, writer) = io::pipe().unwrap();
        let mut outlet = Outlet::new(File::from(std::os::fd::OwnedFd::from(writer)));
        let line = format!("{}\n", "x".repeat(9_999));
        // more than a pipe holds
        for _ in 0..50 {
            outlet.add(&line).unwrap();
        }
        assert!(!outlet.pending.is_empty());
        let all = std::thread::spawn(move || {
            let mut all = String::new();
            reader.read_to_string(&mut all).map(|_| all)
        });
        outlet.finish().unwrap();
        drop(outlet);
        assert_eq!(all.join().unwrap().unwrap(), line.repeat(50));
    }

    #[test]
    fn a_full_disk_is_told() {
        let mut outlet = Outlet::new(File::create("/dev/full").unwrap());
        assert_eq!(outlet.add("x\n").unwrap_err().raw_os_error(), Some(libc::ENOSPC));
    }
}

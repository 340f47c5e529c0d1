//! Reading the history: forwards through all of it, or the last lines from behind, in constant memory.
//!
//! **How it works.** Lines are independent: each is [taken apart](super::line) by itself, asked whether it [matches](Query),
//! and forgotten. So a file of any size is read through one buffer, a damaged line costs nothing but itself, and a file
//! that is being written can be read at the same time.
//!
//! **What it costs.** One MiB. A search for a text looks at blocks and at lines only where it hits: several GB/s from the
//! page cache. Whoever wants the last lines pays for these and not for the file.
//!
//! **Where it breaks.** A line longer than [`LINE_MAX`], which this program never writes, is read in parts; what would
//! match across two of them does not, and [`last`] may count a part too many.

mod backward;
mod forward;
mod query;
#[cfg(test)]
mod tests;

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::ops::ControlFlow;
use std::path::Path;

use super::line::Line;
use crate::escape::clean;

pub use query::{Query, Who};

use query::Matcher;

/// A longer line is read in parts. The longest that this program writes has a quarter of that.
pub const LINE_MAX: usize = 1 << 20;

/// Gives every line that matches, in order: as it stands in the file (perhaps with raw control characters in it, see
/// [`clean`]), and taken apart.
///
/// # Errors
/// Reading failed.
pub fn scan(
    source: impl Read,
    query: &Query,
    each: impl FnMut(&[u8], &Line<'_>) -> ControlFlow<()>,
) -> io::Result<()> {
    forward::scan(source, &Matcher::new(query), each)
}

/// As [`scan`], for the last `most` of the lines that match.
///
/// # Errors
/// Reading failed, or this is no file that can be read from behind.
pub fn scan_last(
    mut file: &File,
    most: usize,
    query: &Query,
    each: impl FnMut(&[u8], &Line<'_>) -> ControlFlow<()>,
) -> io::Result<()> {
    let matcher = Matcher::new(query);
    // what is appended from now on does not count
    let end = file.seek(SeekFrom::End(0))?;
    let start = backward::start_of_last(file, end, most, &matcher)?;
    file.seek(SeekFrom::Start(start))?;
    forward::scan(file.take(end - start), &matcher, each)
}

/// As [`scan_last`], for a file with this name; lines come safe to show.
///
/// # Errors
/// The file cannot be opened or read.
pub fn last(
    path: &Path,
    most: usize,
    query: &Query,
    mut each: impl FnMut(String) -> ControlFlow<()>,
) -> io::Result<()> {
    scan_last(&File::open(path)?, most, query, |line, _| each(clean(line)))
}

//! From the end towards the beginning: where do the last lines begin?
//!
//! Only the place is found here, and the lines are then read forwards from it: so a million last lines take no more
//! memory than ten.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use memchr::memrchr;

use super::LINE_MAX;
use super::query::Matcher;

/// So much is read at a time.
const READ: usize = 64 * 1024;

/// Where the last `most` lines that match begin, among those before `end`.
pub(super) fn start_of_last(file: &File, end: u64, most: usize, matcher: &Matcher<'_>) -> io::Result<u64> {
    let mut left = most;
    // `tail` is what stands in the file from `start` on and has not been looked at
    let mut tail = Vec::new();
    let mut start = end;
    if most == 0 {
        return Ok(end);
    }
    loop {
        while let Some(newline) = memrchr(b'\n', &tail) {
            let line = &tail[newline + 1..];
            left -= usize::from(matcher.line(line).is_some());
            if left == 0 {
                return Ok(start + newline as u64 + 1);
            }
            tail.truncate(newline);
        }
        if start == 0 {
            return Ok(0);
        }
        if tail.len() >= LINE_MAX {
            left -= usize::from(matcher.line(&tail).is_some());
            if left == 0 {
                return Ok(start);
            }
            tail.clear();
        }
        let count = start.min(READ as u64);
        start -= count;
        prepend(file, start, count as usize, &mut tail)?;
    }
}

/// Puts `count` bytes of the file in front. A file that has become shorter meanwhile has fewer.
fn prepend(file: &File, start: u64, count: usize, tail: &mut Vec<u8>) -> io::Result<()> {
    let mut block = vec![0; count];
    let mut filled = 0;
    while filled < count {
        match file.read_at(&mut block[filled..], start + filled as u64) {
            Ok(0) => break,
            Ok(count) => filled += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    block.truncate(filled);
    block.append(tail);
    *tail = block;
    Ok(())
}

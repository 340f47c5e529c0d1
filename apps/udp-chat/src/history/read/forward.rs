//! From the beginning to the end, block by block.

use std::io::{self, Read};
use std::ops::ControlFlow;

use memchr::{memchr, memrchr};

use super::LINE_MAX;
use super::query::Matcher;
use crate::history::line::Line;

/// So much is read at a time: it stays in the CPU's cache until it has been searched.
const READ: usize = 256 * 1024;

pub(super) fn scan(
    mut source: impl Read,
    matcher: &Matcher<'_>,
    mut each: impl FnMut(&[u8], &Line<'_>) -> ControlFlow<()>,
) -> io::Result<()> {
    let mut buffer = vec![0; LINE_MAX];
    // the beginning of the buffer holds a line whose end has not been read yet
    let mut held = 0;
    loop {
        let room = (held + READ).min(buffer.len());
        let count = match source.read(&mut buffer[held..room]) {
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        let fresh = held..held + count;
        held += count;
        let whole = match memrchr(b'\n', &buffer[fresh.clone()]) {
            Some(newline) => fresh.start + newline + 1,
            // the last line need not have an end, and one that is too long is taken in parts
            None if count == 0 || held == buffer.len() => held,
            None => 0,
        };
        if block(&buffer[..whole], matcher, &mut each).is_break() || count == 0 {
            return Ok(());
        }
        buffer.copy_within(whole..held, 0);
        held -= whole;
    }
}

/// Looks at whole lines.
fn block(
    mut lines: &[u8],
    matcher: &Matcher<'_>,
    each: &mut impl FnMut(&[u8], &Line<'_>) -> ControlFlow<()>,
) -> ControlFlow<()> {
    while !lines.is_empty() {
        if let Some(piece) = matcher.piece() {
            let Some(hit) = piece.find(lines) else { break };
            let start = memrchr(b'\n', &lines[..hit]).map_or(0, |newline| newline + 1);
            lines = &lines[start..];
        }
        let end = memchr(b'\n', lines).unwrap_or(lines.len());
        let line = &lines[..end];
        lines = lines.get(end + 1..).unwrap_or_default();
        if let Some(parsed) = matcher.line(line) {
            each(line, &parsed)?;
        }
    }
    ControlFlow::Continue(())
}

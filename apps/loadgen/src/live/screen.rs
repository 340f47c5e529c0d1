//! Some lines at the bottom of a terminal, drawn again and again in their place, and removed at the end.
//!
//! How: the cursor always stands below them in the first column; a redraw goes up as many rows as the last lines fill,
//! writes over them and clears the rest. Nothing is hidden or switched that a death in between would leave so: wrapping is
//! off within one write only. Cost: one `write` of under 1 KiB, [`PAUSE`] after the last one at the earliest, and none
//! when the terminal does not take it at once (Ctrl-S). Where it breaks: when a terminal becomes narrower, lines that were
//! wider fill several rows; that is reckoned with as most terminals do it, and one that cuts them instead loses as many
//! rows of what stood above.

use std::io::{Write, stderr};
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use super::outlet::is_writable;

/// The shortest time between two redraws.
const PAUSE: Duration = Duration::from_millis(250);

/// What stands on the terminal now.
#[derive(Debug, Default)]
pub(super) struct Screen {
    /// The width of each line.
    drawn: Vec<usize>,
    last: Option<Instant>,
}

impl Screen {
    /// Whether it may be drawn again already.
    #[must_use]
    pub(super) fn is_due(&self) -> bool {
        self.last.is_none_or(|last| last.elapsed() >= PAUSE)
    }

    /// Columns and lines of the terminal; those of a terminal that does not know.
    #[must_use]
    pub(super) fn size() -> (usize, usize) {
        let size = terminal_size::terminal_size_of(stderr()).filter(|(width, _)| width.0 > 0);
        size.map_or((80, 24), |(width, height)| (usize::from(width.0), usize::from(height.0)))
    }

    /// Shows these lines in the place of the last ones.
    pub(super) fn draw(&mut self, lines: &[String], width: usize) {
        if !is_writable(stderr().as_fd()) {
            return;
        }
        let mut out = up(&self.drawn, width);
        out.push_str("\x1b[?7l");
        for line in lines {
            // first the clearing: after a full line it would take the last letter
            out.push_str("\x1b[2K");
            out.push_str(line);
            out.push_str("\r\n");
        }
        out.push_str("\x1b[J\x1b[?7h");
        self.drawn = lines.iter().map(|line| visible(line)).collect();
        self.last = Some(Instant::now());
        // a closed terminal is no reason to fail
        let _ = stderr().write_all(out.as_bytes());
    }

    /// Removes the lines.
    pub(super) fn clear(&mut self) {
        if !self.drawn.is_empty() {
            let (width, _) = Self::size();
            let out = format!("{}\x1b[J", up(&self.drawn, width));
            self.drawn.clear();
            let _ = stderr().write_all(out.as_bytes());
        }
    }
}

/// Also when the work ends early.
impl Drop for Screen {
    fn drop(&mut self) {
        self.clear();
    }
}

/// To the first column of the first of these lines, which stand above the cursor of a terminal that is now so wide.
fn up(drawn: &[usize], width: usize) -> String {
    match drawn.iter().map(|line| line.div_ceil(width.max(1)).max(1)).sum::<usize>() {
        0 => "\r".to_owned(),
        rows => format!("\r\x1b[{rows}A"),
    }
}

/// Letters that are seen: colours are not.
fn visible(line: &str) -> usize {
    let mut hidden = false;
    let mut count = 0;
    for letter in line.chars() {
        match letter {
            '\x1b' => hidden = true,
            'm' if hidden => hidden = false,
            _ => count += usize::from(!hidden),
        }
    }
    count
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_that_a_narrower_terminal_wrapped_are_all_gone_over() {
        let drawn = [80, 30, 0];
        assert_eq!([up(&drawn, 80), up(&drawn, 40), up(&[], 40)], ["\r\x1b[3A", "\r\x1b[4A", "\r"]);
    }

    #[test]
    fn colours_have_no_width() {
        assert_eq!(visible("\x1b[31mmm\x1b[0m m"), 4);
    }
}

//! Texts in lines that a reader's terminal has room for.

use std::io;

/// No line is longer: longer ones are hard to read. So long are those that go into a file.
const WIDEST: usize = 100;
/// No line is cut shorter than this, however narrow the terminal is.
const NARROWEST: usize = 40;

/// How long a line may be, in characters.
pub(crate) fn width() -> usize {
    columns().map_or(WIDEST, fit)
}

/// How many columns the terminal has, if this is one.
pub(crate) fn columns() -> Option<usize> {
    terminal_size::terminal_size_of(io::stdout()).map(|(width, _)| usize::from(width.0))
}

/// Some terminals say that they have no columns at all: those are not asked.
fn fit(columns: usize) -> usize {
    if columns == 0 { WIDEST } else { columns.clamp(NARROWEST, WIDEST) }
}

/// The text behind its beginning, in lines; all but the first one begin with so many blanks. A longer word has a line of its own.
pub(crate) fn wrap(beginning: &str, text: &str, indent: usize, width: usize) -> String {
    let mut lines = beginning.to_owned();
    let (mut length, mut first) = (beginning.chars().count(), true);
    for word in text.split_whitespace() {
        let letters = word.chars().count();
        if !first && length + 1 + letters > width {
            lines.push('\n');
            lines.extend(std::iter::repeat_n(' ', indent));
            length = indent;
        } else if !first {
            lines.push(' ');
            length += 1;
        }
        lines += word;
        (length, first) = (length + letters, false);
    }
    lines + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_line_is_longer_and_no_word_is_lost() {
        let text = "Threads of one process run at the same time; in which order is nobody's promise.";
        for width in 20..90 {
            let wrapped = wrap("  - ", text, 4, width);
            assert!(wrapped.lines().all(|line| line.chars().count() <= width), "{width}: {wrapped}");
            assert!(wrapped.lines().skip(1).all(|line| line.starts_with("    ")), "{width}: {wrapped}");
            let words: Vec<&str> = wrapped.split_whitespace().skip(1).collect();
            assert_eq!(words, text.split_whitespace().collect::<Vec<_>>());
        }
    }

    #[test]
    fn a_long_word_and_no_word_at_all() {
        assert_eq!(wrap("", "a incomprehensibilities b", 2, 5), "a\n  incomprehensibilities\n  b\n");
        assert_eq!(wrap("x: ", "", 2, 5), "x: \n");
    }

    #[test]
    fn the_width_is_between_its_bounds() {
        assert_eq!([0, 1, 80, 400].map(fit), [WIDEST, NARROWEST, 80, WIDEST]);
    }
}

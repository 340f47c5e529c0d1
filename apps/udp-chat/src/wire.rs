//! Datagram ⇄ message. Pure: bytes in, bytes out.
//!
//! **The rule.** A datagram is plain UTF-8 text, as `nc -u` and a dozen lines of Python send it, unless its first byte is
//! 0xFF. No UTF-8 text can begin with that byte, so it is kept for framed messages of later versions; until then such
//! a datagram is an *unsupported frame* and never shown as text.
//!
//! **What is not in it.** No name, no number, no receipt: whoever can send text to a port can take part. An empty
//! datagram is legal and says nothing.

use std::ops::Range;

/// The first byte of a framed message.
pub const FRAME: u8 = 0xFF;

/// What a datagram turned out to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Datagram<'a> {
    /// No byte in it.
    Empty,
    /// Not text: a message of a later version.
    Frame,
    /// Text; it may hold invalid UTF-8 and inner line breaks.
    Text {
        /// Without the newline at its end.
        body: &'a [u8],
        /// It ended with a newline: the habit of netcat, whose user presses Enter.
        newline: bool,
    },
}

/// Says what a datagram is.
#[must_use]
pub fn read(bytes: &[u8]) -> Datagram<'_> {
    match bytes {
        [] => Datagram::Empty,
        [FRAME, ..] => Datagram::Frame,
        [body @ .., b'\r', b'\n'] | [body @ .., b'\n'] => Datagram::Text { body, newline: true },
        body => Datagram::Text { body, newline: false },
    }
}

/// The datagrams for one message: pieces of at most `most` bytes (at least 8), cut between characters, because a plain
/// receiver decodes each datagram by itself. With `newline`, the last piece ends with one. An empty text is one piece.
#[must_use]
pub fn write(text: &str, most: usize, newline: bool) -> Vec<Vec<u8>> {
    let most = most.max(8);
    let end: &[u8] = if newline { b"\n" } else { b"" };
    // the piece that carries the newline needs room for it; a text that fills the last piece gets one more
    let mut pieces: Vec<Vec<u8>> =
        cut(text, most - end.len()).map(|piece| text.as_bytes()[piece].to_vec()).collect();
    if let Some(last) = pieces.last_mut() {
        last.extend_from_slice(end);
    }
    pieces
}

fn cut(text: &str, most: usize) -> impl Iterator<Item = Range<usize>> {
    let mut start = 0;
    let mut first = true;
    std::iter::from_fn(move || {
        if start == text.len() && !first {
            return None;
        }
        first = false;
        let end = text.floor_char_boundary(start.saturating_add(most));
        let piece = start..end;
        start = end;
        Some(piece)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_a_datagram_is() {
        assert_eq!(read(b""), Datagram::Empty);
        assert_eq!(read(b"\xFFhello"), Datagram::Frame);
        assert_eq!(read(b"hello"), Datagram::Text { body: b"hello", newline: false });
        assert_eq!(read(b"hello\n"), Datagram::Text { body: b"hello", newline: true });
        assert_eq!(read(b"hello\r\n"), Datagram::Text { body: b"hello", newline: true });
        assert_eq!(read(b"a\nb\n\n"), Datagram::Text { body: b"a\nb\n", newline: true });
        assert_eq!(read(b"\n"), Datagram::Text { body: b"", newline: true });
    }

    #[test]
    fn a_character_is_never_cut() {
        let text = "ä".repeat(6);
        assert_eq!(write(&text, 9, false), ["ä".repeat(4).into_bytes(), "ä".repeat(2).into_bytes()]);
        assert_eq!(write("", 9, true), [b"\n".to_vec()]);
    }

    proptest! {
        #[test]
        fn the_pieces_are_the_text(text in ".{0,200}", most in 8usize..40, newline: bool) {
            let pieces = write(&text, most, newline);
            let mut whole = Vec::new();
            for piece in &pieces {
                prop_assert!(piece.len() <= most);
                prop_assert!(std::str::from_utf8(piece).is_ok());
                whole.extend_from_slice(piece);
            }
            let end = if newline { "\n" } else { "" };
            prop_assert_eq!(whole, format!("{text}{end}").into_bytes());
        }

        #[test]
        fn every_datagram_is_something(bytes: Vec<u8>) {
            if let Datagram::Text { body, .. } = read(&bytes) {
                prop_assert!(bytes.starts_with(body));
            }
        }
    }
}

//! Request templates: the user's text with its escapes and counters taken apart once, and put together for each request.
//!
//! How: the text is split into pieces when the command line is read; a request is these pieces copied one after another.
//! Exactly `{connection}`, `{sequence}` and these two with a width, `{sequence:8}`, are replaced; every other brace is
//! itself, so JSON needs no care. Escapes (`\r \n \t \0 \\ \xHH`) are read only when asked for, and never make a counter:
//! `\x7bsequence}` is the plain text. Where it breaks: a counter with a width keeps its last digits only, so it begins
//! anew when they run out; without a width the message grows with its number.

use std::fmt::Write as _;

/// Digits of the largest number that a counter can show, and the largest width.
const DIGITS_MAX: usize = 20;
/// How many bytes of a text are shown in a message or a report.
const SHOWN_MAX: usize = 80;

/// A request, but for its numbers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Template {
    pieces: Vec<Piece>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    Text(Vec<u8>),
    Counter { which: Counter, width: Option<usize> },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Counter {
    Connection,
    Sequence,
}

impl Counter {
    const ALL: [(Self, &str); 2] = [(Self::Connection, "connection"), (Self::Sequence, "sequence")];
}

impl Template {
    /// Takes a text with counters apart; `escapes`: backslashes mean something.
    ///
    /// # Errors
    /// What is wrong with an escape, as a part of a sentence.
    pub fn parse(text: &str, escapes: bool) -> Result<Self, String> {
        let (mut pieces, mut plain, mut rest) = (Vec::new(), Vec::new(), text);
        while let Some(first) = rest.chars().next() {
            if let Some((piece, length)) = counter(rest) {
                push_text(&mut pieces, &mut plain);
                pieces.push(piece);
                rest = &rest[length..];
            } else if escapes && first == '\\' {
                let (byte, length) = escape(rest)?;
                plain.push(byte);
                rest = &rest[length..];
            } else {
                plain.extend_from_slice(&rest.as_bytes()[..first.len_utf8()]);
                rest = &rest[first.len_utf8()..];
            }
        }
        push_text(&mut pieces, &mut plain);
        Ok(Self { pieces })
    }

    /// These bytes and nothing else.
    #[must_use]
    pub fn plain(bytes: Vec<u8>) -> Self {
        let mut pieces = Vec::new();
        push_text(&mut pieces, &mut bytes.clone());
        Self { pieces }
    }

    /// Appends one request.
    pub fn append(&self, connection: u32, sequence: u64, to: &mut Vec<u8>) {
        for piece in &self.pieces {
            match piece {
                Piece::Text(text) => to.extend_from_slice(text),
                Piece::Counter { which: Counter::Connection, width } => {
                    digits(u64::from(connection), *width, to);
                }
                Piece::Counter { which: Counter::Sequence, width } => digits(sequence, *width, to),
            }
        }
    }

    /// The most bytes that a request of this kind can have.
    #[must_use]
    pub fn longest(&self) -> usize {
        let length = |piece: &Piece| match piece {
            Piece::Text(text) => text.len(),
            Piece::Counter { width, .. } => width.unwrap_or(DIGITS_MAX),
        };
        self.pieces.iter().map(length).sum()
    }

    /// Whether two requests can differ in length.
    #[must_use]
    pub fn varies(&self) -> bool {
        self.pieces.iter().any(|piece| matches!(piece, Piece::Counter { width: None, .. }))
    }

    /// As the user would write it, with escapes, whole.
    #[must_use]
    pub fn show(&self) -> String {
        let piece = |piece: &Piece| match piece {
            // a text that only looks like a counter is written so that it stays a text
            Piece::Text(text) => {
                escaped(text).replace("{connection", r"\x7bconnection").replace("{sequence", r"\x7bsequence")
            }
            Piece::Counter { which, width } => {
                let name =
                    Counter::ALL.iter().find(|(counter, _)| counter == which).map_or("", |(_, name)| name);
                width.map_or_else(|| format!("{{{name}}}"), |width| format!("{{{name}:{width}}}"))
            }
        };
        self.pieces.iter().map(piece).collect()
    }
}

fn push_text(pieces: &mut Vec<Piece>, plain: &mut Vec<u8>) {
    if !plain.is_empty() {
        pieces.push(Piece::Text(std::mem::take(plain)));
    }
}

/// The counter that the text begins with, and its length.
fn counter(text: &str) -> Option<(Piece, usize)> {
    let inner = text.strip_prefix('{')?;
    let end = inner.find('}')?;
    let (name, width) = match inner[..end].split_once(':') {
        Some((name, width)) if width.bytes().all(|digit| digit.is_ascii_digit()) => {
            (name, Some(width.parse().ok().filter(|width| (1..=DIGITS_MAX).contains(width))?))
        }
        Some(_) => return None,
        None => (&inner[..end], None),
    };
    let (which, _) = Counter::ALL.iter().find(|(_, known)| *known == name)?;
    Some((Piece::Counter { which: *which, width }, end + 2))
}

/// The byte that an escape stands for, and the escape's length.
fn escape(text: &str) -> Result<(u8, usize), String> {
    let bytes = text.as_bytes();
    let byte = match bytes.get(1) {
        Some(b'r') => b'\r',
        Some(b'n') => b'\n',
        Some(b't') => b'\t',
        Some(b'0') => 0,
        Some(b'\\') => b'\\',
        Some(b'x') => {
            let digits =
                text.get(2..4).filter(|digits| digits.bytes().all(|digit| digit.is_ascii_hexdigit()));
            let byte = digits.and_then(|digits| u8::from_str_radix(digits, 16).ok());
            return byte.map(|byte| (byte, 4)).ok_or("\\x needs two hexadecimal digits, \\x0a".to_owned());
        }
        _ => {
            let shown: String = text.chars().take(2).collect();
            return Err(format!("{shown} is no escape: there are \\r \\n \\t \\0 \\\\ \\xHH"));
        }
    };
    Ok((byte, 2))
}

/// A text without counters: a reply or a delimiter.
///
/// # Errors
/// What is wrong with an escape.
pub fn unescape(text: &str, escapes: bool) -> Result<Vec<u8>, String> {
    if !escapes {
        return Ok(text.as_bytes().to_vec());
    }
    let (mut plain, mut rest) = (Vec::new(), text);
    while let Some(at) = rest.find('\\') {
        plain.extend_from_slice(&rest.as_bytes()[..at]);
        let (byte, length) = escape(&rest[at..])?;
        plain.push(byte);
        rest = &rest[at + length..];
    }
    plain.extend_from_slice(rest.as_bytes());
    Ok(plain)
}

/// The first escape in a text whose backslashes mean nothing: most likely they should have meant something.
#[must_use]
pub fn forgotten_escape(text: &str) -> Option<&'static str> {
    ["\\r", "\\n", "\\x0", "\\x1", "\\0"].into_iter().find(|escape| text.contains(escape))
}

/// A number, of a fixed width if one is given: with zeros in front, or its last digits.
fn digits(number: u64, width: Option<usize>, to: &mut Vec<u8>) {
    let (mut number, mut buffer, mut at) = (number, [b'0'; DIGITS_MAX], DIGITS_MAX);
    while number > 0 || at == DIGITS_MAX {
        at -= 1;
        // a digit is less than 10
        buffer[at] = b'0' + (number % 10) as u8;
        number /= 10;
    }
    let begin = width.map_or(at, |width| DIGITS_MAX - width.min(DIGITS_MAX));
    to.extend_from_slice(&buffer[begin..]);
}

/// Bytes as text that can be typed again.
#[must_use]
pub fn escaped(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for byte in bytes {
        match byte {
            b'\r' => text.push_str("\\r"),
            b'\n' => text.push_str("\\n"),
            b'\t' => text.push_str("\\t"),
            b'\\' => text.push_str("\\\\"),
            b' '..=b'~' => text.push(char::from(*byte)),
            _ => {
                // writing to a String cannot fail
                let _ = write!(text, "\\x{byte:02x}");
            }
        }
    }
    text
}

/// As [`escaped`], but only the first 80 bytes.
#[must_use]
pub fn shown(bytes: &[u8]) -> String {
    let mut text = escaped(&bytes[..bytes.len().min(SHOWN_MAX)]);
    if bytes.len() > SHOWN_MAX {
        text.push('…');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn made(text: &str, escapes: bool, sequence: u64) -> Vec<u8> {
        let mut request = Vec::new();
        Template::parse(text, escapes).unwrap().append(7, sequence, &mut request);
        request
    }

    #[test]
    fn only_a_counter_is_replaced_and_every_other_brace_is_itself() {
        assert_eq!(made("SET k{connection}-{sequence:4} v", false, 12), b"SET k7-0012 v");
        for json in
            [r#"{"id":1,"in":{"sequence":2}}"#, "{}", "{{", "{sequenc}", "{sequence:}", "{sequence:x}", "{"]
        {
            assert_eq!(made(json, false, 12), json.as_bytes(), "{json}");
        }
        assert_eq!(made(r#"{"id":{sequence}}"#, false, 12), br#"{"id":12}"#);
        assert_eq!(made("{sequence:21}{sequence:0}", false, 12), b"{sequence:21}{sequence:0}");
    }

    #[test]
    fn a_width_is_kept_whatever_the_number() {
        assert_eq!(made("{sequence:3}", false, 12_345), b"345");
        assert_eq!(made("{sequence:20}", false, u64::MAX), b"18446744073709551615");
        assert_eq!(made("{sequence}", false, 0), b"0");
    }

    #[test]
    fn escapes_are_read_only_when_asked_for() {
        assert_eq!(made(r"a\r\n\t\0\\\x41", true, 0), b"a\r\n\t\0\\A");
        assert_eq!(made(r"a\r\n", false, 0), br"a\r\n");
        assert_eq!(made(r"\x7bsequence}", true, 5), b"{sequence}");
        assert!(Template::parse(r"a\q", true).unwrap_err().contains(r"\q is no escape"));
        for wrong in [r"\x", r"\xg0", r"\x4", "\\", "\\x+1", "\\ä"] {
            assert!(Template::parse(wrong, true).is_err() && unescape(wrong, true).is_err(), "{wrong}");
        }
        assert_eq!((forgotten_escape(r"PING\r\n"), forgotten_escape(r"\d")), (Some("\\r"), None));
    }

    #[test]
    fn a_long_text_is_cut() {
        assert_eq!(shown(&[b'a'; 81]).chars().count(), 81);
        assert!(shown(&[b'a'; 81]).ends_with("a…"));
    }

    proptest! {
        #[test]
        fn what_is_shown_can_be_typed_again(bytes in prop::collection::vec(any::<u8>(), 0..100)) {
            prop_assert_eq!(unescape(&escaped(&bytes), true).unwrap(), bytes);
        }

        #[test]
        fn any_text_is_accepted_and_no_request_is_longer_than_promised(text in ".{0,60}", sequence: u64) {
            let template = Template::parse(&text, false).unwrap();
            let mut request = Vec::new();
            template.append(u32::MAX, sequence, &mut request);
            prop_assert!(request.len() <= template.longest());
            prop_assert!(template.varies() || request.len() == template.longest());
        }
    }
}

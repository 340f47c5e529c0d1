//! Bytes from anywhere ⇄ text that is safe on a terminal and in a line of a file. Pure.
//!
//! **The rule.** UTF-8 stays as it is. What could move the cursor, end a line or turn the order of the letters round is
//! written out: `\n`, `\r` and `\t`; `\x1b` for every other control character of ASCII and for every byte that is not
//! UTF-8; `\u{202e}` for the controls of Latin-1, the line separators, the marks of bidirectional text and the byte
//! order mark.
//!
//! **Backslashes stay readable.** `C:\dir` is written `C:\dir`: a backslash is doubled only where what follows it in the
//! output (one of `\ n r t x u`) would make it look like an escape. So nearly all text stays as it was typed, and still
//! [`unescape`] gives back exactly what [`escape`] got, whatever bytes those were.
//!
//! **What it costs.** Plain ASCII is looked at sixteen bytes at a time and copied; a record of 64 bytes takes a few
//! nanoseconds. A byte becomes at most four.

/// Writes the bytes out so that they are safe to show and to keep; see the head of this file.
pub fn escape_into(bytes: &[u8], out: &mut Vec<u8>) {
    write(bytes, out, true);
}

/// As [`escape_into`], as a text of its own.
#[must_use]
pub fn escape(bytes: &[u8]) -> String {
    let mut out = Vec::with_capacity(bytes.len());
    escape_into(bytes, &mut out);
    into_text(out)
}

/// For bytes that should have been escaped already, a line of a history file for example: its escapes stay as they are,
/// and what is still raw in it, because somebody else wrote it, is written out.
pub fn clean_into(bytes: &[u8], out: &mut Vec<u8>) {
    write(bytes, out, false);
}

/// As [`clean_into`], as a text of its own.
#[must_use]
pub fn clean(bytes: &[u8]) -> String {
    let mut out = Vec::with_capacity(bytes.len());
    clean_into(bytes, &mut out);
    into_text(out)
}

/// The bytes that [`escape`] was given. What only looks like an escape (`\x` without two digits, `\q`) stays as it is.
#[must_use]
pub fn unescape(text: impl AsRef<[u8]>) -> Vec<u8> {
    let mut rest = text.as_ref();
    let mut out = Vec::with_capacity(rest.len());
    while let Some(at) = memchr::memchr(b'\\', rest) {
        out.extend_from_slice(&rest[..at]);
        rest = &rest[at..];
        rest = &rest[unescape_one(rest, &mut out)..];
    }
    out.extend_from_slice(rest);
    out
}

/// Whether this character may be shown only in its escaped form.
#[must_use]
pub fn is_unsafe(c: char) -> bool {
    matches!(c,
        '\0'..='\x1f' | '\x7f'..='\u{9f}' | '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}'
        | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

/// What stands at the beginning of some bytes.
enum Unit {
    /// A character that is kept, and how many bytes it has.
    Kept(usize),
    Backslash,
    /// A control character of ASCII, or a byte that is not UTF-8.
    Byte(u8),
    /// A character that must not be shown.
    Char(char),
}

impl Unit {
    fn first(bytes: &[u8]) -> Option<Self> {
        let &byte = bytes.first()?;
        Some(match byte {
            b'\\' => Self::Backslash,
            b' '..0x7f => Self::Kept(1),
            0..=0x7f => Self::Byte(byte),
            _ => match character(bytes) {
                None => Self::Byte(byte),
                Some(c) if is_unsafe(c) => Self::Char(c),
                Some(c) => Self::Kept(c.len_utf8()),
            },
        })
    }
}

/// The character of more than one byte that these begin with.
fn character(bytes: &[u8]) -> Option<char> {
    let width = match bytes.first()? {
        0xc2..=0xdf => 2,
        0xe0..=0xef => 3,
        0xf0..=0xf4 => 4,
        _ => return None,
    };
    std::str::from_utf8(bytes.get(..width)?).ok()?.chars().next()
}

fn write(bytes: &[u8], out: &mut Vec<u8>, reversible: bool) {
    let mut rest = bytes;
    loop {
        let (plain, tail) = rest.split_at(plain_run(rest));
        out.extend_from_slice(plain);
        let Some(unit) = Unit::first(tail) else { return };
        let width = match unit {
            Unit::Kept(width) => {
                out.extend_from_slice(&tail[..width]);
                width
            }
            Unit::Backslash => {
                let twice = reversible && looks_like_an_escape(&tail[1..]);
                out.extend_from_slice(if twice { br"\\" } else { br"\" });
                1
            }
            Unit::Byte(byte) => {
                write_byte(byte, out);
                1
            }
            Unit::Char(c) => {
                out.extend_from_slice(format!("\\u{{{:04x}}}", u32::from(c)).as_bytes());
                c.len_utf8()
            }
        };
        rest = &tail[width..];
    }
}

/// How many bytes from the beginning are plain ASCII. Blocks without an early exit, because those become vector code.
fn plain_run(bytes: &[u8]) -> usize {
    const BLOCK: usize = 16;
    let plain = |byte: &u8| (b' '..0x7f).contains(byte) & (*byte != b'\\');
    let all_plain = |block: &&[u8]| block.iter().fold(true, |all, byte| all & plain(byte));
    let blocks = bytes.chunks_exact(BLOCK).take_while(all_plain).count() * BLOCK;
    blocks + bytes[blocks..].iter().take_while(|byte| plain(byte)).count()
}

/// Whether a backslash in front of this would read as the beginning of an escape.
fn looks_like_an_escape(after: &[u8]) -> bool {
    match Unit::first(after) {
        None => false,
        Some(Unit::Kept(_)) => matches!(after[0], b'n' | b'r' | b't' | b'x' | b'u'),
        // these are all written with a backslash
        Some(_) => true,
    }
}

fn write_byte(byte: u8, out: &mut Vec<u8>) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    match byte {
        b'\n' => out.extend_from_slice(br"\n"),
        b'\r' => out.extend_from_slice(br"\r"),
        b'\t' => out.extend_from_slice(br"\t"),
        _ => out.extend_from_slice(&[
            b'\\',
            b'x',
            DIGITS[usize::from(byte >> 4)],
            DIGITS[usize::from(byte & 15)],
        ]),
    }
}

/// What this backslash and what follows it stand for; gives how many bytes that took.
fn unescape_one(escaped: &[u8], out: &mut Vec<u8>) -> usize {
    let (meant, took) = match escaped.get(1) {
        Some(b'\\') => (b'\\', 2),
        Some(b'n') => (b'\n', 2),
        Some(b'r') => (b'\r', 2),
        Some(b't') => (b'\t', 2),
        Some(b'x') => match escaped.get(2..4).and_then(hex) {
            Some(byte) => (byte as u8, 4),
            None => (b'\\', 1),
        },
        Some(b'u') => match braced(&escaped[2..]) {
            Some((c, took)) => {
                out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
                return 2 + took;
            }
            None => (b'\\', 1),
        },
        _ => (b'\\', 1),
    };
    out.push(meant);
    took
}

/// `{202e}`: the character, and how many bytes that took.
fn braced(bytes: &[u8]) -> Option<(char, usize)> {
    let inner = bytes.strip_prefix(b"{")?;
    let end = inner.iter().take(7).position(|byte| *byte == b'}')?;
    Some((char::from_u32(hex(&inner[..end])?)?, end + 2))
}

/// One to six hexadecimal digits.
fn hex(digits: &[u8]) -> Option<u32> {
    if digits.is_empty() || digits.len() > 6 {
        return None;
    }
    digits.iter().try_fold(0, |number, digit| Some(number << 4 | char::from(*digit).to_digit(16)?))
}

/// What is written here is UTF-8; a mistake must not become a panic.
fn into_text(out: Vec<u8>) -> String {
    String::from_utf8(out).unwrap_or_else(|wrong| String::from_utf8_lossy(wrong.as_bytes()).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn text_stays_readable() {
        for text in ["hello", "grüß dich 你好 🙂", r"C:\dir\file", r"\", r"50\50", "it's (fine): # yes"]
        {
            assert_eq!(escape(text.as_bytes()), text);
        }
    }

    #[test]
    fn what_could_do_harm_is_written_out() {
        assert_eq!(escape(b"a\nb\r\tc"), r"a\nb\r\tc");
        assert_eq!(escape(b"\x1b[2J\x00\x7f"), r"\x1b[2J\x00\x7f");
        assert_eq!(escape(b"\xff\xc3(\xe2\x82"), r"\xff\xc3(\xe2\x82");
        assert_eq!(
            escape("\u{85}\u{2028}\u{202e}\u{feff}\u{61c}".as_bytes()),
            r"\u{0085}\u{2028}\u{202e}\u{feff}\u{061c}"
        );
    }

    #[test]
    fn a_backslash_is_doubled_where_it_would_mislead() {
        assert_eq!(escape(br"\n"), r"\\n");
        assert_eq!(escape(br"\\"), r"\\\");
        assert_eq!(escape(b"\\\n"), r"\\\n");
        assert_eq!(unescape(r"\\n"), br"\n");
        assert_eq!(
            unescape(r"\q \x4 \xzz \u{} \u{110000} \u{1234567} \"),
            br"\q \x4 \xzz \u{} \u{110000} \u{1234567} \"
        );
    }

    #[test]
    fn cleaning_keeps_the_escapes_that_are_there() {
        let mut out = Vec::new();
        clean_into(b"a\\n\\\\b\x1b[0m\xff", &mut out);
        assert_eq!(out, br"a\n\\b\x1b[0m\xff");
    }

    /// Bytes in which the interesting ones are frequent.
    fn bytes() -> impl Strategy<Value = Vec<u8>> {
        let piece = prop_oneof![
            any::<u8>().prop_map(|byte| vec![byte]),
            any::<char>().prop_map(|c| c.to_string().into_bytes()),
            proptest::sample::select(&b"\\\\\\nrtxu{}09af\n\r\t\x1b\xc2\x85\xe2\x80\xa8"[..])
                .prop_map(|byte| vec![byte]),
            Just(b"quite ordinary text of some length".to_vec()),
        ];
        proptest::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat())
    }

    proptest! {
        #[test]
        fn unescape_is_the_way_back(bytes in bytes()) {
            prop_assert_eq!(unescape(escape(&bytes)), bytes);
        }

        #[test]
        fn nothing_raw_comes_out(bytes in bytes()) {
            prop_assert!(!escape(&bytes).contains(is_unsafe));
            let mut cleaned = Vec::new();
            clean_into(&bytes, &mut cleaned);
            prop_assert!(!String::from_utf8(cleaned).unwrap().contains(is_unsafe));
            prop_assert!(escape(&bytes).len() <= 4 * bytes.len());
        }

        #[test]
        fn what_is_escaped_is_clean(bytes in bytes()) {
            let escaped = escape(&bytes);
            prop_assert_eq!(clean(escaped.as_bytes()), escaped);
        }
    }
}

//! A message as one JSON object in one line.
//!
//! JSON itself escapes the control characters of ASCII. The others that must not reach a terminal raw are written as
//! `\u202e` here, which every reader of JSON undoes.

use std::borrow::Cow;
use std::io::{self, Write};

use serde::{Serialize, Serializer};
use serde_json::ser::Formatter;

use crate::escape::{is_unsafe, unescape};
use crate::history::record::{Format, Record, Writer, show_time};
use crate::history::{Kind, Line, parse};

/// What one line of JSON says.
#[derive(Debug, Clone, Serialize)]
pub struct Message<'a> {
    /// RFC 3339, UTC; null where the file has none.
    #[serde(serialize_with = "rfc3339")]
    pub time: Option<u64>,
    /// `sent`, `received`, `note` or `other`.
    pub direction: &'static str,
    /// The other side; null for notes.
    pub address: Option<&'a str>,
    /// Its port.
    pub port: Option<u16>,
    /// The text, as it was sent; what was no UTF-8 is U+FFFD.
    pub text: Cow<'a, str>,
}

impl<'a> Message<'a> {
    /// What this line says.
    #[must_use]
    pub fn of(line: &Line<'a>) -> Self {
        let text = match line.kind {
            Kind::Other => String::from_utf8_lossy(line.text),
            _ => Cow::Owned(String::from_utf8_lossy(&unescape(line.text)).into_owned()),
        };
        Self {
            time: line.time,
            direction: match line.kind {
                Kind::Sent => "sent",
                Kind::Received => "received",
                Kind::Note => "note",
                Kind::Other => "other",
            },
            address: line.peer.map(|peer| peer.host),
            port: line.peer.map(|peer| peer.port),
            text,
        }
    }
}

/// Writes the object and a newline.
///
/// # Errors
/// Writing failed.
pub fn write(message: &Message<'_>, out: &mut impl Write) -> io::Result<()> {
    let mut serializer = serde_json::Serializer::with_formatter(&mut *out, Careful);
    message.serialize(&mut serializer)?;
    out.write_all(b"\n")
}

/// As [`write()`], for a record that has just come about.
///
/// # Errors
/// Writing failed.
pub fn write_record(record: &Record, out: &mut impl Write) -> io::Result<()> {
    let mut line = Vec::new();
    Writer::new(Format::Timed).write(record, &mut line);
    line.pop();
    write(&Message::of(&parse(&line)), out)
}

fn rfc3339<S: Serializer>(time: &Option<u64>, serializer: S) -> Result<S::Ok, S::Error> {
    time.map(show_time).serialize(serializer)
}

/// JSON as short as can be, with every character escaped that must not be shown.
struct Careful;

impl Formatter for Careful {
    fn write_string_fragment<W: ?Sized + Write>(&mut self, out: &mut W, fragment: &str) -> io::Result<()> {
        let mut rest = fragment;
        while let Some(at) = rest.find(is_unsafe) {
            let (before, from) = rest.split_at(at);
            out.write_all(before.as_bytes())?;
            let mut characters = from.chars();
            // none of them is beyond U+FFFF
            if let Some(c) = characters.next() {
                write!(out, "\\u{:04x}", u32::from(c))?;
            }
            rest = characters.as_str();
        }
        out.write_all(rest.as_bytes())
    }
}

//! What the history keeps, and how it is written: one line a record. Reading it is the business of
//! [`line`](super::line).
//!
//! ```text
//! 2026-11-20T21:45:03.123Z <<<(192.168.1.5, 7890):hello
//! 2026-11-20T21:45:04.001Z >>>('192.168.1.5', 7890):hi
//! 2026-11-20T21:45:04.001Z # not delivered to 192.168.1.5:7890
//! ```
//!
//! `<<<` was sent, `>>>` was received, `#` is a note of the program's own. After the time, this is what the Python
//! program writes that this one grew from; the text is [escaped](crate::escape), so that no message can contain a
//! second record. Times are UTC, so that they sort and do not jump twice a year.
//!
//! **What it costs.** The date and time are made once a second; a record is a few copies.

use std::io::Write;
use std::net::SocketAddr;
use std::time::{SystemTime, UNIX_EPOCH};

use chrono::DateTime;

use crate::escape::escape_into;

/// The last millisecond that has a year of four digits.
const TIME_MAX: u64 = 253_402_300_799_999;

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Milliseconds since the beginning of 1970, UTC.
    pub time: u64,
    /// What it was.
    pub what: What,
}

/// What a record tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum What {
    /// This was sent to that address.
    Sent(SocketAddr, Vec<u8>),
    /// This came from that address.
    Received(SocketAddr, Vec<u8>),
    /// A note of the program's own, without the `# ` in front.
    Note(String),
}

/// How a record is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Format {
    /// With the time in front.
    #[default]
    Timed,
    /// Without, exactly as the Python program writes it (but escaped).
    Classic,
}

/// The clock that records carry: milliseconds since the beginning of 1970, UTC.
#[must_use]
pub fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(TIME_MAX)
}

/// A time as records show it: `2026-11-20T21:45:03.123Z`.
#[must_use]
pub fn show_time(time: u64) -> String {
    let mut out = Vec::new();
    Writer::new(Format::Timed).time(time, &mut out);
    String::from_utf8_lossy(&out).trim_end().to_owned()
}

/// Turns records into lines.
#[derive(Debug)]
pub struct Writer {
    format: Format,
    /// The second that `text` is, in seconds since 1970.
    second: Option<u64>,
    /// `2026-11-20T21:45:03`.
    text: String,
}

impl Writer {
    /// A writer of this format.
    #[must_use]
    pub fn new(format: Format) -> Self {
        Self { format, second: None, text: String::new() }
    }

    /// Appends the record's line, with the newline at its end.
    pub fn write(&mut self, record: &Record, out: &mut Vec<u8>) {
        if self.format == Format::Timed {
            self.time(record.time, out);
        }
        match &record.what {
            What::Sent(to, text) => {
                out.extend_from_slice(b"<<<(");
                address(*to, out);
                let _ = write!(out, ", {}):", to.port());
                escape_into(text, out);
            }
            What::Received(from, text) => {
                out.extend_from_slice(b">>>('");
                address(*from, out);
                let _ = write!(out, "', {}):", from.port());
                escape_into(text, out);
            }
            What::Note(text) => {
                out.extend_from_slice(b"# ");
                escape_into(text.as_bytes(), out);
            }
        }
        out.push(b'\n');
    }

    fn time(&mut self, time: u64, out: &mut Vec<u8>) {
        let time = time.min(TIME_MAX);
        let second = time / 1000;
        if self.second != Some(second) {
            let date = i64::try_from(second).ok().and_then(|second| DateTime::from_timestamp(second, 0));
            self.text = date.unwrap_or_default().format("%Y-%m-%dT%H:%M:%S").to_string();
            self.second = Some(second);
        }
        out.extend_from_slice(self.text.as_bytes());
        // three digits of a number below 1000: always below 256 + '0'
        let digit = |number: u64| b'0' + (number % 10) as u8;
        let millis = time % 1000;
        out.extend_from_slice(&[b'.', digit(millis / 100), digit(millis / 10), digit(millis), b'Z', b' ']);
    }
}

/// The address without its port, as short as can be: `192.168.1.5` also where IPv6 wraps it, `fe80::1%4` with the
/// interface that a link-local one needs.
fn address(address: SocketAddr, out: &mut Vec<u8>) {
    // writing to memory does not fail
    let _ = match (address.ip().to_canonical(), address) {
        (ip, SocketAddr::V6(v6)) if ip.is_ipv6() && v6.scope_id() != 0 => {
            write!(out, "{ip}%{}", v6.scope_id())
        }
        (ip, _) => write!(out, "{ip}"),
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(format: Format, time: u64, what: What) -> String {
        let mut out = Vec::new();
        Writer::new(format).write(&Record { time, what }, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn records_are_written_as_the_python_program_does() {
        let peer = "192.168.1.5:7890".parse().unwrap();
        let sent = What::Sent(peer, b"hello".to_vec());
        let received = What::Received(peer, b"hi\n".to_vec());
        assert_eq!(
            line(Format::Timed, 1_795_211_103_123, sent.clone()),
            "2026-11-20T21:45:03.123Z <<<(192.168.1.5, 7890):hello\n"
        );
        assert_eq!(line(Format::Classic, 0, sent), "<<<(192.168.1.5, 7890):hello\n");
        assert_eq!(line(Format::Classic, 0, received), ">>>('192.168.1.5', 7890):hi\\n\n");
        assert_eq!(
            line(Format::Timed, 5, What::Note("a\u{1b}".into())),
            "1970-01-01T00:00:00.005Z # a\\x1b\n"
        );
    }

    #[test]
    fn addresses_are_short() {
        let sent = |address: &str| line(Format::Classic, 0, What::Sent(address.parse().unwrap(), vec![]));
        assert_eq!(sent("[::1]:7890"), "<<<(::1, 7890):\n");
        assert_eq!(sent("[fe80::1%4]:7890"), "<<<(fe80::1%4, 7890):\n");
        assert_eq!(sent("[::ffff:10.0.0.1]:7890"), "<<<(10.0.0.1, 7890):\n");
    }

    #[test]
    fn the_remembered_second_is_the_right_one() {
        let mut writer = Writer::new(Format::Timed);
        let mut out = Vec::new();
        for time in [999, 1000, 1999, 500, u64::MAX] {
            writer.write(&Record { time, what: What::Note(String::new()) }, &mut out);
        }
        let text = String::from_utf8(out).unwrap();
        let seconds: Vec<&str> = text.lines().map(|line| &line[17..23]).collect();
        assert_eq!(seconds, ["00.999", "01.000", "01.999", "00.500", "59.999"]);
        assert!(text.ends_with("9999-12-31T23:59:59.999Z # \n"));
        assert_eq!(show_time(0), "1970-01-01T00:00:00.000Z");
    }
}

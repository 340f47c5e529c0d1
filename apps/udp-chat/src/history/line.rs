//! A line of a history file, taken apart. Total: every line is something, whatever bytes it holds.
//!
//! A file may hold what this program wrote, what the Python program wrote (no time, nothing escaped, a message of two
//! lines is two lines), what two programs wrote at the same time, and what was left by a crash. What has none of the
//! three forms of a record is [`Kind::Other`] and shown as it stands.
//!
//! **Where it breaks.** The Python program does not escape: a message in its file may look like a record, or hold a
//! backslash that reads as an escape. Nothing in such a file tells the difference.

use std::net::IpAddr;

use chrono::NaiveDate;

/// One line, without its newline.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Line<'a> {
    /// Milliseconds since the beginning of 1970, UTC; lines of the Python program have none.
    pub time: Option<u64>,
    /// What it is.
    pub kind: Kind,
    /// Whom it was sent to or received from.
    pub peer: Option<Peer<'a>>,
    /// The text, still escaped; of [`Kind::Other`] all that stands after the time.
    pub text: &'a [u8],
}

/// What a line is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A message that was sent.
    Sent,
    /// A message that came in.
    Received,
    /// A note of the program's own.
    Note,
    /// None of these: the second line of a message that the Python program wrote, or the rest after a crash.
    Other,
}

/// The other side, as the line names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Peer<'a> {
    /// An IP address, perhaps with `%` and an interface; or a name, because the Python program writes down what was
    /// typed.
    pub host: &'a str,
    /// The port.
    pub port: u16,
}

impl Peer<'_> {
    /// The address, without the interface; `None` if a name was written down.
    #[must_use]
    pub fn ip(&self) -> Option<IpAddr> {
        let address = self.host.split_once('%').map_or(self.host, |(address, _)| address);
        address.parse().ok().map(|ip: IpAddr| ip.to_canonical())
    }
}

/// Takes a line apart.
#[must_use]
pub fn parse(line: &[u8]) -> Line<'_> {
    let (time, rest) = match leading_time(line) {
        Some(time) => (Some(time), &line[TIME_WIDTH..]),
        None => (None, line),
    };
    let message = |kind, head: &[u8], quote: &[u8]| {
        let (peer, text) = peer(rest.strip_prefix(head)?, quote)?;
        Some(Line { time, kind, peer: Some(peer), text })
    };
    message(Kind::Sent, b"<<<(", b"")
        .or_else(|| message(Kind::Received, b">>>('", b"'"))
        .or_else(|| {
            let text = rest.strip_prefix(b"# ")?;
            Some(Line { time, kind: Kind::Note, peer: None, text })
        })
        .unwrap_or(Line { time, kind: Kind::Other, peer: None, text: rest })
}

/// How long `2026-11-20T21:45:03.123Z ` is.
const TIME_WIDTH: usize = 25;

fn leading_time(line: &[u8]) -> Option<u64> {
    let time = line.get(..TIME_WIDTH)?;
    let fixed =
        [(4, b'-'), (7, b'-'), (10, b'T'), (13, b':'), (16, b':'), (19, b'.'), (23, b'Z'), (24, b' ')];
    if fixed.iter().any(|(at, byte)| time[*at] != *byte) {
        return None;
    }
    let part = |from: usize, to: usize| number(&time[from..to]);
    let date = NaiveDate::from_ymd_opt(i32::try_from(part(0, 4)?).ok()?, part(5, 7)?, part(8, 10)?)?;
    let moment = date.and_hms_milli_opt(part(11, 13)?, part(14, 16)?, part(17, 19)?, part(20, 23)?)?;
    u64::try_from(moment.and_utc().timestamp_millis()).ok()
}

/// `192.168.1.5', 7890):hi`, where the quote may be nothing: the peer, and the text behind it.
fn peer<'a>(rest: &'a [u8], quote: &[u8]) -> Option<(Peer<'a>, &'a [u8])> {
    let in_host = |byte: &u8| byte.is_ascii_alphanumeric() || b".:%-_".contains(byte);
    let width = rest.iter().take_while(|byte| in_host(byte)).count();
    let (host, rest) = rest.split_at(width);
    let rest = rest.strip_prefix(quote)?.strip_prefix(b", ")?;
    let (port, rest) = rest.split_at(rest.iter().take_while(|byte| byte.is_ascii_digit()).count());
    let host = std::str::from_utf8(host).ok().filter(|host| (1..256).contains(&host.len()))?;
    let port = u16::try_from(number(port)?).ok()?;
    Some((Peer { host, port }, rest.strip_prefix(b"):")?))
}

/// One to five digits and nothing else.
fn number(digits: &[u8]) -> Option<u32> {
    if digits.is_empty() || digits.len() > 5 {
        return None;
    }
    digits.iter().try_fold(0, |number, digit| Some(number * 10 + char::from(*digit).to_digit(10)?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::escape::unescape;
    use crate::history::record::{Format, Record, What, Writer};
    use proptest::prelude::*;
    use std::net::SocketAddr;

    #[test]
    fn lines_of_both_programs() {
        let line = parse(b"2026-11-20T21:45:03.123Z >>>('192.168.1.5', 7890):hi");
        assert_eq!((line.time, line.kind, line.text), (Some(1_795_211_103_123), Kind::Received, &b"hi"[..]));
        assert_eq!(line.peer, Some(Peer { host: "192.168.1.5", port: 7890 }));
        let line = parse(b"<<<(localhost, 7891):x):y");
        assert_eq!((line.time, line.kind, line.text), (None, Kind::Sent, &b"x):y"[..]));
        assert_eq!(line.peer.unwrap().ip(), None);
        assert_eq!(parse(b"<<<(fe80::1%4, 1):").peer.unwrap().ip(), Some("fe80::1".parse().unwrap()));
        assert_eq!(parse(b"# gap: 3 messages not saved").kind, Kind::Note);
    }

    #[test]
    fn what_is_not_a_record_is_other() {
        for line in [
            "",
            "second line",
            ">>>('1.2.3.4', 70000):x",
            ">>>('1.2.3.4', 000001):x",
            ">>>(1.2.3.4, 1):x",
            "<<<('1.2.3.4', 1):x",
            "<<<(, 1):x",
            "<<<(1.2.3.4, 1)",
            " # torn",
        ] {
            assert_eq!(
                parse(line.as_bytes()),
                Line { time: None, kind: Kind::Other, peer: None, text: line.as_bytes() }
            );
        }
        let torn = parse(b"2026-11-20T21:45:03.123Z <<<(192. # torn");
        assert_eq!((torn.kind, torn.time.is_some(), torn.text), (Kind::Other, true, &b"<<<(192. # torn"[..]));
        for time in ["2026-02-30T00:00:00.000Z ", "2026-01-01T24:00:00.000Z ", "1969-01-01T00:00:00.000Z "] {
            assert_eq!(parse(time.as_bytes()).time, None);
        }
    }

    fn what() -> impl Strategy<Value = What> {
        prop_oneof![
            (any::<SocketAddr>(), any::<Vec<u8>>()).prop_map(|(to, text)| What::Sent(to, text)),
            (any::<SocketAddr>(), any::<Vec<u8>>()).prop_map(|(from, text)| What::Received(from, text)),
            any::<String>().prop_map(What::Note),
        ]
    }

    proptest! {
        #[test]
        fn what_was_written_can_be_read(what in what(), time in 0..4_000_000_000_000u64, classic: bool) {
            let format = if classic { Format::Classic } else { Format::Timed };
            let mut out = Vec::new();
            Writer::new(format).write(&Record { time, what: what.clone() }, &mut out);
            let text = std::str::from_utf8(&out).unwrap();
            prop_assert_eq!(text.matches(crate::escape::is_unsafe).collect::<Vec<_>>(), ["\n"]);

            let line = parse(text.trim_end_matches('\n').as_bytes());
            prop_assert_eq!(line.time, if classic { None } else { Some(time) });
            let (kind, peer, bytes) = match what {
                What::Sent(to, text) => (Kind::Sent, Some(to), text),
                What::Received(from, text) => (Kind::Received, Some(from), text),
                What::Note(text) => (Kind::Note, None, text.into_bytes()),
            };
            prop_assert_eq!(line.kind, kind);
            prop_assert_eq!(line.peer.map(|peer| peer.port), peer.map(|peer| peer.port()));
            prop_assert_eq!(line.peer.and_then(|peer| peer.ip()), peer.map(|peer| peer.ip().to_canonical()));
            prop_assert_eq!(unescape(line.text), bytes);
        }

        #[test]
        fn every_line_is_something(line: Vec<u8>, head in "(2026-11-20T21:45:0[0-9].123Z )?[<>]{3}\\('?[0-9.]{0,9}'?, [0-9]{0,6}\\):?") {
            let _ = parse(&line);
            let _ = parse(&[head.as_bytes(), &line].concat());
        }
    }
}

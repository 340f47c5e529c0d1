//! Which lines somebody wants to see.
//!
//! **How a text is found.** The file holds texts in their escaped form, and may hold raw ones by the Python program. The
//! longest piece of the text that looks the same in both is searched for in whole blocks, which is quick; where it
//! hits, the line's text is unescaped and looked at properly. So `new` is not found in a message that has a line break
//! before `ew`, although the file then holds `\new`.

use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;

use memchr::memmem::Finder;

use crate::escape::{is_unsafe, unescape};
use crate::history::line::{Line, Peer, parse};

/// Which lines somebody wants to see; the default is all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Query {
    /// Not older than this, in milliseconds since 1970; lines without a time are left out.
    pub since: Option<u64>,
    /// Sent to or received from there.
    pub peer: Option<Who>,
    /// With this in the text, to the letter.
    pub text: Option<String>,
}

/// An address, with any port or with this one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Who {
    /// The address.
    pub ip: IpAddr,
    /// The port; `None`: any.
    pub port: Option<u16>,
}

impl FromStr for Who {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
        if let Ok(ip) = bare.parse() {
            return Ok(Self { ip, port: None });
        }
        match text.parse::<SocketAddr>() {
            Ok(address) => Ok(Self { ip: address.ip(), port: Some(address.port()) }),
            Err(_) => {
                Err("expected an address, for example 192.168.1.5, 192.168.1.5:7890 or [::1]:7890".to_owned())
            }
        }
    }
}

impl Who {
    fn is(self, peer: &Peer<'_>) -> bool {
        self.port.is_none_or(|port| port == peer.port) && peer.ip() == Some(self.ip.to_canonical())
    }
}

/// A query, ready to be asked many times.
pub(super) struct Matcher<'q> {
    query: &'q Query,
    text: Option<Finder<'q>>,
    piece: Option<Finder<'q>>,
}

impl<'q> Matcher<'q> {
    pub(super) fn new(query: &'q Query) -> Self {
        let text = query.text.as_deref().filter(|text| !text.is_empty());
        let piece = text.map(plain_piece).filter(|piece| !piece.is_empty());
        Self { query, text: text.map(Finder::new), piece: piece.map(Finder::new) }
    }

    /// What every line that matches contains, if there is such a thing.
    pub(super) fn piece(&self) -> Option<&Finder<'q>> {
        self.piece.as_ref()
    }

    /// The line, taken apart, if it matches. An empty line never does.
    pub(super) fn line<'a>(&self, line: &'a [u8]) -> Option<Line<'a>> {
        if line.is_empty() || self.piece.as_ref().is_some_and(|piece| piece.find(line).is_none()) {
            return None;
        }
        let parsed = parse(line);
        let recent = self.query.since.is_none_or(|since| parsed.time.is_some_and(|time| time >= since));
        let theirs =
            || self.query.peer.is_none_or(|who| parsed.peer.as_ref().is_some_and(|peer| who.is(peer)));
        let says = || self.text.as_ref().is_none_or(|text| says(&parsed, text));
        (recent && theirs() && says()).then_some(parsed)
    }
}

/// Whether the line's text contains this. A line without a time may be the Python program's, which does not escape.
fn says(line: &Line<'_>, text: &Finder<'_>) -> bool {
    let raw = || text.find(line.text).is_some();
    match memchr::memchr(b'\\', line.text) {
        None => raw(),
        Some(_) => text.find(&unescape(line.text)).is_some() || (line.time.is_none() && raw()),
    }
}

/// The longest piece that is the same escaped and raw.
fn plain_piece(text: &str) -> &str {
    text.split(|c| c == '\\' || is_unsafe(c)).max_by_key(|piece| piece.len()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(line: &str, query: &Query) -> bool {
        Matcher::new(query).line(line.as_bytes()).is_some()
    }

    #[test]
    fn texts_are_found_as_they_were_typed() {
        let text = |text: &str| Query { text: Some(text.into()), ..Query::default() };
        let timed = r"2026-11-20T21:45:03.123Z <<<(::1, 7890):a\new C:\\new\u{202e}\";
        for found in ["", "a\new", r"C:\new", "\u{202e}", r"\", "ew C", "\n", r"new\", r":\"] {
            // the last but one is not there: a mark stands between
            assert_eq!(matches(timed, &text(found)), found != r"new\", "{found}");
        }
        for absent in ["a\\n", "anew", "7890", "<<<", "202e", "2026"] {
            assert!(!matches(timed, &text(absent)), "{absent}");
        }
        assert!(matches(r">>>('1.2.3.4', 5):C:\new", &text(r"C:\new")));
        assert!(matches("second line", &text("second")));
    }

    #[test]
    fn peers_and_times() {
        let peer = |who: &str| Query { peer: Some(who.parse().unwrap()), ..Query::default() };
        let line = "2026-11-20T21:45:03.123Z >>>('192.168.1.5', 7890):hi";
        assert!(matches(line, &peer("192.168.1.5")));
        assert!(matches(line, &peer("192.168.1.5:7890")));
        assert!(matches(line, &peer("::ffff:192.168.1.5")));
        assert!(!matches(line, &peer("192.168.1.5:7891")));
        assert!(!matches("# not delivered to 192.168.1.5:7890", &peer("192.168.1.5")));
        assert!(matches("<<<(fe80::1%4, 1):x", &peer("fe80::1")));
        assert!(matches("<<<(fe80::1%4, 1):x", &peer("[fe80::1%4]:1")));
        assert!("192.168.1".parse::<Who>().unwrap_err().contains("192.168.1.5:7890"));
        let since = |time| Query { since: Some(time), ..Query::default() };
        assert!(matches(line, &since(1_795_211_103_123)));
        assert!(!matches(line, &since(1_795_211_103_124)));
        assert!(!matches("<<<(::1, 7890):no time", &since(0)));
    }
}

//! Where a reply ends.
//!
//! How: an [`Expect`] is what the user said, a [`Framer`] is where one connection stands in the present reply. It is fed
//! what came, in pieces of any size, and says how many of these bytes still belong to the reply. It keeps no reply, only
//! what a delimiter needs that lies across two pieces. Cost: one search through the bytes (`memchr`), or none where a
//! length is known. Where it breaks: a reply whose end only its meaning tells (HTTP with its headers) has no framing
//! here; and one of more than [`REPLY_MAX`] is taken for one that never ends.

use std::fmt;

use memchr::{memchr, memmem};

use super::Wrong;
use super::message::{escaped, unescape};
use super::resp::Resp;

/// The longest reply.
pub const REPLY_MAX: usize = 64 << 20;
/// The longest delimiter or marker.
const DELIMITER_MAX: usize = 4096;

/// Where a reply ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Expect {
    /// It is the message itself.
    Echo,
    /// After so many bytes.
    Bytes(usize),
    /// With a line feed.
    Line,
    /// With these bytes, and nothing follows them before the next reply.
    Delimiter(Vec<u8>),
    /// After as many bytes as a number in front of them says.
    Prefix(Prefix),
    /// As soon as these bytes were seen; whatever follows until they are seen again is skipped.
    Marker(Vec<u8>),
    /// As the Redis protocol says.
    Resp,
    /// When the server closes the connection.
    Close,
}

/// The number in front of a reply: how many bytes follow it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Prefix {
    /// One byte.
    U8,
    /// Two bytes, the most significant first.
    U16Be,
    /// Two bytes, the least significant first.
    U16Le,
    /// Four bytes, the most significant first.
    U32Be,
    /// Four bytes, the least significant first.
    U32Le,
}

impl Prefix {
    const ALL: [(Self, &str); 5] = [
        (Self::U8, "u8"),
        (Self::U16Be, "u16be"),
        (Self::U16Le, "u16le"),
        (Self::U32Be, "u32be"),
        (Self::U32Le, "u32le"),
    ];

    /// Bytes of the number itself.
    fn length(self) -> usize {
        match self {
            Self::U8 => 1,
            Self::U16Be | Self::U16Le => 2,
            Self::U32Be | Self::U32Le => 4,
        }
    }

    fn value(self, header: [u8; 4]) -> usize {
        let [a, b, c, d] = header;
        match self {
            Self::U8 => usize::from(a),
            Self::U16Be => usize::from(u16::from_be_bytes([a, b])),
            Self::U16Le => usize::from(u16::from_le_bytes([a, b])),
            Self::U32Be => u32::from_be_bytes([a, b, c, d]) as usize,
            Self::U32Le => u32::from_le_bytes([a, b, c, d]) as usize,
        }
    }
}

impl Expect {
    /// Reads `line`, `bytes:100`, `delim:END`, ...; `escapes`: backslashes mean something.
    ///
    /// # Errors
    /// What is wrong with it, as a part of a sentence.
    pub fn parse(text: &str, escapes: bool) -> Result<Self, String> {
        let (name, value) = text.split_once(':').map_or((text, None), |(name, value)| (name, Some(value)));
        let delimiter = |value: &str| match unescape(value, escapes)? {
            bytes if bytes.is_empty() => Err(format!("{name}: needs some bytes, {name}:END")),
            bytes if bytes.len() > DELIMITER_MAX => Err(format!("at most {DELIMITER_MAX} bytes end a reply")),
            bytes => Ok(bytes),
        };
        match (name, value) {
            ("echo", None) => Ok(Self::Echo),
            ("line", None) => Ok(Self::Line),
            ("resp", None) => Ok(Self::Resp),
            ("close", None) => Ok(Self::Close),
            ("bytes", Some(value)) => match common::units::size(value)? {
                count @ 1.. if count <= REPLY_MAX as u64 => Ok(Self::Bytes(count as usize)),
                _ => Err(format!("a reply has from 1 B to {} MiB", REPLY_MAX >> 20)),
            },
            ("delim", Some(value)) => delimiter(value).map(Self::Delimiter),
            ("marker", Some(value)) => delimiter(value).map(Self::Marker),
            ("prefix", Some(value)) => match Prefix::ALL.iter().find(|(_, name)| *name == value) {
                Some((prefix, _)) => Ok(Self::Prefix(*prefix)),
                None => Err("the number in front is one of u8, u16be, u16le, u32be, u32le".to_owned()),
            },
            _ => {
                Err("write echo, bytes:N, line, delim:STR, prefix:u32be, marker:STR, resp or close"
                    .to_owned())
            }
        }
    }

    /// Where a reply ends, as the rest of "replies end …".
    #[must_use]
    pub fn words(&self) -> String {
        match self {
            Self::Echo => "echo them".to_owned(),
            Self::Bytes(count) => format!("end after {}", common::units::show_size(*count as u64)),
            Self::Line => "end with a line".to_owned(),
            Self::Delimiter(bytes) => format!("end with \"{}\"", escaped(bytes)),
            Self::Prefix(prefix) => format!("have their length in front ({})", prefix.name()),
            Self::Marker(bytes) => format!("have come when \"{}\" is seen", escaped(bytes)),
            Self::Resp => "end as the Redis protocol says".to_owned(),
            Self::Close => "end with the connection".to_owned(),
        }
    }

    /// The part of a whole reply that is compared: without the length in front and the delimiter at the end.
    #[must_use]
    pub fn content<'a>(&self, reply: &'a [u8]) -> &'a [u8] {
        match self {
            Self::Line | Self::Resp => {
                let line = reply.strip_suffix(b"\n").unwrap_or(reply);
                line.strip_suffix(b"\r").unwrap_or(line)
            }
            Self::Delimiter(end) => reply.strip_suffix(end.as_slice()).unwrap_or(reply),
            Self::Prefix(prefix) => reply.get(prefix.length()..).unwrap_or_default(),
            Self::Echo | Self::Bytes(_) | Self::Marker(_) | Self::Close => reply,
        }
    }
}

impl Prefix {
    fn name(self) -> &'static str {
        Self::ALL.iter().find(|(prefix, _)| *prefix == self).map_or("", |(_, name)| name)
    }
}

impl fmt::Display for Expect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Echo => f.write_str("echo"),
            Self::Bytes(count) => write!(f, "bytes:{count}"),
            Self::Line => f.write_str("line"),
            Self::Delimiter(bytes) => write!(f, "delim:{}", escaped(bytes)),
            Self::Prefix(prefix) => write!(f, "prefix:{}", prefix.name()),
            Self::Marker(bytes) => write!(f, "marker:{}", escaped(bytes)),
            Self::Resp => f.write_str("resp"),
            Self::Close => f.write_str("close"),
        }
    }
}

/// What the bytes that were fed are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// The reply ends after so many of them.
    Complete(usize),
    /// All of them belong to it, and it goes on.
    More,
}

/// Where a connection stands in the present reply.
#[derive(Debug, Default)]
pub struct Framer {
    /// Bytes of the reply so far.
    seen: usize,
    /// The number in front of it, as far as it has come.
    header: [u8; 4],
    /// The end of the last piece, which may be the beginning of a delimiter.
    tail: Vec<u8>,
    resp: Resp,
}

impl Framer {
    /// The next bytes are the beginning of a reply.
    pub fn restart(&mut self) {
        self.seen = 0;
        self.tail.clear();
        self.resp = Resp::default();
    }

    /// What came belongs to no reply, but for the beginning of a marker.
    pub fn forget_length(&mut self) {
        self.seen = 0;
    }

    /// Bytes of the present reply so far.
    #[must_use]
    pub fn seen(&self) -> usize {
        self.seen
    }

    /// Looks at the next bytes of a reply. After [`Progress::Complete`] the next bytes begin another one.
    ///
    /// # Errors
    /// This cannot be a reply, or never ends.
    pub fn feed(&mut self, expect: &Expect, bytes: &[u8]) -> Result<Progress, Wrong> {
        let end = match expect {
            // what an echo must be is known, so its end is no question; see `Framed`
            Expect::Echo | Expect::Close => None,
            Expect::Bytes(count) => self.known(*count, bytes),
            Expect::Line => memchr(b'\n', bytes).map(|at| at + 1),
            Expect::Delimiter(end) | Expect::Marker(end) => self.find(end, bytes),
            Expect::Prefix(prefix) => self.counted(*prefix, bytes)?,
            Expect::Resp => self.resp.feed(bytes)?,
        };
        match end {
            Some(end) if self.seen + end > REPLY_MAX => Err(Wrong::TooLong),
            None if self.seen + bytes.len() > REPLY_MAX => Err(Wrong::TooLong),
            Some(end) => {
                self.restart();
                Ok(Progress::Complete(end))
            }
            None => {
                self.seen += bytes.len();
                Ok(Progress::More)
            }
        }
    }

    /// The end of a reply of `length` bytes.
    fn known(&self, length: usize, bytes: &[u8]) -> Option<usize> {
        let left = length.saturating_sub(self.seen);
        (left <= bytes.len()).then_some(left)
    }

    fn counted(&mut self, prefix: Prefix, bytes: &[u8]) -> Result<Option<usize>, Wrong> {
        let (have, need) = (self.seen.min(prefix.length()), prefix.length());
        let fresh = bytes.len().min(need - have);
        self.header[have..have + fresh].copy_from_slice(&bytes[..fresh]);
        if have + fresh < need {
            return Ok(None);
        }
        let length = need + prefix.value(self.header);
        if length > REPLY_MAX { Err(Wrong::TooLong) } else { Ok(self.known(length, bytes)) }
    }

    /// The end of the first `end` that ends in these bytes, wherever it began.
    fn find(&mut self, end: &[u8], bytes: &[u8]) -> Option<usize> {
        if !self.tail.is_empty() {
            let across = bytes.len().min(end.len() - 1);
            let old = self.tail.len();
            self.tail.extend_from_slice(&bytes[..across]);
            let found = memmem::find(&self.tail, end).map(|at| at + end.len() - old);
            self.tail.truncate(old);
            if found.is_some() {
                return found;
            }
        }
        let found = memmem::find(bytes, end).map(|at| at + end.len());
        if found.is_none() {
            // what may be the beginning of it: one byte less than all
            self.tail.extend_from_slice(&bytes[bytes.len().saturating_sub(end.len() - 1)..]);
            let surplus = self.tail.len().saturating_sub(end.len() - 1);
            self.tail.drain(..surplus);
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Feeds the pieces of a stream, and returns the replies that were found and what is left.
    fn replies(expect: &Expect, wire: &[u8], cuts: &[usize]) -> (Vec<Vec<u8>>, Vec<u8>) {
        let (mut framer, mut found, mut reply) = (Framer::default(), Vec::new(), Vec::new());
        let (mut cuts, mut wire) = (cuts.iter().cycle(), wire);
        while !wire.is_empty() {
            let (mut piece, later) = wire.split_at((*cuts.next().unwrap()).min(wire.len()));
            wire = later;
            while !piece.is_empty() {
                match framer.feed(expect, piece).unwrap() {
                    Progress::Complete(end) => {
                        reply.extend_from_slice(&piece[..end]);
                        found.push(std::mem::take(&mut reply));
                        piece = &piece[end..];
                    }
                    Progress::More => {
                        reply.extend_from_slice(piece);
                        assert_eq!(framer.seen(), reply.len());
                        piece = &[];
                    }
                }
            }
        }
        (found, reply)
    }

    #[test]
    fn what_was_written_is_shown_as_it_was_written() {
        for text in ["echo", "bytes:7", "line", r"delim:\r\n", "prefix:u16le", "marker:END", "resp", "close"]
        {
            assert_eq!(Expect::parse(text, true).unwrap().to_string(), text);
        }
        for wrong in
            ["", "bytes", "bytes:0", "bytes:65MiB", "line:3", "delim:", "prefix:u64", "frob", "bytes:x"]
        {
            assert!(Expect::parse(wrong, true).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_reply_that_never_ends_is_wrong() {
        let mut framer = Framer::default();
        let piece = vec![b'a'; 1 << 20];
        for _ in 0..64 {
            assert_eq!(framer.feed(&Expect::Line, &piece), Ok(Progress::More));
        }
        assert_eq!(framer.feed(&Expect::Line, b"a"), Err(Wrong::TooLong));
        let mut framer = Framer::default();
        assert_eq!(framer.feed(&Expect::Prefix(Prefix::U32Be), b"\xff\0\0\0"), Err(Wrong::TooLong));
    }

    #[test]
    fn a_delimiter_may_lie_across_pieces_and_overlap_itself() {
        let end = Expect::Delimiter(b"aab".to_vec());
        for cut in 1..8 {
            assert_eq!(replies(&end, b"aaabxaab", &[cut]).0, [b"aaab".to_vec(), b"xaab".to_vec()], "{cut}");
        }
    }

    /// Replies as each framing has them.
    fn framed(which: usize, body: &[u8]) -> Vec<u8> {
        let length = body.len();
        match which {
            0 => [body.iter().copied().filter(|b| *b != b'\n').collect(), b"\r\n".to_vec()].concat(),
            1 => [body.iter().copied().filter(|b| *b != b'D').collect(), b"END\r\n".to_vec()].concat(),
            2 => [vec![length as u8], body.to_vec()].concat(),
            3 => [(length as u16).to_le_bytes().to_vec(), body.to_vec()].concat(),
            4 => [(length as u32).to_be_bytes().to_vec(), body.to_vec()].concat(),
            5 => [vec![b'.'; 13]].concat(),
            6 => [format!("${length}\r\n").into_bytes(), body.to_vec(), b"\r\n".to_vec()].concat(),
            _ => [format!("*2\r\n:7\r\n*1\r\n${length}\r\n").into_bytes(), body.to_vec(), b"\r\n".to_vec()]
                .concat(),
        }
    }

    const FRAMINGS: [&str; 8] =
        ["line", r"delim:END\r\n", "prefix:u8", "prefix:u16le", "prefix:u32be", "bytes:13", "resp", "resp"];

    proptest! {
        #[test]
        fn any_chunking_gives_the_same_replies(
            which in 0_usize..8,
            bodies in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..60), 1..8),
            cuts in prop::collection::vec(1_usize..40, 1..10),
        ) {
            let expect = Expect::parse(FRAMINGS[which], true).unwrap();
            let sent: Vec<Vec<u8>> = bodies.iter().map(|body| framed(which, body)).collect();
            let (found, rest) = replies(&expect, &sent.concat(), &cuts);
            prop_assert_eq!(found, sent);
            prop_assert!(rest.is_empty());
        }

        #[test]
        fn a_delimiter_is_found_where_a_plain_search_finds_it(
            wire in prop::collection::vec(0_u8..3, 0..60),
            end in prop::collection::vec(0_u8..3, 1..5),
            cuts in prop::collection::vec(1_usize..6, 1..10),
        ) {
            let (mut expected, mut rest) = (Vec::new(), wire.as_slice());
            while let Some(at) = rest.windows(end.len()).position(|window| window == end) {
                expected.push(rest[..at + end.len()].to_vec());
                rest = &rest[at + end.len()..];
            }
            let (found, left) = replies(&Expect::Delimiter(end), &wire, &cuts);
            prop_assert_eq!(found, expected);
            prop_assert_eq!(left, rest);
        }
    }
}

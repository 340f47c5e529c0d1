//! What a reply must be.
//!
//! How: exactly these bytes, or bytes in which a regular expression is found. What is compared is the content of a reply,
//! [`super::framing::Expect::content`]: without its line end, delimiter or length. Where it breaks: only the first
//! [`COMPARED_MAX`] of a reply are looked at; the rest is counted, so another length is noticed all the same.

use regex::bytes::{Regex, RegexBuilder};

use super::framing::Expect;
use super::message::{escaped, shown, unescape};

/// How much of a reply is kept to be looked at: all of it, for anything that a person writes down.
pub const COMPARED_MAX: usize = 64 << 10;

/// What a reply must be.
#[derive(Debug, Clone)]
pub enum Reply {
    /// These bytes.
    Exactly(Vec<u8>),
    /// Bytes in which this is found.
    Matching(Regex),
}

impl PartialEq for Reply {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Exactly(one), Self::Exactly(other)) => one == other,
            (Self::Matching(one), Self::Matching(other)) => one.as_str() == other.as_str(),
            _ => false,
        }
    }
}

impl Eq for Reply {}

impl Reply {
    /// Reads `+PONG` or `re:^[0-9]+$`; `escapes`: backslashes mean something, which in a regular expression they
    /// always do.
    ///
    /// # Errors
    /// What is wrong with it, as a part of a sentence.
    pub fn parse(text: &str, escapes: bool) -> Result<Self, String> {
        let Some(pattern) = text.strip_prefix("re:") else {
            return match unescape(text, escapes)? {
                bytes if bytes.len() > COMPARED_MAX => Err(format!("at most {} KiB", COMPARED_MAX >> 10)),
                bytes => Ok(Self::Exactly(bytes)),
            };
        };
        // replies are bytes: a dot is any of them, and \d a digit of ASCII
        let built = RegexBuilder::new(pattern).unicode(false).build();
        built.map(Self::Matching).map_err(|e| {
            let text = e.to_string();
            let why = text.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or("not understood");
            format!("no regular expression: {}", why.trim_start_matches("error: "))
        })
    }

    /// Without the line end or delimiter that is no part of a reply's content: who writes it means the same.
    #[must_use]
    pub fn trimmed(self, expect: &Expect) -> Self {
        match (self, expect) {
            (Self::Exactly(bytes), Expect::Line | Expect::Resp | Expect::Delimiter(_)) => {
                Self::Exactly(expect.content(&bytes).to_vec())
            }
            (other, _) => other,
        }
    }

    /// Whether a reply of `whole` bytes that begins with `begin` is right. These are all its bytes, or the first
    /// [`COMPARED_MAX`] at least.
    #[must_use]
    pub fn is(&self, begin: &[u8], whole: usize) -> bool {
        match self {
            Self::Exactly(bytes) => whole == bytes.len() && begin == bytes,
            Self::Matching(pattern) => pattern.is_match(begin),
        }
    }

    /// As the user would write it.
    #[must_use]
    pub fn show(&self) -> String {
        match self {
            Self::Exactly(bytes) => escaped(bytes),
            Self::Matching(pattern) => format!("re:{}", pattern.as_str()),
        }
    }

    /// For a sentence: "each must …".
    #[must_use]
    pub fn words(&self) -> String {
        match self {
            Self::Exactly(bytes) => format!("be {}", shown(bytes)),
            Self::Matching(pattern) => format!("match {}", pattern.as_str()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is(reply: &str, content: &[u8]) -> bool {
        Reply::parse(reply, false).unwrap().is(content, content.len())
    }

    #[test]
    fn a_text_is_the_whole_reply_and_an_expression_a_part_of_it() {
        assert!(is("+PONG", b"+PONG") && !is("+PONG", b"+PONGS") && !is("+PONG", b"+PON"));
        assert!(is("re:PON", b"+PONG") && !is("re:^PON", b"+PONG") && is(r"re:^\d+$", b"12"));
        assert!(is(r"re:^\$5\r\n.....$", b"$5\r\n\xff\xfe\x00ab"));
        assert!(!Reply::parse("ab", false).unwrap().is(b"ab", 70_000));
        assert_eq!(Reply::parse(r"a\n", true).unwrap().show(), r"a\n");
        assert_eq!(Reply::parse(r"a\r\n", true).unwrap().trimmed(&Expect::Line).show(), "a");
        assert_eq!(Reply::parse(r"a\r\n", true).unwrap().trimmed(&Expect::Close).show(), r"a\r\n");
    }

    #[test]
    fn a_wrong_expression_is_explained_in_one_line() {
        let wrong = Reply::parse("re:(a", false).unwrap_err();
        assert!(wrong.contains("unclosed group") && !wrong.contains('\n'), "{wrong}");
    }
}

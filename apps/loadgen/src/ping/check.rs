//! Looks at replies as they become whole: what may come in pieces is kept until then.
//!
//! How: a [`Checker`] compares the content of a reply with what it must be, where it lies if it came in one piece; an
//! [`Repeated`] compares an echo of the user's message with that message, put together once more, and keeps nothing of
//! what came. Cost: up to [`COMPARED_MAX`] a connection for a reply in pieces. Where it breaks: of a longer reply only
//! the beginning is seen.

use super::framing::{Expect, Progress};
use super::message::shown;
use super::reply::{COMPARED_MAX, Reply};
use super::{Unexpected, Wrong};

/// What is kept of a reply beyond its content: a delimiter or a length.
const AROUND: usize = 4096;

/// What one connection has seen of its present reply, and of those that were not what they must be.
#[derive(Debug, Default)]
pub struct Checker {
    /// The reply so far, if it came in pieces.
    kept: Vec<u8>,
    unexpected: u64,
    first: Option<String>,
    /// One reply is put into words, the others are only counted.
    told: bool,
}

impl Checker {
    /// The next bytes are the beginning of a reply.
    pub fn restart(&mut self) {
        self.kept.clear();
    }

    /// A piece of a reply that goes on.
    pub fn keep(&mut self, piece: &[u8]) {
        let room = (COMPARED_MAX + AROUND).saturating_sub(self.kept.len());
        self.kept.extend_from_slice(&piece[..piece.len().min(room)]);
    }

    /// A reply of `length` bytes is whole; `piece` is the last of it, and all of it if nothing was kept.
    pub fn is_right(&mut self, reply: &Reply, expect: &Expect, piece: &[u8], length: usize) -> bool {
        if !self.kept.is_empty() {
            self.keep(piece);
        }
        let whole = if self.kept.is_empty() { piece } else { &self.kept };
        let content = expect.content(whole);
        // of a reply that was not kept to its end, the length alone says that it is not a short one
        let counted = if whole.len() == length { content.len() } else { length };
        let right = reply.is(&content[..content.len().min(COMPARED_MAX)], counted);
        if !right {
            self.unexpected += 1;
            if !self.told {
                self.told = true;
                self.first = Some(format!("a reply was \"{}\" and must {}", shown(content), reply.words()));
            }
        }
        self.kept.clear();
        right
    }

    /// Takes what was found since the last call.
    pub fn unexpected(&mut self) -> Option<Unexpected> {
        if self.unexpected == 0 {
            return None;
        }
        Some(Unexpected { replies: std::mem::take(&mut self.unexpected), first: self.first.take() })
    }
}

/// An echo of the user's message, as far as it has come.
#[derive(Debug, Default)]
pub struct Repeated {
    wanted: Vec<u8>,
    matched: usize,
}

impl Repeated {
    /// The next bytes are the beginning of an echo.
    pub fn restart(&mut self) {
        self.matched = 0;
    }

    /// Compares the next bytes of an echo; at its beginning `message` puts together what it must be.
    ///
    /// # Errors
    /// The first byte that differs.
    pub fn feed(&mut self, bytes: &[u8], message: impl FnOnce(&mut Vec<u8>)) -> Result<Progress, Wrong> {
        if self.matched == 0 {
            self.wanted.clear();
            message(&mut self.wanted);
        }
        let wanted = &self.wanted[self.matched..];
        let length = wanted.len().min(bytes.len());
        if wanted[..length] != bytes[..length] {
            let differ = wanted.iter().zip(bytes).enumerate().find(|(_, (wanted, got))| wanted != got);
            let (index, expected, got) = differ.map_or((0, 0, 0), |(index, (w, g))| (index, *w, *g));
            return Err(Wrong::Differs { offset: self.matched + index, expected, got });
        }
        if length < wanted.len() {
            self.matched += length;
            return Ok(Progress::More);
        }
        self.matched = 0;
        Ok(Progress::Complete(length))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn only_the_first_unexpected_reply_is_put_into_words() {
        let (mut checker, pong) = (Checker::default(), Reply::parse("+PONG", false).unwrap());
        let mut check = |piece: &[u8]| checker.is_right(&pong, &Expect::Line, piece, piece.len());
        assert!(
            check(b"+PONG\r\n") && !check(b"-ERR no\r\n") && !check(b"-ERR other\n") && check(b"+PONG\n")
        );
        let unexpected = checker.unexpected().unwrap();
        assert_eq!(unexpected.replies, 2);
        assert_eq!(unexpected.first.unwrap(), "a reply was \"-ERR no\" and must be +PONG");
        assert!(!checker.is_right(&pong, &Expect::Line, b"x\n", 2));
        assert_eq!(checker.unexpected(), Some(Unexpected { replies: 1, first: None }));
        assert_eq!(checker.unexpected(), None);
    }

    #[test]
    fn no_more_is_kept_of_a_reply_than_is_looked_at() {
        let (mut checker, begin) = (Checker::default(), Reply::parse("re:^b", false).unwrap());
        for _ in 0..100 {
            checker.keep(&[b'b'; 4000]);
        }
        assert!(checker.kept.len() <= COMPARED_MAX + AROUND);
        assert!(checker.is_right(&begin, &Expect::Line, b"\n", 400_001));
        let exactly = Reply::Exactly(vec![b'b'; COMPARED_MAX]);
        checker.keep(&[b'b'; COMPARED_MAX]);
        checker.keep(&[b'b'; COMPARED_MAX]);
        assert!(!checker.is_right(&exactly, &Expect::Close, b"", 2 * COMPARED_MAX));
    }

    proptest! {
        #[test]
        fn a_reply_in_pieces_is_the_same_reply(
            reply in prop::collection::vec(any::<u8>(), 0..40),
            flip in any::<bool>(),
            at in any::<prop::sample::Index>(),
        ) {
            let (mut checker, mut wire) = (Checker::default(), [reply.clone(), b"\r\n".to_vec()].concat());
            if flip && !reply.is_empty() {
                wire[at.index(reply.len())] ^= 0x80;
            }
            let right = wire[..reply.len()] == reply;
            let (first, second) = wire.split_at(at.index(wire.len() + 1));
            checker.keep(first);
            let end = Expect::Delimiter(b"\r\n".to_vec());
            prop_assert_eq!(checker.is_right(&Reply::Exactly(reply), &end, second, wire.len()), right);
        }
    }
}

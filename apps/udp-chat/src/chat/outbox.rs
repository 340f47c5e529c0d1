//! What was sent lately, so that a refusal can be told for exactly the message that it belongs to.
//!
//! The kernel gives back the datagram that was refused, or its beginning: an ICMP message quotes only so much. So the
//! quote is compared with whole datagrams first; it can be the beginning of a longer one only if it is as long as the
//! shortest cut one may be. The newest message that fits is the one: an older one with the same text may have been
//! delivered while somebody still listened.
//!
//! **Where it breaks.** Some hosts quote no byte of the message. Then nobody knows which one it was, and that is what the
//! user is told.

use std::collections::VecDeque;
use std::net::SocketAddr;

/// So many messages are remembered; an older one that is refused late is reported without its text.
pub const REMEMBERED: usize = 256;
/// Whoever cuts a quote leaves at least 128 bytes of the packet (RFC 4884), of which 48 may be the headers of IPv6 and UDP.
const CUT_LEAST: usize = 80;

/// A message under way, or sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outgoing {
    /// Its number, from 1 on.
    pub ticket: u64,
    /// To whom.
    pub to: SocketAddr,
    /// What the user wrote.
    pub text: String,
    /// The datagrams that may still come back; of the others nothing is left.
    pieces: Vec<Option<Vec<u8>>>,
    /// It came back.
    pub refused: bool,
}

/// The last messages.
#[derive(Debug, Default)]
pub struct Outbox {
    messages: VecDeque<Outgoing>,
    tickets: u64,
}

impl Outbox {
    /// Remembers a message; gives its ticket.
    pub fn put(&mut self, to: SocketAddr, text: String, pieces: Vec<Vec<u8>>) -> u64 {
        if self.messages.len() == REMEMBERED {
            self.messages.pop_front();
        }
        self.tickets += 1;
        let pieces = pieces.into_iter().map(Some).collect();
        self.messages.push_back(Outgoing { ticket: self.tickets, to, text, pieces, refused: false });
        self.tickets
    }

    /// The message with this ticket, if it is remembered.
    #[must_use]
    pub fn get(&self, ticket: u64) -> Option<&Outgoing> {
        self.messages.get(self.index(ticket)?)
    }

    fn index(&self, ticket: u64) -> Option<usize> {
        let from_last = self.tickets.checked_sub(ticket)?;
        self.messages.len().checked_sub(1 + usize::try_from(from_last).ok()?)
    }

    /// Only so many pieces of this message have left: the others cannot come back.
    pub fn cut_short(&mut self, ticket: u64, pieces_sent: usize) {
        if let Some(index) = self.index(ticket) {
            self.messages[index].pieces.truncate(pieces_sent);
        }
    }

    /// Finds the message that `quoted` is a part of, and marks it as refused.
    pub fn refuse(&mut self, to: SocketAddr, quoted: &[u8]) -> Refused<'_> {
        let whole = self.newest(to, |piece| piece == quoted);
        let cut = || self.newest(to, |piece| piece.starts_with(quoted));
        let Some((message, piece)) = whole.or_else(|| if quoted.len() < CUT_LEAST { None } else { cut() })
        else {
            return Refused::Unknown;
        };
        let message = &mut self.messages[message];
        message.pieces[piece] = None;
        if std::mem::replace(&mut message.refused, true) {
            // another of its pieces
            Refused::Again
        } else {
            Refused::Message(message)
        }
    }

    /// The newest message to this address with a piece that fits, and the piece.
    fn newest(&self, to: SocketAddr, fits: impl Fn(&[u8]) -> bool) -> Option<(usize, usize)> {
        let fits = |piece: &Option<Vec<u8>>| piece.as_deref().is_some_and(&fits);
        let theirs = self.messages.iter().enumerate().rev().filter(|(_, message)| message.to == to);
        theirs.filter_map(|(index, message)| Some((index, message.pieces.iter().position(fits)?))).next()
    }

    /// Whether each message that is remembered came back.
    #[must_use]
    pub fn all_refused(&self) -> bool {
        self.messages.iter().all(|message| message.refused)
    }
}

/// To which message a refusal belongs.
#[derive(Debug, PartialEq, Eq)]
pub enum Refused<'a> {
    /// This one.
    Message(&'a Outgoing),
    /// One that was reported already.
    Again,
    /// One that is not remembered.
    Unknown,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(port: u16) -> SocketAddr {
        ([127, 0, 0, 1], port).into()
    }

    fn put(outbox: &mut Outbox, port: u16, text: &str) -> u64 {
        outbox.put(address(port), text.into(), crate::wire::write(text, 8, false))
    }

    #[test]
    fn a_refusal_finds_its_message() {
        let mut outbox = Outbox::default();
        let tickets = [put(&mut outbox, 1, "one"), put(&mut outbox, 2, "two"), put(&mut outbox, 1, "two")];
        let refused = |outbox: &mut Outbox, port, quoted: &[u8]| match outbox.refuse(address(port), quoted) {
            Refused::Message(message) => Some(message.ticket),
            _ => None,
        };
        assert_eq!(refused(&mut outbox, 1, b"two"), Some(tickets[2]));
        assert_eq!(refused(&mut outbox, 2, b"two"), Some(tickets[1]));
        assert_eq!(refused(&mut outbox, 2, b"two"), None);
        assert!(!outbox.all_refused());
        assert_eq!(refused(&mut outbox, 1, b"one"), Some(tickets[0]));
        assert!(outbox.all_refused());
    }

    #[test]
    fn of_equal_messages_the_newest_is_meant() {
        let mut outbox = Outbox::default();
        let tickets = [put(&mut outbox, 1, "hi"), put(&mut outbox, 1, "hi")];
        for ticket in tickets.into_iter().rev() {
            assert!(matches!(outbox.refuse(address(1), b"hi"), Refused::Message(m) if m.ticket == ticket));
        }
        assert_eq!(outbox.refuse(address(1), b"hi"), Refused::Unknown);
    }

    #[test]
    fn a_short_quote_is_no_beginning_of_a_longer_message() {
        let mut outbox = Outbox::default();
        let whole = |outbox: &mut Outbox, text: &str| {
            outbox.put(address(1), text.into(), vec![text.as_bytes().to_vec()])
        };
        let longer = whole(&mut outbox, "ok then, see you at eight");
        assert_eq!(outbox.refuse(address(1), b"ok"), Refused::Unknown);
        assert_eq!(outbox.refuse(address(1), b""), Refused::Unknown);
        let short = whole(&mut outbox, "ok");
        whole(&mut outbox, "ok, and bring the keys");
        assert!(matches!(outbox.refuse(address(1), b"ok"), Refused::Message(m) if m.ticket == short));
        assert!(!outbox.get(longer).unwrap().refused);
        let long = whole(&mut outbox, &"long ".repeat(200));
        let cut = "long ".repeat(104);
        assert!(matches!(outbox.refuse(address(1), cut.as_bytes()), Refused::Message(m) if m.ticket == long));
        let empty = whole(&mut outbox, "");
        assert!(matches!(outbox.refuse(address(1), b""), Refused::Message(m) if m.ticket == empty));
    }

    #[test]
    fn the_pieces_of_one_message_are_one_refusal() {
        let mut outbox = Outbox::default();
        let delivered = put(&mut outbox, 1, "89");
        let ticket = put(&mut outbox, 1, "0123456789");
        assert!(matches!(outbox.refuse(address(1), b"01234567"), Refused::Message(m) if m.ticket == ticket));
        assert_eq!(outbox.refuse(address(1), b"89"), Refused::Again);
        assert!(!outbox.get(delivered).unwrap().refused);
    }

    #[test]
    fn what_never_left_does_not_come_back() {
        let mut outbox = Outbox::default();
        let ticket = put(&mut outbox, 1, "0123456789");
        outbox.cut_short(ticket, 1);
        assert_eq!(outbox.refuse(address(1), b"89"), Refused::Unknown);
        assert!(matches!(outbox.refuse(address(1), b"01234567"), Refused::Message(_)));
    }

    #[test]
    fn only_so_many_are_remembered() {
        let mut outbox = Outbox::default();
        let first = put(&mut outbox, 1, "first");
        for _ in 1..REMEMBERED {
            put(&mut outbox, 1, "more");
        }
        assert_eq!(outbox.get(first).unwrap().text, "first");
        let last = put(&mut outbox, 1, "last");
        assert_eq!(outbox.get(first), None);
        assert_eq!(outbox.get(last).unwrap().text, "last");
        assert_eq!(outbox.get(last + 1), None);
        assert_eq!(outbox.refuse(address(1), b"first"), Refused::Unknown);
    }
}

//! What was sent lately, so that a refusal can be told for exactly the message that it belongs to.
//!
//! The kernel gives back the datagram that was refused, or its beginning (an ICMP message quotes only so much). The
//! oldest message to that address with a piece that begins like this, and that was not refused already, is the one.

use std::collections::VecDeque;
use std::net::SocketAddr;

/// So many messages are remembered; an older one that is refused late is reported without its text.
pub const REMEMBERED: usize = 256;

/// A message under way, or sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outgoing {
    /// Its number, from 1 on.
    pub ticket: u64,
    /// To whom.
    pub to: SocketAddr,
    /// What the user wrote.
    pub text: String,
    /// The datagrams.
    pub pieces: Vec<Vec<u8>>,
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
        self.messages.push_back(Outgoing { ticket: self.tickets, to, text, pieces, refused: false });
        self.tickets
    }

    /// The message with this ticket, if it is remembered.
    #[must_use]
    pub fn get(&self, ticket: u64) -> Option<&Outgoing> {
        let from_last = self.tickets.checked_sub(ticket)?;
        let index = self.messages.len().checked_sub(1 + usize::try_from(from_last).ok()?)?;
        self.messages.get(index)
    }

    /// Finds the message that `quoted` is a part of, and marks it as refused. `None`: it is too old, or was refused
    /// already (each of its pieces comes back).
    pub fn refuse(&mut self, to: SocketAddr, quoted: &[u8]) -> Refused<'_> {
        let mut known = false;
        for message in &mut self.messages {
            if message.to != to || !message.pieces.iter().any(|piece| piece.starts_with(quoted)) {
                continue;
            }
            if !message.refused {
                message.refused = true;
                return Refused::Message(message);
            }
            // more pieces of the same message, or an equal one that follows
            known |= message.pieces.len() > 1;
        }
        if known { Refused::Again } else { Refused::Unknown }
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
        assert_eq!(refused(&mut outbox, 1, b"tw"), Some(tickets[2]));
        assert_eq!(refused(&mut outbox, 2, b"two"), Some(tickets[1]));
        assert_eq!(refused(&mut outbox, 2, b"two"), None);
        assert!(!outbox.all_refused());
        assert_eq!(refused(&mut outbox, 1, b"one"), Some(tickets[0]));
        assert!(outbox.all_refused());
    }

    #[test]
    fn equal_messages_are_refused_in_their_order() {
        let mut outbox = Outbox::default();
        let tickets = [put(&mut outbox, 1, "hi"), put(&mut outbox, 1, "hi")];
        for ticket in tickets {
            assert!(matches!(outbox.refuse(address(1), b"hi"), Refused::Message(m) if m.ticket == ticket));
        }
    }

    #[test]
    fn the_pieces_of_one_message_are_one_refusal() {
        let mut outbox = Outbox::default();
        put(&mut outbox, 1, "0123456789");
        assert!(matches!(outbox.refuse(address(1), b"01234567"), Refused::Message(_)));
        assert_eq!(outbox.refuse(address(1), b"89"), Refused::Again);
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

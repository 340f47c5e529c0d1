//! What is sent, and the truth about it. UDP gives no receipt, so nothing is ever called delivered; but a host on which
//! nobody listens says so, and that is told for the message that it belongs to.

use std::net::SocketAddr;

use super::outbox::Refused;
use super::people::canonical;
use super::{Chat, DONE, Effect, Eol, NOT_SENT, Now, REFUSED, Role, Saved, Shown, line};
use crate::wire;

/// Why a datagram came back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// The host is there, the program is not.
    NobodyListens,
    /// Something on the way says so; in the kernel's words.
    Network(String),
}

/// Why a message did not leave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SendFailed {
    /// In the kernel's words.
    pub why: String,
    /// So many of its datagrams left before.
    pub pieces_sent: usize,
}

/// So much of a message is quoted in a line about it, in characters.
const QUOTED: usize = 40;

impl Chat {
    pub(super) fn send(&mut self, now: Now, to: SocketAddr, text: &str, effects: &mut Vec<Effect>) {
        let habit = self.meet(now, to, effects).newline;
        let newline = match self.settings.eol {
            Eol::Auto => habit,
            Eol::Lf => true,
            Eol::None => false,
        };
        let pieces = wire::write(text, self.settings.max_datagram, newline);
        let ticket = self.outbox.put(to, text.to_owned(), pieces.clone());
        effects.push(Effect::Send { ticket, to, pieces });
    }

    /// A message has left, or not.
    pub fn sent(
        &mut self,
        now: Now,
        ticket: u64,
        outcome: Result<(), SendFailed>,
        effects: &mut Vec<Effect>,
    ) {
        let Some(message) = self.outbox.get(ticket) else { return };
        let (to, text) = (message.to, message.text.clone());
        match outcome {
            Ok(()) => {
                self.counts.sent += 1;
                if let Some(peer) = self.people.get_mut(to) {
                    peer.sent += 1;
                }
                if self.settings.echo {
                    let to = self.people.called(to);
                    effects.push(Effect::Show(Shown::Own { time: now.wall, to, text: text.clone() }));
                }
                effects.push(Effect::Save(Saved::Sent(to, text)));
            }
            Err(SendFailed { why, pieces_sent }) => {
                self.outbox.cut_short(ticket, pieces_sent);
                self.counts.send_errors += 1;
                self.code = NOT_SENT;
                let part = if pieces_sent == 0 { "" } else { " completely" };
                let who = self.people.called(to);
                line(effects, format!("! not sent{part} to {who}: {why} {}", quoted(&text)));
                if pieces_sent > 0 {
                    let note = format!("only the first {pieces_sent} datagrams were sent to {to}: {text}");
                    effects.push(Effect::Save(Saved::Note(note)));
                }
            }
        }
    }

    /// A datagram came back: `piece` is its beginning.
    pub fn refused(&mut self, to: SocketAddr, piece: &[u8], why: &Refusal, effects: &mut Vec<Effect>) {
        let to = canonical(to);
        let text = match self.outbox.refuse(to, piece) {
            Refused::Again => return,
            Refused::Message(message) => Some(message.text.clone()),
            Refused::Unknown => None,
        };
        if let Some(peer) = self.people.get_mut(to) {
            peer.refused += 1;
            peer.deaf = *why == Refusal::NobodyListens;
        }
        self.counts.refused += 1;
        if self.code == DONE {
            self.code = REFUSED;
        }
        let why = match why {
            Refusal::NobodyListens => format!("nothing listens on {to}"),
            Refusal::Network(why) => format!("{why} ({to})"),
        };
        let who = self.people.called(to);
        let quoted = text.as_deref().map_or_else(|| "(an earlier message)".to_owned(), quoted);
        line(effects, format!("! not delivered to {who}: {why} {quoted}"));
        let text = text.map_or_else(String::new, |text| format!(": {text}"));
        effects.push(Effect::Save(Saved::Note(format!("not delivered to {to}: {why}{text}"))));
        // nothing more can come back: no need to wait for it
        if let (Role::Send { .. }, Some(_)) = (self.settings.role, self.end_at)
            && self.outbox.all_refused()
        {
            self.end_at = None;
            effects.push(Effect::Quit(self.code));
        }
    }

    /// The exit code of a run that ends now: a conversation in which something was refused is still a good one, and
    /// somebody at a keyboard has seen what was not sent; but a script (it is to be echoed) has not.
    pub(super) fn exit_code(&self) -> u8 {
        match (self.settings.role, self.code) {
            (Role::Chat, NOT_SENT) if self.settings.echo => NOT_SENT,
            (Role::Chat, _) => DONE,
            (_, code) => code,
        }
    }
}

fn quoted(text: &str) -> String {
    let short: String = text.chars().take(QUOTED).collect();
    let dots = if short.len() < text.len() { "…" } else { "" };
    format!("(\"{short}{dots}\")")
}

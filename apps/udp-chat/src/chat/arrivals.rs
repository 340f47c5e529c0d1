//! What comes in: shown, saved, or only counted. Nothing here ever answers: two programs that answer each other's text never
//! stop.

use std::net::SocketAddr;
use std::time::Duration;

use super::people::{Peer, canonical};
use super::{Chat, Effect, Now, Role, Saved, Shown, line};
use crate::wire::{self, Datagram};

/// Suppressed datagrams and frames are reported once in this time, however many there are.
const REPORT_EVERY: Duration = Duration::from_secs(1);

impl Chat {
    /// A datagram came.
    pub fn datagram(&mut self, now: Now, from: SocketAddr, bytes: &[u8], effects: &mut Vec<Effect>) {
        let from = canonical(from);
        let limit = self.settings.rate_limit;
        let (peer, gone) = self.people.meet(from, limit, now.since_start);
        peer.last_seen = Some(now.wall);
        peer.received += 1;
        let unreported = if peer.ignored {
            self.counts.ignored += 1;
            false
        } else if !peer.allowance.take(limit, now.since_start) {
            self.counts.suppressed += 1;
            peer.suppressed += 1;
            true
        } else {
            match wire::read(bytes) {
                Datagram::Empty => {
                    self.counts.empty += 1;
                    false
                }
                Datagram::Frame => {
                    self.counts.frames += 1;
                    peer.frames += 1;
                    true
                }
                Datagram::Text { body, newline } => {
                    peer.newline = newline;
                    let name = peer.name.clone();
                    self.message(now, from, name, body, effects);
                    false
                }
            }
        };
        if let Some((address, mut peer)) = gone {
            report(address, &mut peer, effects);
        }
        if unreported {
            self.report_soon(now, effects);
        }
    }

    /// The peer with this address, remembered from now on; what was not told of one that had to go for it is told.
    pub(super) fn meet(&mut self, now: Now, address: SocketAddr, effects: &mut Vec<Effect>) -> &mut Peer {
        let (peer, gone) = self.people.meet(address, self.settings.rate_limit, now.since_start);
        if let Some((address, mut gone)) = gone {
            report(address, &mut gone, effects);
        }
        peer
    }

    /// The kernel says how many datagrams it has dropped so far, because nobody took them in time. (The count is one of
    /// 32 bits and begins again after the last. It may come late: who asks at once hears more than a batch that waits.)
    pub fn dropped(&mut self, now: Now, total: u32, effects: &mut Vec<Effect>) {
        let (before, unreported) = self.dropped;
        let more = total.wrapping_sub(before);
        if more > u32::MAX / 2 {
            return;
        }
        let more = u64::from(more);
        self.dropped = (total, unreported + more);
        self.counts.dropped += more;
        if more > 0 {
            self.report_soon(now, effects);
        }
    }

    fn message(
        &mut self,
        now: Now,
        from: SocketAddr,
        name: Option<String>,
        body: &[u8],
        effects: &mut Vec<Effect>,
    ) {
        self.counts.messages += 1;
        effects.push(Effect::Save(Saved::Received(from, body.to_vec())));
        if matches!(self.settings.role, Role::Listen { count: Some(count), .. } if self.counts.messages > count)
        {
            // it came together with the last one that was asked for: kept, because it was taken from the kernel
            return;
        }
        effects.push(Effect::Show(Shown::Message { time: now.wall, from, name, text: body.to_vec() }));
        match self.settings.role {
            Role::Chat if !self.introduced => {
                self.introduced = true;
                if self.is_at_menu() {
                    line(effects, format!("to answer: /to {from}"));
                }
            }
            Role::Listen { count: Some(count), .. } if self.counts.messages == count => {
                effects.push(Effect::Quit(self.code));
            }
            _ => {}
        }
    }

    /// At once if the last report is long ago, else when it is.
    fn report_soon(&mut self, now: Now, effects: &mut Vec<Effect>) {
        let at = self.reported.map_or(now.since_start, |reported| reported + REPORT_EVERY);
        if at <= now.since_start {
            self.report_unreported(now, effects);
        } else {
            self.report_at = Some(at);
        }
    }

    pub(super) fn report_unreported(&mut self, now: Now, effects: &mut Vec<Effect>) {
        self.report_at = None;
        let before = effects.len();
        let dropped = std::mem::take(&mut self.dropped.1);
        if dropped > 0 {
            line(effects, format!("! {dropped} datagrams came too fast: the kernel dropped them"));
            effects.push(Effect::Save(Saved::Note(format!("dropped: {dropped} by the kernel"))));
        }
        for (address, peer) in self.people.unreported() {
            report(address, peer, effects);
        }
        if effects.len() > before {
            self.reported = Some(now.since_start);
        }
    }
}

/// Says what was not shown from a peer, and forgets it.
fn report(address: SocketAddr, peer: &mut Peer, effects: &mut Vec<Effect>) {
    let frames = std::mem::take(&mut peer.frames);
    if frames > 0 {
        let many = if frames == 1 { String::new() } else { format!(" ({frames} of them)") };
        line(effects, format!("! unsupported frame from {address}{many}: it is not plain text"));
    }
    let suppressed = std::mem::take(&mut peer.suppressed);
    if suppressed > 0 {
        let note = format!("suppressed: {suppressed} from {address}");
        line(effects, format!("# {note} (--rate-limit)"));
        effects.push(Effect::Save(Saved::Note(note)));
    }
}

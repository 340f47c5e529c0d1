//! What comes in: shown, saved, or only counted. Nothing here ever answers: two programs that answer each other's text never
//! stop.

use std::net::SocketAddr;
use std::time::Duration;

use common::units::plural;

use super::people::{Peer, at, canonical};
use super::{Chat, Effect, Now, Role, Saved, Shown, line};
use crate::wire::{self, Datagram};

/// Suppressed datagrams and frames are reported once in this time, however many there are.
const REPORT_EVERY: Duration = Duration::from_secs(1);
/// Of so many sources, each by itself; of more, all together. Anybody can send from all ports of an address.
const ONE_BY_ONE: usize = 8;

/// What becomes of a datagram.
#[derive(Clone, Copy)]
enum Fate<'a> {
    Ignored,
    Suppressed,
    Read(Datagram<'a>),
}

impl Chat {
    /// A datagram came.
    pub fn datagram(&mut self, now: Now, from: SocketAddr, bytes: &[u8], effects: &mut Vec<Effect>) {
        let from = canonical(from);
        let fate = if self.people.ignores(from) {
            Fate::Ignored
        } else if !self.allowances.take(at(from, 0), self.settings.rate_limit, now.since_start) {
            Fate::Suppressed
        } else {
            Fate::Read(wire::read(bytes))
        };
        let peer = self.meet(now, from, effects);
        peer.last_seen = Some(now.wall);
        peer.received += 1;
        peer.deaf = false;
        match fate {
            Fate::Suppressed => peer.suppressed += 1,
            Fate::Read(Datagram::Frame) => peer.frames += 1,
            Fate::Read(Datagram::Text { newline, .. }) => peer.newline = newline,
            Fate::Ignored | Fate::Read(Datagram::Empty) => {}
        }
        let name = peer.name.clone();
        match fate {
            Fate::Ignored => self.counts.ignored += 1,
            Fate::Suppressed => {
                self.counts.suppressed += 1;
                self.report_soon(now, effects);
            }
            Fate::Read(Datagram::Empty) => self.counts.empty += 1,
            Fate::Read(Datagram::Frame) => {
                self.counts.frames += 1;
                self.report_soon(now, effects);
            }
            Fate::Read(Datagram::Text { body, .. }) => self.message(now, from, name, body, effects),
        }
    }

    /// The peer with this address, remembered from now on; what was not told of one that had to go for it is not
    /// forgotten with it.
    pub(super) fn meet(&mut self, now: Now, address: SocketAddr, effects: &mut Vec<Effect>) -> &mut Peer {
        if let Some(mut gone) = self.people.make_room(address)
            && self.others.take_over(&mut gone)
        {
            self.report_soon(now, effects);
        }
        self.people.meet(address, now.since_start)
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
        let mut others = std::mem::take(&mut self.others);
        let mut each: Vec<_> = self.people.unreported().collect();
        if each.len() > ONE_BY_ONE {
            for (_, peer) in each.drain(..) {
                others.take_over(peer);
            }
        }
        for (address, peer) in each {
            let (frames, suppressed) = peer.take_unreported();
            report_frames(&address.to_string(), frames, effects);
            report_suppressed(&address.to_string(), suppressed, effects);
        }
        report_frames(&plural(others.frames.sources, "other source"), others.frames.datagrams, effects);
        let suppressed = others.suppressed;
        report_suppressed(&plural(suppressed.sources, "other source"), suppressed.datagrams, effects);
        if effects.len() > before {
            self.reported = Some(now.since_start);
        }
    }
}

/// What is reported of many sources together.
#[derive(Debug, Default)]
pub(super) struct Others {
    frames: Sum,
    suppressed: Sum,
}

#[derive(Debug, Default)]
struct Sum {
    sources: u64,
    datagrams: u64,
}

impl Sum {
    fn add(&mut self, datagrams: u64) {
        self.sources += u64::from(datagrams > 0);
        self.datagrams += datagrams;
    }
}

impl Others {
    /// What was unreported of this peer is from now on unreported of the others; `false`: there was nothing.
    fn take_over(&mut self, peer: &mut Peer) -> bool {
        let (frames, suppressed) = peer.take_unreported();
        self.frames.add(frames);
        self.suppressed.add(suppressed);
        frames + suppressed > 0
    }
}

fn report_frames(from: &str, frames: u64, effects: &mut Vec<Effect>) {
    if frames > 0 {
        let many = if frames == 1 { String::new() } else { format!(" ({frames} of them)") };
        line(effects, format!("! unsupported frame from {from}{many}: it is not plain text"));
    }
}

fn report_suppressed(from: &str, suppressed: u64, effects: &mut Vec<Effect>) {
    if suppressed > 0 {
        let note = format!("suppressed: {suppressed} from {from}");
        line(effects, format!("# {note} (--rate-limit)"));
        effects.push(Effect::Save(Saved::Note(note)));
    }
}

//! A connection that takes all it can get: large messages, several under way, the next one as soon as there is room.
//!
//! What it shows: whether a server gives the others their share, or serves whoever has most to read first. Every reply
//! is checked. Bounds: `DEPTH` messages of `SIZE` bytes under way; of another protocol than our own up to `SMALL` of its
//! own messages. Cost: much of this thread's CPU. Where it
//! breaks: what it gets is limited by what this thread can send, too.

use super::Crowd;
use crate::ping::framing::Expect;
use crate::ping::{Protocol, Stamp};
use crate::plan::Load;

/// Bytes of a message.
pub(super) const SIZE: usize = 64 << 10;
/// Messages under way.
pub(super) const DEPTH: usize = 4;

/// Of another protocol than our own: its own messages, so many of them.
const SMALL: usize = 64;

/// Size and number of its messages.
pub(super) fn messages(load: &Load) -> (usize, usize) {
    match &load.protocol {
        Protocol::Pattern => (SIZE, DEPTH),
        // a reply that ends with the connection leaves no room for another
        Protocol::Dialogue(dialogue) if dialogue.expect == Expect::Close => (load.size, 1),
        Protocol::Dialogue(_) => (load.size, (SIZE * DEPTH / load.size.max(1)).clamp(1, SMALL)),
    }
}

impl Crowd<'_> {
    /// Fills the pipeline.
    pub(super) fn ask_for_more(&mut self, slot: usize, now: u64) {
        let connection = &mut self.guests[slot].connection;
        if !connection.is_open() {
            return;
        }
        let free = connection.ping.free();
        connection.ping.queue(free, Stamp::now(now));
        self.flush(slot);
    }
}

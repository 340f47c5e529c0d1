//! A connection that sends one request, has its reply, and then does nothing: one of the many that a server has open and
//! hardly ever hears of.
//!
//! What it shows: the memory that a connection costs, whether the time of the others grows with the number of those
//! that sleep, and that a worker which belongs to one connection is lost to all others. Bounds: one request. Where it
//! breaks: a server that closes idle connections after some time does right; how many it closed is told.

use super::Crowd;
use crate::ping::Stamp;

impl Crowd<'_> {
    /// The only request of an idle one.
    pub(super) fn ask_once(&mut self, slot: usize) {
        let now = self.shared.now();
        let connection = &mut self.guests[slot].connection;
        if connection.sent == 0 && connection.ping.free() > 0 {
            connection.sent = 1;
            connection.ping.queue(1, Stamp::now(now));
        }
        self.flush(slot);
    }
}

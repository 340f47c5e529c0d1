//! The messages of one connection: makes them, keeps them until their replies came, compares every byte.
//!
//! How: a ring of `depth` messages lies ready, each an 8-byte header (connection, sequence number) and a body whose
//! bytes differ by position. To send is to rewrite a header; to verify is to compare what came with the ring itself:
//! one `memcmp`, no copy. Cost: `depth × (size + 16)` bytes a connection, allocated once. Where it breaks: only an echo
//! passes; everything else is spoken by [`super::framed`].

use super::{Stamp, Wrong};

/// Bytes of the header: connection and sequence number. A shorter message carries as much of it as fits.
const HEADER: usize = 8;

/// What is under way on one connection to an echo server.
#[derive(Debug)]
pub struct Echo {
    size: usize,
    depth: usize,
    ring: Box<[u8]>,
    /// When each message of the ring was due and queued.
    stamps: Box<[Stamp]>,
    connection: u32,
    sequence: u32,
    /// The slot of the next message to queue.
    head: usize,
    /// The slot of the oldest message that is not wholly answered.
    tail: usize,
    /// Messages queued and not wholly answered.
    in_flight: usize,
    /// Bytes of the oldest message that have come back already.
    partial: usize,
    /// Where the unsent bytes begin, and how many they are.
    send_at: usize,
    unsent: usize,
}

impl Echo {
    /// Memory for `depth` messages of `size` bytes; both at least 1.
    #[must_use]
    pub fn new(size: usize, depth: usize) -> Self {
        let mut ring = vec![0; size * depth].into_boxed_slice();
        for message in ring.chunks_exact_mut(size) {
            pattern(message);
        }
        Self {
            size,
            depth,
            ring,
            stamps: vec![Stamp::default(); depth].into_boxed_slice(),
            connection: 0,
            sequence: 0,
            head: 0,
            tail: 0,
            in_flight: 0,
            partial: 0,
            send_at: 0,
            unsent: 0,
        }
    }

    /// Begins anew on a new connection; whatever was in flight is forgotten.
    pub fn restart(&mut self, connection: u32) {
        self.connection = connection;
        // where the header is cut off, connections still begin with different bytes
        self.sequence = connection.wrapping_mul(37);
        (self.head, self.tail, self.in_flight, self.partial, self.send_at, self.unsent) = (0, 0, 0, 0, 0, 0);
    }

    /// Messages queued and not wholly answered.
    #[must_use]
    pub fn in_flight(&self) -> usize {
        self.in_flight
    }

    /// How many more messages may be queued.
    #[must_use]
    pub fn free(&self) -> usize {
        self.depth - self.in_flight
    }

    /// Whether a part of a reply has come, and not yet all of it.
    #[must_use]
    pub fn begun(&self) -> bool {
        self.partial > 0
    }

    /// When the oldest unanswered message was queued.
    #[must_use]
    pub fn oldest(&self) -> Option<u64> {
        (self.in_flight > 0).then(|| self.stamps[self.tail].queued)
    }

    /// Queues `count` new messages, at most [`Echo::free`].
    pub fn queue(&mut self, count: usize, stamp: Stamp) {
        debug_assert!(count <= self.free(), "the ring is full");
        for _ in 0..count {
            let header = (u64::from(self.sequence) | (u64::from(self.connection) << 32)).to_le_bytes();
            let length = HEADER.min(self.size);
            let start = self.head * self.size;
            self.ring[start..start + length].copy_from_slice(&header[..length]);
            self.stamps[self.head] = stamp;
            self.sequence = self.sequence.wrapping_add(1);
            self.head = self.next(self.head);
        }
        self.in_flight += count;
        self.unsent += count * self.size;
    }

    /// The unsent bytes that lie in one piece; empty when all has been sent.
    #[must_use]
    pub fn to_send(&self) -> &[u8] {
        let end = (self.send_at + self.unsent).min(self.ring.len());
        &self.ring[self.send_at..end]
    }

    /// The first `count` bytes of [`Echo::to_send`] have been sent.
    pub fn sent(&mut self, count: usize) {
        self.unsent -= count;
        self.send_at += count;
        if self.send_at == self.ring.len() {
            self.send_at = 0;
        }
    }

    /// Compares what came back and tells `answered(when they were due and queued, how many)` for the messages that are
    /// now complete. Returns how many these are.
    ///
    /// # Errors
    /// The first difference. The connection is worth nothing after that.
    pub fn received(&mut self, bytes: &[u8], answered: impl FnMut(Stamp, u64)) -> Result<usize, Wrong> {
        let awaited = self.in_flight * self.size - self.partial - self.unsent;
        if bytes.len() > awaited {
            // a wrong byte says more than a wrong length
            self.compare(&bytes[..awaited])?;
            return Err(Wrong::Surplus { bytes: bytes.len() - awaited });
        }
        self.compare(bytes)?;
        let progress = self.partial + bytes.len();
        let complete = if progress == self.size { 1 } else { progress / self.size };
        self.partial = progress - complete * self.size;
        self.retire(complete, answered);
        Ok(complete)
    }

    fn compare(&self, bytes: &[u8]) -> Result<(), Wrong> {
        let at = self.tail * self.size + self.partial;
        let (first, second) = bytes.split_at(bytes.len().min(self.ring.len() - at));
        if self.ring[at..at + first.len()] != *first || self.ring[..second.len()] != *second {
            return Err(self.difference(at, bytes));
        }
        Ok(())
    }

    /// Finds the byte that [`Echo::compare`] stumbled over.
    #[cold]
    fn difference(&self, at: usize, bytes: &[u8]) -> Wrong {
        let expected = self.ring[at..].iter().chain(&self.ring[..at]);
        let found = expected.zip(bytes).enumerate().find(|(_, (expected, got))| expected != got);
        match found {
            Some((index, (&expected, &got))) => {
                Wrong::Differs { offset: (self.partial + index) % self.size, expected, got }
            }
            None => Wrong::Surplus { bytes: bytes.len() },
        }
    }

    /// Frees the oldest `count` slots. Messages that were queued together are told together: with a deep pipeline
    /// that is one record instead of many.
    fn retire(&mut self, count: usize, mut answered: impl FnMut(Stamp, u64)) {
        let mut left = count;
        while left > 0 {
            let stamp = self.stamps[self.tail];
            let mut together = 0;
            while left > 0 && self.stamps[self.tail] == stamp {
                self.tail = self.next(self.tail);
                together += 1;
                left -= 1;
            }
            answered(stamp, together);
        }
        self.in_flight -= count;
    }

    fn next(&self, slot: usize) -> usize {
        if slot + 1 == self.depth { 0 } else { slot + 1 }
    }
}

/// Fills a message with bytes that differ by position (xorshift), so that a lost or moved piece is noticed.
fn pattern(message: &mut [u8]) {
    let mut x: u32 = 2_463_534_242;
    for byte in message {
        x ^= x << 13;
        x ^= x >> 17;
        x ^= x << 5;
        *byte = x.to_le_bytes()[0];
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Queues `count` messages and returns what goes over the wire.
    fn send(ping: &mut Echo, count: usize, now: u64) -> Vec<u8> {
        ping.queue(count, Stamp::now(now));
        let mut wire = Vec::new();
        while !ping.to_send().is_empty() {
            wire.extend_from_slice(ping.to_send());
            ping.sent(ping.to_send().len());
        }
        wire
    }

    #[test]
    fn a_reply_may_not_come_before_its_request_was_sent() {
        let mut ping = Echo::new(16, 2);
        ping.restart(1);
        ping.queue(1, Stamp::now(0));
        let early = ping.to_send().to_vec();
        assert_eq!(ping.received(&early, |_, _| ()), Err(Wrong::Surplus { bytes: 16 }));
    }

    #[test]
    fn time_counts_from_the_queueing_of_each_message() {
        let mut ping = Echo::new(8, 4);
        ping.restart(1);
        let mut wire = send(&mut ping, 2, 100);
        wire.extend(send(&mut ping, 1, 150));
        let mut told = Vec::new();
        assert_eq!(ping.received(&wire, |stamp, count| told.push((stamp, count))), Ok(3));
        assert_eq!(told, [(Stamp::now(100), 2), (Stamp::now(150), 1)]);
        assert_eq!((ping.in_flight(), ping.oldest()), (0, None));
    }

    #[test]
    fn the_reply_of_another_connection_or_an_earlier_request_is_wrong() {
        for size in [1, 3, 8, 64] {
            let (mut one, mut other) = (Echo::new(size, 1), Echo::new(size, 1));
            one.restart(1);
            other.restart(2);
            let foreign = send(&mut other, 1, 0);
            let first = send(&mut one, 1, 0);
            assert!(one.received(&foreign, |_, _| ()).is_err(), "size {size}");
            assert_eq!(one.received(&first, |_, _| ()), Ok(1));
            let _second = send(&mut one, 1, 2);
            assert!(one.received(&first, |_, _| ()).is_err(), "size {size}");
        }
    }

    proptest! {
        #[test]
        fn any_chunking_of_the_right_reply_is_accepted(
            size in 1_usize..80,
            depth in 1_usize..6,
            bursts in prop::collection::vec(1_usize..6, 1..20),
            cuts in prop::collection::vec(1_usize..100, 1..20),
        ) {
            let mut ping = Echo::new(size, depth);
            ping.restart(9);
            let (mut wire, mut queued, mut complete) = (Vec::new(), 0, 0);
            let mut cuts = cuts.iter().cycle();
            for burst in bursts {
                let count = burst.min(ping.free());
                wire.extend(send(&mut ping, count, queued as u64));
                queued += count;
                let cut = (*cuts.next().unwrap()).min(wire.len());
                let chunk: Vec<u8> = wire.drain(..cut).collect();
                complete += ping.received(&chunk, |_, _| ()).unwrap();
            }
            complete += ping.received(&wire, |_, _| ()).unwrap();
            prop_assert_eq!(complete, queued);
            prop_assert_eq!(ping.in_flight(), 0);
        }

        #[test]
        fn any_changed_dropped_or_added_byte_is_found(
            size in 2_usize..80,
            depth in 1_usize..5,
            at in any::<prop::sample::Index>(),
            flip in 1_u8..=255,
            how in 0..3,
        ) {
            let mut ping = Echo::new(size, depth);
            ping.restart(4);
            let mut wire = send(&mut ping, depth, 0);
            let at = at.index(wire.len());
            match how {
                0 => wire[at] ^= flip,
                1 => { wire.remove(at); }
                _ => wire.insert(at, flip),
            }
            // a dropped byte may leave a right beginning: then the reply never becomes complete
            let complete = ping.received(&wire, |_, _| ());
            prop_assert!(complete.is_err() || ping.in_flight() > 0);
        }
    }
}

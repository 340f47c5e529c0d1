//! What tasks and results look like on their way: a header, and the values one behind the other, in postcard's format.

use postcard::ser_flavors::Flavor;
use serde::Serialize;
use serde::de::DeserializeOwned;

/// Of which task (its number in the queue); what follows; how many values. 4 bytes each, the lowest first.
pub(super) const HEADER: usize = 12;

/// Values, and the message is complete with them.
pub(super) const COMPLETE: u32 = 0;
/// Values, and another message of the same task follows.
pub(super) const MORE: u32 = 1;
/// No values: how it failed.
pub(super) const FAILED: u32 = 2;

/// A message in the making.
#[derive(Debug)]
pub(super) struct Packer {
    bytes: Vec<u8>,
    count: u32,
}

/// A value is put behind what is there.
struct Behind<'a>(&'a mut Vec<u8>);

impl Flavor for Behind<'_> {
    type Output = ();

    #[inline]
    fn try_push(&mut self, byte: u8) -> postcard::Result<()> {
        self.0.push(byte);
        Ok(())
    }

    #[inline]
    fn try_extend(&mut self, bytes: &[u8]) -> postcard::Result<()> {
        // Most values are small numbers. A copy whose length is known here is one store or two; of any other length, it is a call.
        match *bytes {
            [a] => self.0.push(a),
            [a, b] => self.0.extend_from_slice(&[a, b]),
            [a, b, c] => self.0.extend_from_slice(&[a, b, c]),
            [a, b, c, d] => self.0.extend_from_slice(&[a, b, c, d]),
            [a, b, c, d, e] => self.0.extend_from_slice(&[a, b, c, d, e]),
            _ => self.0.extend_from_slice(bytes),
        }
        Ok(())
    }

    fn finalize(self) -> postcard::Result<()> {
        Ok(())
    }
}

impl Packer {
    pub(super) fn new() -> Self {
        Self { bytes: vec![0; HEADER], count: 0 }
    }

    /// How many values are in it.
    #[inline]
    pub(super) fn count(&self) -> u32 {
        self.count
    }

    /// How long it is.
    #[inline]
    pub(super) fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Begins anew.
    pub(super) fn clear(&mut self) {
        self.bytes.truncate(HEADER);
        self.count = 0;
    }

    /// Adds a value.
    #[inline]
    pub(super) fn push(&mut self, value: &impl Serialize) -> postcard::Result<()> {
        let before = self.bytes.len();
        let pushed = postcard::serialize_with_flavor(value, Behind(&mut self.bytes));
        match pushed {
            Ok(()) => self.count += 1,
            // (half of it may be there)
            Err(_) => self.bytes.truncate(before),
        }
        pushed
    }

    /// The message, with its header.
    pub(super) fn message(&mut self, number: u32, status: u32) -> &[u8] {
        for (at, word) in [number, status, self.count].into_iter().enumerate() {
            self.bytes[at * 4..][..4].copy_from_slice(&word.to_le_bytes());
        }
        &self.bytes
    }

    /// Takes the last value out of it, which began at this length; it is what the next message begins with.
    pub(super) fn split_last(&mut self, at: usize) -> Vec<u8> {
        self.count -= 1;
        self.bytes.split_off(at)
    }

    /// Begins anew with a value that was taken out of the last message.
    pub(super) fn restart_with(&mut self, value: &[u8]) {
        self.clear();
        self.bytes.extend_from_slice(value);
        self.count = 1;
    }
}

/// A message that has come.
#[derive(Debug, Clone, Copy)]
pub(super) struct Unpacked<'a> {
    pub(super) number: u32,
    pub(super) status: u32,
    count: u32,
    values: &'a [u8],
}

impl<'a> Unpacked<'a> {
    /// `None`: it is too short to be one.
    pub(super) fn new(message: &'a [u8]) -> Option<Self> {
        let (words, _) = message.as_chunks::<4>();
        let &[number, status, count, ..] = words else { return None };
        let [number, status, count] = [number, status, count].map(u32::from_le_bytes);
        Some(Self { number, status, count, values: &message[HEADER..] })
    }

    /// The values, in their order.
    #[inline]
    pub(super) fn values<T: DeserializeOwned>(
        self,
    ) -> impl ExactSizeIterator<Item = postcard::Result<T>> + 'a {
        let mut left = self.values;
        (0..self.count as usize).map(move |_| {
            let (value, rest) = postcard::take_from_bytes(left)?;
            left = rest;
            Ok(value)
        })
    }
}

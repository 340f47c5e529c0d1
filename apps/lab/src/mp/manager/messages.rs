//! What a client and the server say to each other: a length, and as many bytes.

use std::io::{self, Read, Write};
use std::time::Duration;

use serde::de::{DeserializeOwned, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::MESSAGE_MAX;

/// What a client has to know, beside the name of the socket.
pub(super) const SECRET: usize = 32;
/// A message is longer than its values by no more than this and a few bytes a value.
const HEAD: usize = 64;

/// A value as bytes. (As *one* thing: a plain `Vec<u8>` would be written and read number by number.)
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub(super) struct Blob(pub(super) Vec<u8>);

impl Serialize for Blob {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(&self.0)
    }
}

impl<'de> Deserialize<'de> for Blob {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Bytes;
        impl<'de> Visitor<'de> for Bytes {
            type Value = Blob;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("bytes")
            }

            fn visit_bytes<E>(self, bytes: &[u8]) -> Result<Blob, E> {
                Ok(Blob(bytes.to_vec()))
            }

            fn visit_byte_buf<E>(self, bytes: Vec<u8>) -> Result<Blob, E> {
                Ok(Blob(bytes))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut numbers: A) -> Result<Blob, A::Error> {
                let mut bytes = Vec::new();
                while let Some(byte) = numbers.next_element()? {
                    bytes.push(byte);
                }
                Ok(Blob(bytes))
            }
        }
        deserializer.deserialize_byte_buf(Bytes)
    }
}

/// What an object is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Kind {
    Dict,
    List,
    /// For so many items.
    Queue(u64),
    Lock,
}

/// How long the server may let a client wait. `None`: as long as it takes.
pub(super) type Limit = Option<Duration>;

/// From a client.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Request {
    Create(Kind),
    On(u64, Operation),
    /// The item of a queue has arrived. No answer is given.
    Taken,
}

/// What is done to an object, all of it at once: nobody sees a half of it.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Operation {
    /// Of a dict, a list or a queue.
    Len,
    /// Of a dict or a list.
    Clear,
    DictGet(Blob),
    DictSet(Blob, Blob),
    DictRemove(Blob),
    DictContains(Blob),
    DictItems,
    DictKeys,
    ListAppend(Blob),
    ListGet(u64),
    ListSet(u64, Blob),
    ListPop,
    ListAll,
    Put(Blob, Limit),
    Get(Limit),
    Close,
    Capacity,
    Acquire(Limit),
    Release,
}

impl Operation {
    /// How long it may wait.
    pub(super) fn limit(&self) -> Limit {
        match self {
            Self::Put(_, limit) | Self::Get(limit) | Self::Acquire(limit) => *limit,
            _ => Some(Duration::ZERO),
        }
    }
}

/// From the server.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Reply {
    /// To the secret.
    Welcome,
    Done,
    Created(u64),
    Number(u64),
    Truth(bool),
    Value(Option<Blob>),
    Values(Vec<Blob>),
    Pairs(Vec<(Blob, Blob)>),
    /// Of a queue: it is the client's when the client has said [`Request::Taken`].
    Item(Blob),
    Acquired {
        owner_died: bool,
    },
    Refused(Refusal),
}

/// Why the server did not do it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Refusal {
    Stranger,
    Connections,
    Objects,
    NoRoom,
    TooLarge,
    NoSuchObject,
    OutOfRange,
    Full,
    Empty,
    Closed,
    Ended,
    Locked,
    NotHeld,
}

/// Whether two secrets are the same, in a time that does not tell how much of them is.
pub(super) fn same(one: &[u8; SECRET], other: &[u8; SECRET]) -> bool {
    let differs = one.iter().zip(other).fold(0, |all, (a, b)| std::hint::black_box(all | (a ^ b)));
    std::hint::black_box(differs) == 0
}

/// A message as it is sent; `None`: too long.
pub(super) fn frame(message: &impl Serialize) -> Result<Option<Vec<u8>>, postcard::Error> {
    // the place of the length, which is written when it is known
    let mut bytes = postcard::to_extend(message, vec![0; 4])?;
    let length = bytes.len() - 4;
    if length > MESSAGE_MAX + HEAD {
        return Ok(None);
    }
    let length = u32::try_from(length).map_err(|_| postcard::Error::SerializeBufferFull)?;
    bytes[..4].copy_from_slice(&length.to_le_bytes());
    Ok(Some(bytes))
}

/// Sends a message that is not too long.
pub(super) fn send(mut to: impl Write, message: &impl Serialize) -> io::Result<()> {
    let frame = frame(message).map_err(io::Error::other)?;
    to.write_all(&frame.ok_or(io::ErrorKind::InvalidData)?)
}

/// Receives a message. Memory is taken as its bytes arrive, not as its length promises.
pub(super) fn receive<T: DeserializeOwned>(mut from: impl Read) -> io::Result<T> {
    let mut length = [0; 4];
    from.read_exact(&mut length)?;
    let length = u64::from(u32::from_le_bytes(length));
    if length > (MESSAGE_MAX + HEAD) as u64 {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "a message longer than any"));
    }
    let mut bytes = Vec::new();
    if from.take(length).read_to_end(&mut bytes)? as u64 != length {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    postcard::from_bytes(&bytes).map_err(|e| io::Error::new(io::ErrorKind::InvalidData, e))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_sent_is_received() {
        let mut bytes = Vec::new();
        send(&mut bytes, &Request::On(7, Operation::DictSet(Blob(vec![1]), Blob(vec![2; 300])))).unwrap();
        let Request::On(7, Operation::DictSet(key, value)) = receive(&bytes[..]).unwrap() else { panic!() };
        assert_eq!((key, value), (Blob(vec![1]), Blob(vec![2; 300])));
        for cut in 0..bytes.len() {
            assert!(receive::<Request>(&bytes[..cut]).is_err(), "cut at {cut}");
        }
    }

    #[test]
    fn a_message_is_bounded_on_both_sides() {
        assert!(frame(&Reply::Item(Blob(vec![0; MESSAGE_MAX]))).unwrap().is_some());
        assert!(frame(&Reply::Item(Blob(vec![0; MESSAGE_MAX + HEAD]))).unwrap().is_none());
        let error = receive::<Reply>(&u32::MAX.to_le_bytes()[..]).unwrap_err();
        assert!(error.to_string().contains("longer"), "{error}");
    }

    #[test]
    fn secrets_are_compared_to_the_last_bit() {
        let one = [7; SECRET];
        assert!(same(&one, &one.clone()));
        for place in 0..SECRET * 8 {
            let mut other = one;
            other[place / 8] ^= 1 << (place % 8);
            assert!(!same(&one, &other), "bit {place}");
        }
    }
}

//! Values as bytes and back, without an allocation a message: each thread keeps one buffer for it.

use std::any::type_name;
use std::cell::Cell;

use postcard::ser_flavors::Flavor;
use serde::Serialize;
use serde::de::DeserializeOwned;

/// A buffer that has grown beyond this is not kept.
const KEPT: usize = 1 << 20;

thread_local! {
    static BUFFER: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// Runs `action` with this thread's buffer, which may hold anything. (A value whose serialisation uses a queue itself gets a fresh one.)
#[inline]
pub(super) fn with_buffer<R>(action: impl FnOnce(&mut Vec<u8>) -> R) -> R {
    let mut buffer = BUFFER.try_with(Cell::take).unwrap_or_default();
    let outcome = action(&mut buffer);
    if buffer.capacity() <= KEPT {
        let _ = BUFFER.try_with(|place| place.set(buffer));
    }
    outcome
}

/// Why a value is not bytes.
pub(super) enum NotBytes {
    TooLarge,
    Unserializable(postcard::Error),
}

/// Writes the value into the buffer. Stops where it is longer than `most`.
#[inline]
pub(super) fn encode<T: Serialize>(item: &T, buffer: &mut Vec<u8>, most: usize) -> Result<(), NotBytes> {
    buffer.clear();
    postcard::serialize_with_flavor(item, UpTo { most, buffer }).map_err(|error| match error {
        postcard::Error::SerializeBufferFull => NotBytes::TooLarge,
        other => NotBytes::Unserializable(other),
    })
}

/// The value that all of these bytes are.
///
/// # Errors
/// They are something else.
#[inline]
pub(super) fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, postcard::Error> {
    match postcard::take_from_bytes(bytes)? {
        (item, []) => Ok(item),
        _ => Err(postcard::Error::DeserializeBadEncoding),
    }
}

/// A number for a type, by its full name: whoever opens a queue of another type is refused. (FNV-1a.)
pub(super) fn fingerprint<T>() -> u64 {
    type_name::<T>().bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

struct UpTo<'a> {
    most: usize,
    buffer: &'a mut Vec<u8>,
}

impl Flavor for UpTo<'_> {
    type Output = ();

    #[inline]
    fn try_push(&mut self, byte: u8) -> postcard::Result<()> {
        if self.buffer.len() >= self.most {
            return Err(postcard::Error::SerializeBufferFull);
        }
        self.buffer.push(byte);
        Ok(())
    }

    #[inline]
    fn try_extend(&mut self, bytes: &[u8]) -> postcard::Result<()> {
        if bytes.len() > self.most - self.buffer.len() {
            return Err(postcard::Error::SerializeBufferFull);
        }
        self.buffer.extend_from_slice(bytes);
        Ok(())
    }

    fn finalize(self) -> postcard::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(item: &impl Serialize, most: usize) -> Option<Vec<u8>> {
        let mut buffer = vec![7; 3];
        encode(item, &mut buffer, most).ok().map(|()| buffer)
    }

    #[test]
    fn what_is_encoded_is_decoded() {
        let value = (1u8, "传习录".to_owned(), vec![1.5f64], Some(-7i64));
        let encoded = bytes(&value, 1000).unwrap();
        assert_eq!(decode::<(u8, String, Vec<f64>, Option<i64>)>(&encoded).unwrap(), value);
        assert!(decode::<u8>(&encoded).is_err(), "bytes are left over");
        assert!(decode::<(String, String)>(&encoded).is_err());
    }

    #[test]
    fn a_value_is_encoded_up_to_its_bound() {
        let text = "x".repeat(200);
        assert_eq!(bytes(&text, 202).unwrap().len(), 202);
        assert!(bytes(&text, 201).is_none());
        assert!(bytes(&[1u8; 9].to_vec(), 9).is_none());
    }

    #[test]
    fn a_type_is_told_from_another() {
        assert_eq!(fingerprint::<(u8, String)>(), fingerprint::<(u8, String)>());
        assert_ne!(fingerprint::<(u8, String)>(), fingerprint::<(i8, String)>());
    }

    #[test]
    fn a_buffer_that_has_grown_is_not_kept() {
        with_buffer(|buffer| buffer.resize(KEPT + 1, 0));
        with_buffer(|buffer| {
            assert_eq!(buffer.capacity(), 0);
            buffer.reserve(100);
        });
        with_buffer(|buffer| {
            assert!(buffer.capacity() >= 100, "kept");
            with_buffer(|inner| assert_eq!(inner.capacity(), 0, "a nested one is another"));
        });
    }
}

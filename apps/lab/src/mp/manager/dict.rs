//! A dict that processes share.

use std::fmt;
use std::marker::PhantomData;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::client::{Remote, decode, encode};
use super::error::Error;
use super::messages::{Operation, Reply};

/// A dict in the manager's process; this is a proxy of it, and so are its clones. Made by [`Manager::dict`](super::Manager::dict).
///
/// Each call is done at once or not at all. Two calls are two: between a `get` and the `set` that depends on it somebody else
/// may set, and that is lost; a [`ManagedLock`](super::ManagedLock) around both cures it. Keys are the same if their serialised bytes are (a
/// hash set, whose order changes, is no key).
#[derive(Serialize, Deserialize)]
#[serde(transparent, bound = "")]
pub struct Dict<K, V> {
    remote: Remote,
    #[serde(skip)]
    entries: PhantomData<fn() -> (K, V)>,
}

impl<K, V> Clone for Dict<K, V> {
    fn clone(&self) -> Self {
        Self::new(self.remote.clone())
    }
}

impl<K, V> fmt::Debug for Dict<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Dict({:?})", self.remote)
    }
}

impl<K, V> Dict<K, V> {
    pub(super) fn new(remote: Remote) -> Self {
        Self { remote, entries: PhantomData }
    }

    /// How many keys it has.
    ///
    /// # Errors
    /// The manager is [gone](Error::Gone), or has no [connection](Error::TooManyConnections) left. (So it is with every call.)
    pub fn len(&self) -> Result<usize, Error> {
        self.remote.number(Operation::Len)
    }

    /// Whether it has none.
    ///
    /// # Errors
    /// As [`Self::len`].
    pub fn is_empty(&self) -> Result<bool, Error> {
        Ok(self.len()? == 0)
    }

    /// Removes all.
    ///
    /// # Errors
    /// As [`Self::len`].
    pub fn clear(&self) -> Result<(), Error> {
        self.remote.done(Operation::Clear)
    }
}

impl<K: Serialize + DeserializeOwned, V: Serialize + DeserializeOwned> Dict<K, V> {
    /// A copy of the value: changing it changes nothing here until it is [set](Self::set).
    ///
    /// # Errors
    /// The key cannot be serialised; the value is of another type; as [`Self::len`].
    pub fn get(&self, key: &K) -> Result<Option<V>, Error> {
        self.remote.value(Operation::DictGet(encode(key)?))
    }

    /// Sets it; a key that is new comes after the others.
    ///
    /// # Errors
    /// Key or value cannot be serialised or are [too large](Error::TooLarge); there is [no room](Error::NoRoom); as [`Self::len`].
    pub fn set(&self, key: &K, value: &V) -> Result<(), Error> {
        self.remote.done(Operation::DictSet(encode(key)?, encode(value)?))
    }

    /// Removes it and gives what it was. (A process that is killed in this call may take the value with it.)
    ///
    /// # Errors
    /// As [`Self::get`].
    #[doc(alias = "pop")]
    pub fn remove(&self, key: &K) -> Result<Option<V>, Error> {
        self.remote.value(Operation::DictRemove(encode(key)?))
    }

    /// Whether it has this key.
    ///
    /// # Errors
    /// As [`Self::get`].
    pub fn contains(&self, key: &K) -> Result<bool, Error> {
        let reply = self.remote.ask(Operation::DictContains(encode(key)?))?;
        Ok(matches!(reply, Reply::Truth(true)))
    }

    /// The keys of one moment, in the order in which they were first set.
    ///
    /// # Errors
    /// Together they are [too large](Error::TooLarge) for a message; as [`Self::get`].
    pub fn keys(&self) -> Result<Vec<K>, Error> {
        self.remote.values(Operation::DictKeys)
    }

    /// Copies of all keys and values of one moment, in the order in which the keys were first set.
    ///
    /// # Errors
    /// As [`Self::keys`].
    pub fn items(&self) -> Result<Vec<(K, V)>, Error> {
        match self.remote.ask(Operation::DictItems)? {
            Reply::Pairs(pairs) => {
                pairs.iter().map(|(key, value)| Ok((decode(key)?, decode(value)?))).collect()
            }
            _ => Err(Error::Gone),
        }
    }
}

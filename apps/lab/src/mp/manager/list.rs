//! A list that processes share.

use std::fmt;
use std::marker::PhantomData;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::client::{Remote, encode};
use super::error::Error;
use super::messages::Operation;

/// A list in the manager's process; this is a proxy of it, and so are its clones. Made by [`Manager::list`](super::Manager::list).
///
/// Each call is done at once or not at all, and what is fetched is a copy; see [`Dict`](super::Dict).
#[derive(Serialize, Deserialize)]
#[serde(transparent, bound = "")]
pub struct List<V> {
    remote: Remote,
    #[serde(skip)]
    values: PhantomData<fn(V) -> V>,
}

impl<V> Clone for List<V> {
    fn clone(&self) -> Self {
        Self::new(self.remote.clone())
    }
}

impl<V> fmt::Debug for List<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "List({:?})", self.remote)
    }
}

impl<V> List<V> {
    pub(super) fn new(remote: Remote) -> Self {
        Self { remote, values: PhantomData }
    }

    /// How many values it has.
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

impl<V: Serialize + DeserializeOwned> List<V> {
    /// Puts a value at the end.
    ///
    /// # Errors
    /// It cannot be serialised or is [too large](Error::TooLarge); there is [no room](Error::NoRoom); as [`Self::len`].
    pub fn append(&self, value: &V) -> Result<(), Error> {
        self.remote.done(Operation::ListAppend(encode(value)?))
    }

    /// A copy of the value at this place, from 0; `None`: the list is shorter.
    ///
    /// # Errors
    /// It is of another type; as [`Self::len`].
    pub fn get(&self, index: usize) -> Result<Option<V>, Error> {
        self.remote.value(Operation::ListGet(index as u64))
    }

    /// Puts another value in this place.
    ///
    /// # Errors
    /// The list [is shorter](Error::OutOfRange); as [`Self::append`].
    pub fn set(&self, index: usize, value: &V) -> Result<(), Error> {
        self.remote.done(Operation::ListSet(index as u64, encode(value)?))
    }

    /// Removes the last value. (A process that is killed in this call may take it with it.)
    ///
    /// # Errors
    /// As [`Self::get`].
    pub fn pop(&self) -> Result<Option<V>, Error> {
        self.remote.value(Operation::ListPop)
    }

    /// Copies of all values of one moment.
    ///
    /// # Errors
    /// Together they are [too large](Error::TooLarge) for a message; as [`Self::get`].
    pub fn to_vec(&self) -> Result<Vec<V>, Error> {
        self.remote.values(Operation::ListAll)
    }
}

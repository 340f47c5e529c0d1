//! A queue that any processes share, those of a pool among them.

use std::fmt;
use std::marker::PhantomData;
use std::time::Duration;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::client::{Remote, decode, encode};
use super::error::Error;
use super::messages::{Operation, Reply};
use crate::mp::Wait;

/// A queue in the manager's process; this is a proxy of it, and so are its clones. Made by [`Manager::queue`](super::Manager::queue).
///
/// Slower than [`mp::queue`](crate::mp) by a process between the two ends, but it can be sent anywhere. An item that was sent to a
/// process that is killed before it has it goes back to the front of the queue, and is somebody else's (who may have got later ones meanwhile). One that was put is there when `put` is
/// back; if the process is killed before that, it may or may not be there, once.
#[derive(Serialize, Deserialize)]
#[serde(transparent, bound = "")]
pub struct ManagedQueue<V> {
    remote: Remote,
    #[serde(skip)]
    values: PhantomData<fn(V) -> V>,
}

impl<V> Clone for ManagedQueue<V> {
    fn clone(&self) -> Self {
        Self::new(self.remote.clone())
    }
}

impl<V> fmt::Debug for ManagedQueue<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ManagedQueue({:?})", self.remote)
    }
}

impl<V> ManagedQueue<V> {
    pub(super) fn new(remote: Remote) -> Self {
        Self { remote, values: PhantomData }
    }

    /// How many items wait. (By the time one reads the answer it may be another number: no decision should stand on it.)
    ///
    /// # Errors
    /// The manager is [gone](Error::Gone), or has no [connection](Error::TooManyConnections) left. (So it is with every call.)
    #[doc(alias = "qsize")]
    pub fn len(&self) -> Result<usize, Error> {
        self.remote.number(Operation::Len)
    }

    /// Whether none waits; see [`Self::len`].
    ///
    /// # Errors
    /// As [`Self::len`].
    #[doc(alias = "empty")]
    pub fn is_empty(&self) -> Result<bool, Error> {
        Ok(self.len()? == 0)
    }

    /// Whether as many wait as may; see [`Self::len`].
    ///
    /// # Errors
    /// As [`Self::len`].
    #[doc(alias = "full")]
    pub fn is_full(&self) -> Result<bool, Error> {
        Ok(self.len()? >= self.capacity()?)
    }

    /// How many may wait.
    ///
    /// # Errors
    /// As [`Self::len`].
    pub fn capacity(&self) -> Result<usize, Error> {
        self.remote.number(Operation::Capacity)
    }

    /// Nothing more may be put in. What is in it can still be got; then it has [ended](Error::Ended).
    ///
    /// # Errors
    /// As [`Self::len`].
    pub fn close(&self) -> Result<(), Error> {
        self.remote.done(Operation::Close)
    }
}

impl<V: Serialize + DeserializeOwned> ManagedQueue<V> {
    /// Puts an item in; waits for a place.
    ///
    /// # Errors
    /// The queue is [closed](Error::Closed); the item cannot be serialised or is [too large](Error::TooLarge); there is
    /// [no room](Error::NoRoom) in bytes (that is not waited for); as [`Self::len`].
    pub fn put(&self, item: &V) -> Result<(), Error> {
        self.put_waiting(item, Wait::Forever)
    }

    /// Puts an item in if there is a place now.
    ///
    /// # Errors
    /// There is [none](Error::Full); as [`Self::put`].
    #[doc(alias = "put_nowait")]
    pub fn try_put(&self, item: &V) -> Result<(), Error> {
        self.put_waiting(item, Wait::No)
    }

    /// Puts an item in; waits for a place no longer than this.
    ///
    /// # Errors
    /// There was [none](Error::Full); as [`Self::put`].
    pub fn put_within(&self, item: &V, span: Duration) -> Result<(), Error> {
        self.put_waiting(item, Wait::at_most(span))
    }

    /// Takes the oldest item; waits for one.
    ///
    /// # Errors
    /// The queue has [ended](Error::Ended); the item was of another type (it is gone); as [`Self::len`].
    pub fn get(&self) -> Result<V, Error> {
        self.get_waiting(Wait::Forever)
    }

    /// Takes the oldest item if there is one now.
    ///
    /// # Errors
    /// There is [none](Error::Empty) (also: none, while the last one of a closed queue is on its way to somebody); as [`Self::get`].
    #[doc(alias = "get_nowait")]
    pub fn try_get(&self) -> Result<V, Error> {
        self.get_waiting(Wait::No)
    }

    /// Takes the oldest item; waits for one no longer than this.
    ///
    /// # Errors
    /// There was [none](Error::Empty); as [`Self::get`].
    pub fn get_within(&self, span: Duration) -> Result<V, Error> {
        self.get_waiting(Wait::at_most(span))
    }

    fn put_waiting(&self, item: &V, wait: Wait) -> Result<(), Error> {
        self.remote.done(Operation::Put(encode(item)?, wait.left()))
    }

    fn get_waiting(&self, wait: Wait) -> Result<V, Error> {
        match self.remote.ask(Operation::Get(wait.left()))? {
            Reply::Item(item) => decode(&item),
            _ => Err(Error::Gone),
        }
    }
}

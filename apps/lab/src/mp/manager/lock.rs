//! A lock that any processes share.

use std::time::Duration;

use nix::unistd::getpid;
use serde::{Deserialize, Serialize};

use super::client::{Connection, Remote};
use super::error::Error;
use super::messages::{Operation, Reply, Request};
use crate::mp::Wait;

/// A lock in the manager's process; this is a proxy of it, and so are its clones. Made by [`Manager::lock`](super::Manager::lock).
///
/// Where a [`common::lock::Lock`] can be inherited it is faster by far; this one can be sent anywhere. It is not re-entrant: whoever holds it and
/// acquires it again waits for itself, until its time is over.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ManagedLock(Remote);

/// Held, and released when it is dropped, by the process that got it: a forked child's copy is nothing. When that process is
/// killed, the manager releases it.
#[must_use = "a guard that is dropped at once protects nothing"]
pub struct ManagedGuard {
    remote: Remote,
    /// The lock is this connection's.
    connection: Option<Connection>,
    owner_died: bool,
}

impl ManagedLock {
    pub(super) fn new(remote: Remote) -> Self {
        Self(remote)
    }

    /// Holds it; waits for it no longer than this ([`Duration::MAX`]: as long as it takes).
    ///
    /// # Errors
    /// Somebody else [holds it](Error::Locked); the manager is [gone](Error::Gone), or has no [connection](Error::TooManyConnections) left.
    pub fn acquire(&self, span: Duration) -> Result<ManagedGuard, Error> {
        self.acquire_waiting(Wait::at_most(span))
    }

    /// Holds it if it is free now.
    ///
    /// # Errors
    /// As [`Self::acquire`].
    pub fn try_acquire(&self) -> Result<ManagedGuard, Error> {
        self.acquire_waiting(Wait::No)
    }

    fn acquire_waiting(&self, wait: Wait) -> Result<ManagedGuard, Error> {
        let limit = wait.left();
        let connection = self.0.client.take()?;
        match connection.ask(&Request::On(self.0.id, Operation::Acquire(limit)), limit) {
            Ok(Reply::Acquired { owner_died }) => {
                Ok(ManagedGuard { remote: self.0.clone(), connection: Some(connection), owner_died })
            }
            Ok(_) | Err(Error::Gone) => Err(Error::Gone),
            Err(refused) => {
                self.0.client.give_back(connection);
                Err(refused)
            }
        }
    }
}

impl std::fmt::Debug for ManagedGuard {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ManagedGuard({:?}, owner_died: {})", self.remote, self.owner_died)
    }
}

impl ManagedGuard {
    /// The last holder died with it: what it protects may be half-changed. Said to the first one after it only.
    #[must_use]
    pub fn owner_died(&self) -> bool {
        self.owner_died
    }
}

impl Drop for ManagedGuard {
    fn drop(&mut self) {
        let own = self.connection.take().filter(|connection| connection.of == getpid());
        if let Some(connection) = own {
            let release = Request::On(self.remote.id, Operation::Release);
            // (a connection that fails ends, and the lock is released with it)
            if connection.ask(&release, Some(Duration::ZERO)).is_ok() {
                self.remote.client.give_back(connection);
            }
        }
    }
}

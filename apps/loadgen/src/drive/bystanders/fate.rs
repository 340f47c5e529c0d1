//! What became of the bystanders: plain counts.

use serde::{Deserialize, Serialize};

use super::Guest;

/// How the server ended a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// In order: a FIN.
    Closed,
    /// By a RST, or the network failed.
    Reset,
    /// It did not: it sent something wrong, and we did.
    Wrong,
}

/// What became of the connections of one kind.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Fate {
    /// Asked for.
    pub asked: usize,
    /// Accepted by the server's kernel.
    pub established: usize,
    /// Had at least one right reply.
    pub served: usize,
    /// Closed by the server in order (FIN).
    pub closed: usize,
    /// Reset by the server (RST).
    pub reset: usize,
    /// Closed by us, after a wrong reply.
    pub wrong: usize,
}

impl Fate {
    /// Served once and not closed since.
    #[must_use]
    pub fn held(&self) -> usize {
        self.served.saturating_sub(self.closed + self.reset + self.wrong)
    }

    pub(super) fn add(&mut self, guest: &Guest) {
        self.asked += 1;
        self.established += usize::from(guest.connection.established);
        self.served += usize::from(guest.connection.served);
        match guest.end {
            Some(End::Closed) => self.closed += 1,
            Some(End::Reset) => self.reset += 1,
            Some(End::Wrong) => self.wrong += 1,
            None => {}
        }
    }

    /// Adds another trial.
    pub fn merge(&mut self, other: &Self) {
        self.asked += other.asked;
        self.established += other.established;
        self.served += other.served;
        self.closed += other.closed;
        self.reset += other.reset;
        self.wrong += other.wrong;
    }
}

/// What became of all bystanders.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Fates {
    /// Those that send one request.
    pub idle: Fate,
    /// Those that send a byte now and then.
    pub dribblers: Fate,
    /// Bytes that these have sent.
    pub dribbled: u64,
    /// Those that never read.
    pub never_readers: Fate,
    /// Bytes that the sockets of these took.
    pub taken: u64,
    /// How many of these had a full socket at the end.
    pub full: usize,
    /// Those that take all they can get.
    pub greedy: Fate,
    /// Why the first connect failed that did.
    pub connect_error: Option<i32>,
}

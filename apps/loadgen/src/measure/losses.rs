//! What was lost, by class and by the kernel's error number.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::ping::Unexpected;

/// Why a connection failed, or a request on one that goes on. Every failure has exactly one class.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Class {
    /// Nobody listens there.
    ConnectRefused,
    /// A connect took longer than the time limit.
    ConnectTimedOut,
    /// The server reset the connection.
    Reset,
    /// The server closed the connection before all replies had come.
    ClosedEarly,
    /// A reply took longer than the time limit.
    TimedOut,
    /// A reply was not what had been sent.
    Corrupt,
    /// A reply came whole and was not what it must be. The connection goes on.
    Unexpected,
    /// This machine could not: no ports, descriptors or memory left. Says nothing about the server.
    ClientSide,
    /// Anything else; the error number says what.
    Other,
}

impl Class {
    /// How many there are.
    pub const COUNT: usize = Self::Other as usize + 1;
    /// All of them, as they are numbered.
    pub const ALL: [Self; Self::COUNT] = [
        Self::ConnectRefused,
        Self::ConnectTimedOut,
        Self::Reset,
        Self::ClosedEarly,
        Self::TimedOut,
        Self::Corrupt,
        Self::Unexpected,
        Self::ClientSide,
        Self::Other,
    ];

    /// The class in words, for a sentence.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Self::ConnectRefused => "connect refused",
            Self::ConnectTimedOut => "connect timed out",
            Self::Reset => "reset by the server",
            Self::ClosedEarly => "closed early",
            Self::TimedOut => "timed out",
            Self::Corrupt => "corrupt",
            Self::Unexpected => "unexpected",
            Self::ClientSide => "client side",
            Self::Other => "other",
        }
    }
}

impl Class {
    /// Whether a connection that failed so was never open.
    #[must_use]
    pub fn is_of_connect(self) -> bool {
        matches!(self, Self::ConnectRefused | Self::ConnectTimedOut | Self::ClientSide)
    }
}

/// One class and error number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Loss {
    /// Connections that failed so.
    pub connections: u64,
    /// Requests that were in flight on them.
    pub requests: u64,
    /// The first one.
    pub first: Option<First>,
}

/// Where something happened first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize)]
pub struct First {
    /// Nanoseconds since the trial began.
    pub at: u64,
    /// On which connection, of one thread, from 0.
    pub connection: u32,
}

impl Loss {
    fn begin(&mut self, first: Option<First>) {
        self.first = [self.first, first].into_iter().flatten().min();
    }
}

/// All that was lost. Bounded: there are only so many classes and error numbers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Losses {
    by_cause: BTreeMap<(Class, Option<i32>), Loss>,
    first_wrong: Option<String>,
}

impl Losses {
    /// A connection failed with this many requests in flight.
    pub fn add(&mut self, class: Class, errno: Option<i32>, requests: u64, here: First) {
        let loss = self.by_cause.entry((class, errno)).or_default();
        loss.begin(Some(here));
        loss.connections += 1;
        loss.requests += requests;
    }

    /// Keeps the first wrong reply: it shows what kind of wrong to look for.
    pub fn note_wrong(&mut self, wrong: impl FnOnce() -> String) {
        self.first_wrong.get_or_insert_with(wrong);
    }

    /// Replies were not what they must be; no connection was lost.
    pub fn add_unexpected(&mut self, unexpected: Unexpected, here: First) {
        let loss = self.by_cause.entry((Class::Unexpected, None)).or_default();
        loss.requests += unexpected.replies;
        loss.begin(Some(here));
        if let Some(first) = unexpected.first {
            self.note_wrong(|| first);
        }
    }

    /// Replies that were not what they must be.
    #[must_use]
    pub fn unexpected(&self) -> u64 {
        self.by_cause.get(&(Class::Unexpected, None)).map_or(0, |loss| loss.requests)
    }

    /// The first wrong reply, if any.
    #[must_use]
    pub fn first_wrong(&self) -> Option<&str> {
        self.first_wrong.as_deref()
    }

    /// Adds another thread's losses.
    pub fn merge(&mut self, other: &Self) {
        for (cause, loss) in &other.by_cause {
            let sum = self.by_cause.entry(*cause).or_default();
            sum.connections += loss.connections;
            sum.requests += loss.requests;
            sum.begin(loss.first);
        }
        if self.first_wrong.is_none() {
            self.first_wrong.clone_from(&other.first_wrong);
        }
    }

    /// Each cause with its counts.
    pub fn iter(&self) -> impl Iterator<Item = (Class, Option<i32>, Loss)> {
        self.by_cause.iter().map(|((class, errno), loss)| (*class, *errno, *loss))
    }

    /// All requests that were lost.
    #[must_use]
    pub fn requests(&self) -> u64 {
        self.by_cause.values().map(|loss| loss.requests).sum()
    }

    /// All connections that failed.
    #[must_use]
    pub fn connections(&self) -> u64 {
        self.by_cause.values().map(|loss| loss.connections).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_cause_has_its_own_count() {
        let mut losses = Losses::default();
        losses.add(Class::Reset, Some(104), 3, First::default());
        losses.add(Class::Reset, Some(32), 1, First::default());
        losses.add(Class::ClosedEarly, None, 0, First::default());
        let mut sum = losses.clone();
        sum.merge(&losses);
        assert_eq!((sum.connections(), sum.requests()), (6, 8));
        assert!(sum.iter().any(|(class, errno, loss)| {
            (class, errno, loss)
                == (
                    Class::Reset,
                    Some(104),
                    Loss { connections: 2, requests: 6, first: Some(First::default()) },
                )
        }));
    }

    #[test]
    fn an_unexpected_reply_costs_a_request_and_no_connection() {
        let mut losses = Losses::default();
        losses.add_unexpected(Unexpected { replies: 2, first: Some("one".to_owned()) }, First::default());
        losses.add_unexpected(Unexpected { replies: 1, first: Some("two".to_owned()) }, First::default());
        assert_eq!((losses.connections(), losses.requests(), losses.unexpected()), (0, 3, 3));
        assert_eq!(losses.first_wrong(), Some("one"));
    }
}

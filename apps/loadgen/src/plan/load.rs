//! The load of one trial.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::ping::Protocol;

/// The load of one trial.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Load {
    /// Connections, over all client threads.
    pub connections: usize,
    /// When the measuring ends.
    pub stop: Stop,
    /// Client threads.
    pub threads: usize,
    /// Bytes of a message; where the user says what it is, of the longest.
    pub size: usize,
    /// What is sent and what must come back.
    pub protocol: Protocol,
    /// Requests under way on one connection.
    pub depth: usize,
    /// Load before the measuring, in seconds in a report.
    #[serde(with = "seconds")]
    #[cfg_attr(test, schemars(with = "f64"))]
    pub warmup: Duration,
    /// A connection is closed and replaced after this many replies; `None`: it is kept.
    pub reconnect: Option<u64>,
    /// The longest time that a connect or a reply may take.
    #[serde(with = "seconds")]
    #[cfg_attr(test, schemars(with = "f64"))]
    pub timeout: Duration,
    /// What decides when a request is sent.
    pub arrivals: Arrivals,
    /// Connections that are there as well and are not measured.
    pub bystanders: Bystanders,
    /// The time in which all connections are opened; `None`: as fast as they can be.
    #[serde(with = "maybe_seconds")]
    #[cfg_attr(test, schemars(with = "Option<f64>"))]
    pub ramp: Option<Duration>,
    /// The local addresses that connections to loopback leave from; `None`: as many as are needed.
    pub sources: Option<usize>,
    /// How often the run is looked at while it lasts.
    #[serde(with = "seconds")]
    #[cfg_attr(test, schemars(with = "f64"))]
    pub interval: Duration,
}

/// What decides when a request is sent.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Arrivals {
    /// A closed loop: the reply before it. Measures throughput.
    AfterReply,
    /// An open loop: the clock. Measures latency.
    AtRate(Rate),
    /// An open loop at a share of what the server did in a closed loop before: known when that has been measured.
    OfKnee {
        /// 1 = as much as it did.
        share: f64,
        /// How the requests are spaced.
        spacing: Spacing,
        /// What the random numbers are made from.
        seed: u64,
    },
}

/// Requests per second, over all connections.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Rate {
    /// At the beginning.
    pub from: f64,
    /// At the end; in between it changes evenly.
    pub to: f64,
    /// How the requests are spaced.
    pub spacing: Spacing,
    /// What the random numbers are made from: the same seed gives the same schedule.
    pub seed: u64,
}

/// How the requests of an open loop are spaced.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Spacing {
    /// Evenly.
    Uniform,
    /// At random, as those of many clients that know nothing of each other.
    Poisson,
    /// So many at once.
    Burst(u64),
}

/// Connections that are there as well and are not measured.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Bystanders {
    /// They send one request and then nothing.
    pub idle: usize,
    /// Every other one sends a byte now and then, the others send and never read.
    pub slow: usize,
    /// They send large messages, many at a time, as fast as they are taken.
    pub greedy: usize,
}

impl Bystanders {
    /// How many there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.idle + self.slow + self.greedy
    }
}

/// When the measuring ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Stop {
    /// After this time.
    After(
        #[serde(with = "seconds")]
        #[cfg_attr(test, schemars(with = "f64"))]
        Duration,
    ),
    /// After this many requests.
    Requests(u64),
}

impl Load {
    /// Total number of requests, if one was asked for.
    #[must_use]
    pub fn total(&self) -> Option<u64> {
        match self.stop {
            Stop::Requests(total) => Some(total),
            Stop::After(_) => None,
        }
    }

    /// Requests that are really under way on a connection: never more than it carries in its whole life.
    #[must_use]
    pub fn under_way(&self) -> usize {
        self.reconnect
            .map_or(self.depth, |limit| self.depth.min(usize::try_from(limit).unwrap_or(usize::MAX)))
    }

    /// Connections with those that are not measured.
    #[must_use]
    pub fn all_connections(&self) -> usize {
        self.connections + self.bystanders.count()
    }

    /// Whether requests are sent when they are due, whatever the server does.
    #[must_use]
    pub fn open_loop(&self) -> bool {
        !matches!(self.arrivals, Arrivals::AfterReply)
    }

    /// The same load for a server that did so many requests a second in a closed loop.
    #[must_use]
    pub fn at_knee(&self, knee: f64) -> Self {
        match self.arrivals {
            Arrivals::OfKnee { share, spacing, seed } => {
                let rate = (knee * share).max(1.0);
                let arrivals = Arrivals::AtRate(Rate { from: rate, to: rate, spacing, seed });
                Self { arrivals, ..self.clone() }
            }
            Arrivals::AfterReply | Arrivals::AtRate(_) => self.clone(),
        }
    }

    /// Whether connections are replaced all the time.
    #[must_use]
    pub fn churns(&self) -> bool {
        self.reconnect.is_some()
    }
}

/// Times are numbers of seconds in a report.
mod seconds {
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub(super) fn serialize<S: Serializer>(span: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_f64(span.as_secs_f64())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
        Duration::try_from_secs_f64(f64::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}

/// As [`seconds`], or `null`.
mod maybe_seconds {
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};

    pub(super) fn serialize<S: Serializer>(
        span: &Option<Duration>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        span.map(|span| span.as_secs_f64()).serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<Duration>, D::Error> {
        let seconds = Option::<f64>::deserialize(deserializer)?;
        seconds.map(Duration::try_from_secs_f64).transpose().map_err(D::Error::custom)
    }
}

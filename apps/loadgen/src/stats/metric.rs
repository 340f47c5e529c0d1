//! The figures that servers are compared by.

use serde::{Deserialize, Serialize};

use crate::report::Trial;

/// A figure of a trial; the headline first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Metric {
    /// Server CPU for a request.
    CpuPerRequest,
    /// Right replies per second.
    RequestsPerSecond,
    /// 99 % of the replies took no longer.
    P99,
    /// Server memory for a connection.
    MemoryPerConnection,
}

impl Metric {
    /// All of them, in the order of the columns.
    pub const ALL: [Self; 4] =
        [Self::CpuPerRequest, Self::RequestsPerSecond, Self::P99, Self::MemoryPerConnection];

    /// For the head of a column.
    #[must_use]
    pub fn title(self) -> &'static str {
        match self {
            Self::CpuPerRequest => "CPU/request",
            Self::RequestsPerSecond => "requests/s",
            Self::P99 => "p99",
            Self::MemoryPerConnection => "memory/conn.",
        }
    }

    /// In a sentence.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Self::CpuPerRequest => "server CPU for a request",
            Self::RequestsPerSecond => "requests/s",
            Self::P99 => "p99",
            Self::MemoryPerConnection => "memory for a connection",
        }
    }

    /// Whether more of it is better.
    #[must_use]
    pub fn more_is_better(self) -> bool {
        self == Self::RequestsPerSecond
    }

    /// As how many intervals together one of this metric has to hold, among intervals of all these metrics: half of the
    /// room for error belongs to the headline, the rest to all others alike.
    #[must_use]
    pub fn together(self, all: &[Self]) -> usize {
        let headlines = all.iter().filter(|metric| **metric == Self::ALL[0]).count();
        let others = all.len() - headlines;
        match (headlines, others) {
            (0, count) | (count, 0) => count,
            _ if self == Self::ALL[0] => 2 * headlines,
            _ => 2 * others,
        }
    }

    /// The figure of a trial; `None`: it was not measured, or is 0 and has no ratio.
    #[must_use]
    pub fn of(self, trial: &Trial) -> Option<f64> {
        let (client, server) = (trial.client.as_ref(), trial.server.as_ref());
        let figure = match self {
            Self::CpuPerRequest => server.map(|server| server.cpu_us_per_request),
            Self::RequestsPerSecond => client.map(|client| client.requests_per_second),
            Self::P99 => client.map(|client| client.reply.p99 as f64),
            Self::MemoryPerConnection => server.and_then(|server| server.memory_per_connection),
        };
        figure.filter(|figure| figure.is_finite() && *figure > 0.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shares_of_all_intervals_add_up_to_one() {
        use Metric::{CpuPerRequest, MemoryPerConnection, P99};
        for all in [
            &[CpuPerRequest][..],
            &[P99, P99, MemoryPerConnection],
            &[CpuPerRequest, CpuPerRequest, P99, P99, MemoryPerConnection],
        ] {
            let sum: f64 = all.iter().map(|metric| 1.0 / metric.together(all) as f64).sum();
            assert!((sum - 1.0).abs() < 1e-9, "{all:?}: {sum}");
        }
        assert_eq!(CpuPerRequest.together(&[CpuPerRequest, P99, P99]), 2);
    }
}

//! Whether a measurement may be believed, and what limited it: pure functions of what was seen.

use common::units;
use serde::{Deserialize, Serialize};

/// A client thread or server that was busy for this share of its time was the limit.
const SATURATED: f64 = 0.9;
/// The machine as a whole, likewise.
const MACHINE_SATURATED: f64 = 0.97;
/// How far throughput × latency may be from the number of requests under way (Little's law).
const LITTLE: f64 = 0.1;
/// The share of the measured time that may be spent on waiting for the last replies only.
const DRAIN: f64 = 0.05;
/// The share of the machine that others may use before a measurement is doubted.
const OTHERS: f64 = 0.15;

/// How far a measurement may be trusted; the worst of its reasons decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// Nothing speaks against it. A reason of this level is a hint.
    #[serde(rename = "valid", alias = "ok")]
    Ok,
    /// It may be off; the reasons say why.
    Suspect,
    /// It is no measurement of the server.
    Invalid,
    /// The server did wrong, or was not there.
    Failed,
}

impl Level {
    /// For a table.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Ok => "VALID",
            Self::Suspect => "SUSPECT",
            Self::Invalid => "INVALID",
            Self::Failed => "FAILED",
        }
    }

    /// Whether a program that asked for the measurement should be told that it failed.
    #[must_use]
    pub fn is_failure(self) -> bool {
        matches!(self, Self::Invalid | Self::Failed)
    }
}

/// A level and its reasons.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Verdict {
    /// The worst level.
    pub level: Level,
    /// Every reason, the worst first: what is told in one line is the first of them.
    pub reasons: Vec<Reason>,
}

/// What speaks against a measurement.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Reason {
    /// How much.
    pub level: Level,
    /// A part of a sentence.
    pub text: String,
}

impl Verdict {
    /// Nothing speaks against it, yet.
    #[must_use]
    pub fn ok() -> Self {
        Self { level: Level::Ok, reasons: Vec::new() }
    }

    /// Something speaks against it.
    pub fn add(&mut self, level: Level, reason: impl Into<String>) {
        self.level = self.level.max(level);
        let place = self.reasons.partition_point(|other| other.level >= level);
        self.reasons.insert(place, Reason { level, text: reason.into() });
    }

    /// All reasons in one sentence.
    #[must_use]
    pub fn words(&self) -> String {
        self.reasons.iter().map(|reason| reason.text.as_str()).collect::<Vec<_>>().join("; ")
    }
}

/// What limited a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Limit {
    /// The client's CPU: the server could have done more.
    Client,
    /// The server's CPU.
    Server,
    /// Both were busy all the time, or together filled the CPUs that they share.
    Both,
    /// All CPUs were busy, neither side alone.
    Machine,
    /// Nobody was busy all the time: wake-ups, locks, or workers that are too few.
    Waiting,
}

impl Limit {
    /// For a table.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Client => "client",
            Self::Server => "server",
            Self::Both => "both",
            Self::Machine => "machine",
            Self::Waiting => "waiting",
        }
    }
}

/// How busy one side was: shares of time, from 0 to 1.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Side {
    /// The busiest thread, of one CPU.
    pub thread: f64,
    /// All its threads together, of the CPUs that they may use.
    pub all: f64,
}

/// How busy everybody was.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Busy {
    /// The client.
    pub client: Side,
    /// The server; `None`: it is not ours to look at.
    pub server: Option<Side>,
    /// Both sides together, of the CPUs that either may use; `None`: they share none.
    pub together: Option<f64>,
    /// All CPUs.
    pub machine: f64,
}

impl Side {
    fn saturated(self) -> bool {
        self.thread.max(self.all) >= SATURATED
    }
}

/// Says what limited a run.
#[must_use]
pub fn limited_by(busy: Busy) -> Limit {
    match (busy.client.saturated(), busy.server.is_some_and(Side::saturated)) {
        (true, true) => Limit::Both,
        (true, false) => Limit::Client,
        (false, true) => Limit::Server,
        (false, false) if busy.together.is_some_and(|share| share >= SATURATED) => Limit::Both,
        (false, false) if busy.machine >= MACHINE_SATURATED => Limit::Machine,
        (false, false) => Limit::Waiting,
    }
}

/// The figures that are checked for plausibility.
#[derive(Debug, Clone, Copy)]
pub struct Plausible {
    /// Connections asked for.
    pub requested: usize,
    /// Connections that there were.
    pub established: usize,
    /// Requests that were under way on average, counted apart from their times; `None` where some were lost.
    pub under_way: Option<f64>,
    /// Replies per second.
    pub rate: f64,
    /// Mean time of a reply in seconds.
    pub mean: f64,
    /// The share of the time after the last request had been sent.
    pub drain: f64,
    /// The share of the machine that neither the server nor the client used; `None`: not known.
    pub others: Option<f64>,
    /// Connects dropped by full listen queues while ours were made.
    pub listen_overflows: u64,
}

/// Adds the doubts that the figures themselves raise.
pub fn doubt(verdict: &mut Verdict, figures: Plausible) {
    let Plausible { requested, established, .. } = figures;
    if established < requested {
        let level = if established * 10 < requested * 9 { Level::Invalid } else { Level::Suspect };
        verdict.add(level, format!("only {established} of {requested} connections were established"));
    }
    if let Some(under_way) = figures.under_way.filter(|under_way| *under_way > 0.0) {
        let implied = figures.rate * figures.mean;
        if (implied / under_way - 1.0).abs() > LITTLE {
            verdict.add(
                Level::Suspect,
                format!(
                    "requests/s × mean latency is {implied:.1}, but {under_way:.1} requests were under way on average"
                ),
            );
        }
    }
    if figures.drain > DRAIN {
        verdict.add(
            Level::Suspect,
            format!(
                "for the last {:.0} % of the time only late replies were waited for: requests/s is too low",
                figures.drain * 100.0
            ),
        );
    }
    if let Some(others) = figures.others.filter(|others| *others > OTHERS) {
        verdict.add(Level::Suspect, format!("others used {:.0} % of the machine meanwhile", others * 100.0));
    }
    if figures.listen_overflows > 0 {
        verdict.add(
            Level::Suspect,
            format!(
                "full listen queues on this machine dropped {} while ours were made; each costs a second",
                units::plural(figures.listen_overflows, "connect")
            ),
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FINE: Plausible = Plausible {
        requested: 50,
        established: 50,
        under_way: Some(50.0),
        rate: 100_000.0,
        mean: 500e-6,
        drain: 0.001,
        others: Some(0.02),
        listen_overflows: 0,
    };

    fn level(figures: Plausible) -> Level {
        let mut verdict = Verdict::ok();
        doubt(&mut verdict, figures);
        verdict.level
    }

    #[test]
    fn each_doubt_has_its_level() {
        assert_eq!(level(FINE), Level::Ok);
        assert_eq!(level(Plausible { established: 49, ..FINE }), Level::Suspect);
        assert_eq!(level(Plausible { established: 40, ..FINE }), Level::Invalid);
        assert_eq!(level(Plausible { mean: 600e-6, ..FINE }), Level::Suspect);
        assert_eq!(level(Plausible { mean: 600e-6, under_way: None, ..FINE }), Level::Ok);
        assert_eq!(level(Plausible { others: Some(0.3), ..FINE }), Level::Suspect);
        assert_eq!(level(Plausible { drain: 0.06, ..FINE }), Level::Suspect);
        assert_eq!(level(Plausible { listen_overflows: 1, ..FINE }), Level::Suspect);
    }

    #[test]
    fn the_worst_reason_decides() {
        let mut verdict = Verdict::ok();
        verdict.add(Level::Suspect, "three");
        verdict.add(Level::Failed, "one");
        verdict.add(Level::Failed, "two");
        assert_eq!((verdict.level, verdict.words().as_str()), (Level::Failed, "one; two; three"));
    }

    #[test]
    fn the_limit_follows_from_the_busy_shares() {
        let side = |thread| Side { thread, all: thread };
        let busy = |client, server: Option<f64>, machine| Busy {
            client: side(client),
            server: server.map(side),
            together: None,
            machine,
        };
        let limit = |client, server, machine| limited_by(busy(client, server, machine));
        assert_eq!(limit(0.99, Some(0.5), 0.75), Limit::Client);
        assert_eq!(limit(0.5, Some(0.99), 0.75), Limit::Server);
        assert_eq!(limit(0.99, Some(0.99), 0.99), Limit::Both);
        assert_eq!(limit(0.5, Some(0.5), 0.99), Limit::Machine);
        assert_eq!(limit(0.5, Some(0.5), 0.5), Limit::Waiting);
        assert_eq!(limit(0.95, None, 0.9), Limit::Client);
        // both on one CPU: neither of them has it for itself
        let same = Busy { together: Some(0.98), ..busy(0.45, Some(0.53), 0.5) };
        assert_eq!(limited_by(same), Limit::Both);
        assert_eq!(limited_by(Busy { client: side(0.95), ..same }), Limit::Client);
        // four client threads on one CPU; one server thread that has all the work of a server with two CPUs
        let threads = Side { thread: 0.25, all: 0.98 };
        assert_eq!(limited_by(Busy { client: threads, ..busy(0.0, Some(0.5), 0.5) }), Limit::Client);
        let one = Side { thread: 0.97, all: 0.49 };
        assert_eq!(limited_by(Busy { server: Some(one), ..busy(0.5, None, 0.5) }), Limit::Server);
    }
}

//! How a trial ended and what came out of it.

use std::time::Duration;

use super::bystanders::{Beat, fate::Fates};
use super::worker::{OpenShare, Pending, Share};
use crate::measure::Tally;
use crate::measure::series::Series;

/// How a trial ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Ending {
    /// As planned.
    Completed,
    /// By Ctrl-C or SIGTERM.
    Interrupted,
    /// Connections were established, but not one reply came within the time limit.
    NotServed,
    /// Replies came at first, then none for twice the time limit.
    Stalled,
    /// The caller said that the server is gone.
    ServerGone,
}

/// What came out of a trial.
#[derive(Debug)]
pub struct Outcome {
    /// How it ended.
    pub ending: Ending,
    /// The time that was really measured, from the first send to the last reply.
    pub elapsed: Duration,
    /// The part of it in which nothing was sent any more.
    pub drain: Duration,
    /// Slots that ever had a connection.
    pub established: usize,
    /// Slots that ever had a reply.
    pub served: usize,
    /// Slots whose only connection was accepted and had no reply, though nobody knows of a limit.
    pub unanswered: usize,
    /// Connects under way at its end.
    pub pending: Pending,
    /// Ramp and warm-up.
    pub earlier: Tally,
    /// The measured stretch.
    pub measured: Tally,
    /// Requests under way when it began (on connections that nobody serves).
    pub carried_in: u64,
    /// Requests under way at its end.
    pub carried_out: u64,
    /// CPU time of all client threads in it; `None`: it was broken off, so that nobody has seen it between two edges.
    pub client_cpu: Option<Duration>,
    /// The largest share of the time that one client thread was busy.
    pub client_busy: Option<f64>,
    /// CPU time of the conductor meanwhile: collecting the intervals, showing them and writing them down.
    pub conductor_cpu: Duration,
    /// Requests under way on average, counted apart from their times.
    pub under_way: f64,
    /// The measured time, interval by interval.
    pub series: Series,
    /// Replies of each established connection in the measured time.
    pub replies_of_each: Vec<u64>,
    /// What only an open loop has, of all threads.
    pub schedule: Option<OpenShare>,
    /// What became of the bystanders, if there were any.
    pub bystanders: Option<Fates>,
    /// What their thread did in the measured time; `None`: there was none, or it was broken off.
    pub beat: Option<Beat>,
}

/// What the conductor itself knows at the end.
pub(super) struct Led {
    pub(super) ending: Ending,
    /// When the measuring began, in nanoseconds of the trial; `None`: it never did.
    pub(super) begin: Option<u64>,
    /// What was seen at the edges; `None`: it was broken off.
    pub(super) edges: Option<Edges>,
    /// The conductor's own CPU time in the measured time.
    pub(super) own_cpu: Duration,
}

/// What is known of a measured time that ended as planned.
#[derive(Debug, Clone, Copy)]
pub(super) struct Edges {
    pub(super) elapsed: Duration,
    pub(super) drain: Duration,
    pub(super) client_cpu: Duration,
    pub(super) client_busy: f64,
    pub(super) beat: Beat,
}

impl Led {
    /// Nothing was measured.
    pub(super) fn nowhere(ending: Ending) -> Self {
        Self { ending, begin: None, edges: None, own_cpu: Duration::ZERO }
    }

    /// The measured time; of one that was broken off, that until `now`.
    pub(super) fn elapsed_until(&self, now: u64) -> Duration {
        let broken_off = || Duration::from_nanos(now.saturating_sub(self.begin.unwrap_or(now)));
        self.edges.map_or_else(broken_off, |edges| edges.elapsed)
    }
}

pub(super) fn sum_up(led: Led, series: Series, shares: Vec<Share>, bystanders: Option<Fates>) -> Outcome {
    let (mut earlier, mut measured) = (Tally::new(), Tally::new());
    for share in &shares {
        earlier.merge(&share.earlier);
        measured.merge(&share.measured);
    }
    // broken off: each thread counted until it was told, and that is the time that its counts belong to
    let counted = |begin: u64| {
        let ended = shares.iter().map(|share| share.ended).max().unwrap_or(begin);
        Duration::from_nanos(ended.saturating_sub(begin))
    };
    let elapsed = led.edges.map_or_else(|| led.begin.map(counted).unwrap_or_default(), |edges| edges.elapsed);
    Outcome {
        ending: led.ending,
        elapsed,
        drain: led.edges.map(|edges| edges.drain).unwrap_or_default(),
        established: shares.iter().map(|s| s.established).sum(),
        served: shares.iter().map(|s| s.served).sum(),
        unanswered: shares.iter().map(|s| s.unanswered).sum(),
        pending: Pending {
            connects: shares.iter().map(|s| s.pending.connects).sum(),
            stuck: shares.iter().map(|s| s.pending.stuck).sum(),
        },
        earlier,
        measured,
        carried_in: shares.iter().map(|s| s.carried_in).sum(),
        carried_out: shares.iter().map(|s| s.carried_out).sum(),
        client_cpu: led.edges.map(|edges| edges.client_cpu),
        client_busy: led.edges.map(|edges| edges.client_busy),
        conductor_cpu: led.own_cpu,
        under_way: shares.iter().map(|s| s.area).sum::<u128>() as f64 / elapsed.as_nanos().max(1) as f64,
        series,
        replies_of_each: shares.iter().flat_map(|s| s.shares.iter().copied()).collect(),
        schedule: schedule(shares),
        bystanders,
        beat: led.edges.map(|edges| edges.beat).filter(|_| bystanders.is_some()),
    }
}

fn schedule(shares: Vec<Share>) -> Option<OpenShare> {
    shares.into_iter().filter_map(|share| share.schedule).reduce(|mut sum, share| {
        sum.unsent += share.unsent;
        sum.uncorrected.merge(&share.uncorrected);
        sum.lag.merge(&share.lag);
        sum
    })
}

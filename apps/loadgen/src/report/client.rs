//! What the client saw of a trial, as figures: its books, its connections, its times.

use serde::{Deserialize, Serialize};

use super::bystanders::BystandersReport;
use crate::drive::worker::OpenShare;
use crate::drive::{Ending, Outcome, failure};
use crate::measure::series::Point;
use crate::measure::{self, Class, Losses, Quantiles, Tally};
use crate::plan::Load;

/// What the client saw.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Client {
    /// How the trial ended.
    pub ending: Ending,
    /// The time that was really measured.
    pub seconds: f64,
    /// The part of it after the last request had been sent, waiting for replies.
    pub drain_seconds: f64,
    /// Right replies per second.
    pub requests_per_second: f64,
    /// The books of the measured time.
    pub requests: Books,
    /// Connections.
    pub connections: Connections,
    /// To the last byte of a reply, in nanoseconds: in a closed loop from the sending of its request, in an open loop
    /// from the time when it was due.
    pub reply: Quantiles,
    /// To the first byte of a reply; none if every reply came in one piece, so that it is the same.
    pub first_byte: Option<Quantiles>,
    /// In an open loop: what there is to say of its schedule.
    pub open: Option<Open>,
    /// From the start of a connect to its end, for connections opened in the measured time.
    pub connect: Option<Quantiles>,
    /// What failed in the whole trial, warm-up included.
    pub errors: Vec<ErrorCount>,
    /// The first wrong reply.
    pub first_wrong: Option<String>,
    /// CPU time of all client threads; not known of a trial that was broken off.
    pub cpu_seconds: Option<f64>,
    /// The busiest client thread, as a share of its time; likewise.
    pub busy: Option<f64>,
    /// CPU time of the thread that leads the client threads, shows the progress and writes down the intervals; it
    /// measures nothing, and is in none of the figures of the client threads.
    pub conductor_cpu_seconds: f64,
    /// Requests under way on average, counted apart from their times.
    pub under_way: f64,
    /// How evenly the connections were served.
    pub fairness: Option<Fairness>,
    /// What became of the connections that were there as well, if there were any.
    pub bystanders: Option<BystandersReport>,
    /// The run as time went by, in at most [`crate::measure::series::POINTS`] equal steps.
    pub intervals: Vec<Interval>,
}

/// The schedule of an open loop, and how it was kept.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Open {
    /// Requests per second that were due.
    pub offered_per_second: f64,
    /// Requests that were due in the measured time.
    pub due: u64,
    /// Those of them that were never sent, because no connection was free in time.
    pub unsent: u64,
    /// From the sending of a request to the last byte of its reply: what a tool shows that forgets the waiting.
    pub uncorrected: Quantiles,
    /// How late this program itself was: a connection was free, the request was due, and not sent yet.
    pub lag: Quantiles,
}

/// How evenly the connections were served, by the replies of each.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Fairness {
    /// Jain's index: 1 = all alike, 1/n = one had everything.
    pub jain: f64,
    /// Replies on the slowest of those that were served.
    pub slowest: u64,
    /// Replies on the fastest.
    pub fastest: u64,
    /// Established, and never served.
    pub never_served: usize,
}

/// A piece of the measured time.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Interval {
    /// Its beginning, in seconds of the measured time.
    pub from: f64,
    /// Its end.
    pub to: f64,
    /// Right replies.
    pub ok: u64,
    /// Connections that failed.
    pub errors: u64,
    /// Reply times in nanoseconds, as in [`Client::reply`].
    pub p50: u64,
    /// Likewise.
    pub p99: u64,
    /// Likewise.
    pub max: u64,
}

/// In flight at the start + scheduled = ok + lost + in flight at the end; `balanced` says that it adds up.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Books {
    /// Under way when the measuring began: on connections that nobody serves yet.
    pub in_flight_at_start: u64,
    /// Sent while measuring.
    pub scheduled: u64,
    /// Came back complete and right.
    pub ok: u64,
    /// Were under way on connections that failed, or were answered otherwise than they must be.
    pub lost: Vec<ErrorCount>,
    /// Under way at the end.
    pub in_flight_at_end: u64,
    /// Nothing is missing.
    pub balanced: bool,
    /// Right replies before the measuring.
    pub warmup_ok: u64,
}

/// Three numbers that differ when something is worth knowing, and a fourth.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Connections {
    /// Asked for.
    pub requested: usize,
    /// Accepted by the server's kernel.
    pub established: usize,
    /// Got at least one reply.
    pub served: usize,
    /// Accepted, asked and never answered, by a server that is not known to serve only so many at a time.
    pub unanswered: usize,
    /// Opened while measuring.
    pub opened: u64,
    /// Connects that were under way at the end.
    pub connecting_at_end: usize,
    /// Those of them that had taken so long that the server cannot have been accepting.
    pub stuck_at_end: usize,
}

/// One kind of failure.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct ErrorCount {
    /// Which class.
    pub class: Class,
    /// The kernel's number, where there is one.
    pub errno: Option<i32>,
    /// The kernel's words for it.
    pub meaning: Option<String>,
    /// Connections that failed so; none where the connection goes on.
    pub connections: u64,
    /// Requests that were in flight on them, or had an unexpected reply.
    pub requests: u64,
    /// When it happened first, in milliseconds since the trial began to connect.
    pub first_after_ms: Option<u64>,
    /// On which of its thread's connections, from 0.
    pub first_connection: Option<u32>,
}

impl Client {
    /// Puts the outcome of a trial into figures.
    #[must_use]
    pub fn of(outcome: &Outcome, load: &Load) -> Self {
        let measured = &outcome.measured;
        let seconds = outcome.elapsed.as_secs_f64();
        let mut whole = Losses::default();
        whole.merge(&outcome.earlier.losses);
        whole.merge(&measured.losses);
        let connect = measured.connect.quantiles();
        Self {
            ending: outcome.ending,
            seconds,
            drain_seconds: outcome.drain.as_secs_f64(),
            requests_per_second: if seconds > 0.0 { measured.ok as f64 / seconds } else { 0.0 },
            requests: Books::of(outcome, measured),
            connections: Connections {
                requested: load.connections,
                established: outcome.established,
                served: outcome.served,
                unanswered: outcome.unanswered,
                opened: measured.opened,
                connecting_at_end: outcome.pending.connects,
                stuck_at_end: outcome.pending.stuck,
            },
            reply: measured.reply.quantiles(),
            first_byte: measured.first_byte.of_all(&measured.reply).map(|all| all.quantiles()),
            open: outcome.schedule.as_ref().map(|schedule| Open::of(schedule, measured, seconds)),
            connect: (connect.count > 0).then_some(connect),
            errors: counts(&whole),
            first_wrong: whole.first_wrong().map(str::to_owned),
            cpu_seconds: outcome.client_cpu.map(|cpu| cpu.as_secs_f64()),
            busy: outcome.client_busy,
            conductor_cpu_seconds: outcome.conductor_cpu.as_secs_f64(),
            fairness: Fairness::of(&outcome.replies_of_each),
            under_way: outcome.under_way,
            bystanders: BystandersReport::of(outcome),
            intervals: intervals(outcome, load),
        }
    }

    /// CPU time of all threads of this program that the load kept busy, those of the bystanders included.
    #[must_use]
    pub fn all_cpu_seconds(&self) -> Option<f64> {
        let bystanders = self.bystanders.as_ref().and_then(|bystanders| bystanders.cpu_seconds);
        Some(self.cpu_seconds? + bystanders.unwrap_or(0.0))
    }

    /// Right replies of the whole trial, warm-up included.
    #[must_use]
    pub fn replies_of_whole_life(&self) -> u64 {
        self.requests.ok + self.requests.warmup_ok
    }
}

impl Open {
    fn of(schedule: &OpenShare, measured: &Tally, seconds: f64) -> Self {
        let due = measured.scheduled + schedule.unsent;
        Self {
            offered_per_second: due as f64 / seconds.max(1e-9),
            due,
            unsent: schedule.unsent,
            uncorrected: schedule.uncorrected.quantiles(),
            lag: schedule.lag.quantiles(),
        }
    }
}

impl Fairness {
    /// Of the replies of each connection; `None`: there are none.
    #[must_use]
    pub fn of(replies: &[u64]) -> Option<Self> {
        let served: Vec<u64> = replies.iter().copied().filter(|count| *count > 0).collect();
        let (slowest, fastest) = (*served.iter().min()?, *served.iter().max()?);
        let sum: f64 = served.iter().map(|count| *count as f64).sum();
        let squares: f64 = served.iter().map(|count| (*count as f64).powi(2)).sum();
        Some(Self {
            jain: sum * sum / (replies.len() as f64 * squares),
            slowest,
            fastest,
            never_served: replies.len() - served.len(),
        })
    }
}

fn intervals(outcome: &Outcome, load: &Load) -> Vec<Interval> {
    let length = load.interval.as_secs_f64();
    let whole = outcome.elapsed.as_secs_f64();
    let point = |point: &Point| Interval {
        from: point.first as f64 * length,
        to: ((point.last + 1) as f64 * length).min(whole),
        ok: point.ok,
        errors: point.errors,
        p50: point.p50,
        p99: point.p99,
        max: point.max,
    };
    outcome.series.points().iter().map(point).collect()
}

impl Books {
    fn of(outcome: &Outcome, measured: &Tally) -> Self {
        Self {
            in_flight_at_start: outcome.carried_in,
            scheduled: measured.scheduled,
            ok: measured.ok,
            lost: counts(&measured.losses),
            in_flight_at_end: outcome.carried_out,
            balanced: measure::conserved(outcome.carried_in, measured, outcome.carried_out),
            warmup_ok: outcome.earlier.ok,
        }
    }
}

fn counts(losses: &Losses) -> Vec<ErrorCount> {
    losses
        .iter()
        .map(|(class, errno, loss)| ErrorCount {
            class,
            errno,
            meaning: errno.map(failure::describe),
            connections: loss.connections,
            requests: loss.requests,
            first_after_ms: loss.first.map(|first| first.at / 1_000_000),
            first_connection: loss.first.map(|first| first.connection),
        })
        .collect()
}

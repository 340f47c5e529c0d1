//! What must come out of each load of the self-test, and what did: pure functions of the figures.

use std::time::Duration;

use common::units::{show_count, show_duration};

use crate::drive::Outcome;
use crate::report::data::{Check, Client};

/// How far a time may be from what it must be.
const TOLERANCE: f64 = 0.01;
/// How much the waking up of a sleeping client may differ from one delay to another, in nanoseconds.
const WAKING: f64 = 15_000.0;
/// How late requests may be sent at half of the ceiling, in nanoseconds.
const LAG: u64 = 100_000;

/// Both ends count alike.
pub(super) fn counts(name: &str, replies: u64, echoed: u64) -> Check {
    Check {
        name: format!("{name}: count"),
        expected: format!("{} (the other end's count)", show_count(echoed)),
        measured: show_count(replies),
        passed: Some(replies == echoed),
    }
}

/// What one client thread can do: a figure of this machine, neither right nor wrong.
pub(super) fn ceiling(name: &str, client: &Client, outcome: &Outcome) -> Check {
    let cpu = outcome.client_cpu.unwrap_or_default().as_secs_f64();
    let each = client.requests.ok as f64 / cpu.max(1e-9);
    Check {
        name: format!("{name}: requests"),
        expected: "(the more, the better)".to_owned(),
        measured: format!(
            "{}/s; {} in a second of client CPU",
            show_count(client.requests_per_second.round() as u64),
            show_count(each.round() as u64)
        ),
        passed: None,
    }
}

/// How late an open loop sends.
pub(super) fn lag(client: &Client) -> Option<Check> {
    let open = client.open.as_ref()?;
    Some(Check {
        name: "half of the ceiling: sent late".to_owned(),
        expected: format!(
            "p99 below {} at {}/s",
            nanos(LAG),
            show_count(open.offered_per_second.round() as u64)
        ),
        measured: format!(
            "p50 {}, p99 {}, max {}",
            nanos(open.lag.p50),
            nanos(open.lag.p99),
            nanos(open.lag.max)
        ),
        passed: Some(open.lag.p99 < LAG),
    })
}

/// A delay is reported as long as it was, beside the way there and back.
pub(super) fn delay(delay: Duration, way: u64, reported: u64) -> Check {
    let expected = delay.as_nanos() as f64;
    let measured = reported as f64 - way as f64;
    Check {
        name: format!("delay of {}: time", show_duration(delay)),
        expected: format!(
            "{} ± 1 % and 15 us of waking up, beside {} for the way",
            show_duration(delay),
            nanos(way)
        ),
        measured: nanos(measured.max(0.0) as u64),
        passed: Some((measured - expected).abs() <= expected * TOLERANCE + WAKING),
    }
}

/// One stall: with the waiting, every request that was due in it counts; without, only those that were under way.
pub(super) fn stall(stall: Duration, rate: f64, connections: usize, client: &Client) -> Vec<Check> {
    let Some(open) = &client.open else { return Vec::new() };
    let (seconds, requests) = (stall.as_secs_f64(), client.requests.ok as f64);
    // due evenly over the stall, each waits for its end
    let corrected = rate * seconds * seconds / 2.0 / requests;
    // only as many as there are connections could be sent into it
    let gap = 1.0 / rate;
    let sent: f64 = (0..connections).map(|index| (seconds - index as f64 * gap).max(0.0)).sum();
    let uncorrected = sent / requests;
    let check = |name: &str, expected: f64, measured: f64| Check {
        name: format!("stall of {}: {name}", show_duration(stall)),
        expected: format!("{} ± 1 %", nanos((expected * 1e9) as u64)),
        measured: nanos(measured as u64),
        passed: Some(near(measured, expected * 1e9)),
    };
    vec![
        check("mean latency", corrected, client.reply.mean),
        check("mean uncorrected", uncorrected, open.uncorrected.mean),
        check("longest", seconds, client.reply.max as f64),
    ]
}

fn near(measured: f64, expected: f64) -> bool {
    (measured / expected - 1.0).abs() <= TOLERANCE
}

fn nanos(nanos: u64) -> String {
    show_duration(Duration::from_nanos(nanos))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_delay_must_be_right_to_a_hundredth_and_a_waking_up() {
        let of = |reported| delay(Duration::from_millis(1), 20_000, reported).passed;
        assert_eq!(
            (of(1_020_000), of(1_044_000), of(1_046_000), of(990_000)),
            (Some(true), Some(true), Some(false), Some(false))
        );
    }
}

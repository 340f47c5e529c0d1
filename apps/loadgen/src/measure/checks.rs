//! Checks of a run that finished: does it contradict itself, and does it carry the marks of a known trap?
//!
//! How: each check is a function of what was seen; a doubt makes a run SUSPECT, a hint only tells the reader what the
//! figures look like. Cost: one pass over a histogram. Where it breaks: a server that really takes 40 ms for a part of
//! its replies looks like one that waits for a delayed acknowledgement; that is why it is a hint.

use common::units::{plural, show_duration};
use std::time::Duration;

use super::verdict::{Level, Verdict};
use super::{Latency, Quantiles};
use crate::report::data::Interval;

/// A client that is busier than this cannot claim latency: what it measures is partly itself.
const CLIENT_BUSY: f64 = 0.8;
/// How far the first and the last third of a run may differ.
const DRIFT: f64 = 0.1;
/// The fewest intervals that have thirds worth comparing.
const INTERVALS: usize = 6;
/// The share of sent segments that may be sent again, and the fewest that are worth a word.
const RETRANSMITTED: f64 = 0.001;
const RETRANSMITTED_LEAST: u64 = 10;
/// The kernel holds an acknowledgement back for at least 40 ms (`TCP_DELACK_MIN`).
const DELAYED_ACK: (u64, u64) = (38_000_000, 46_000_000);
/// As wide on each side: where times spread evenly, the two hold twice as many.
const AROUND_IT: [(u64, u64); 2] = [(30_000_000, 38_000_000), (46_000_000, 54_000_000)];
/// A SYN that was dropped is sent again after 1 s, and after 2 s more.
const SYN_AGAIN: [(u64, u64); 2] = [(990_000_000, 1_150_000_000), (2_990_000_000, 3_300_000_000)];
/// The share of all replies that must lie there, and how much more densely than around it.
const PILE: f64 = 0.005;
const DENSER: f64 = 3.0;
/// A mean that is so many times the time of p99: at least half of all waiting was that of one reply in a hundred.
const MEAN_FAR: f64 = 2.0;
/// And how often each request that is under way at a time must have been among them: one stall of the machine delays all
/// of them once.
const TIMES: u64 = 4;

/// How much requests/s changed from the first third of a run to its last; `None`: too few intervals to tell.
#[must_use]
pub fn drift(intervals: &[Interval]) -> Option<f64> {
    if intervals.len() < INTERVALS {
        return None;
    }
    let third = intervals.len() / 3;
    let rate = |part: &[Interval]| {
        let seconds: f64 = part.iter().map(|interval| interval.to - interval.from).sum();
        let replies: u64 = part.iter().map(|interval| interval.ok).sum();
        (seconds > 0.0).then(|| replies as f64 / seconds)
    };
    let (first, last) = (rate(&intervals[..third])?, rate(&intervals[intervals.len() - third..])?);
    (first > 0.0).then(|| last / first - 1.0)
}

/// Doubts a run whose speed changed while it was measured; not one whose load was asked to change.
pub fn doubt_drift(verdict: &mut Verdict, intervals: &[Interval]) {
    if let Some(drift) = drift(intervals).filter(|drift| drift.abs() > DRIFT) {
        let way = if drift > 0.0 { "rose" } else { "fell" };
        verdict.add(
            Level::Suspect,
            format!(
                "requests/s {way} by {:.0} % from the first third of the run to the last",
                drift.abs() * 100.0
            ),
        );
    }
}

/// Doubts latency that was measured by a client without room: in an open loop only, for it is there that latency is
/// claimed. In a closed loop a busy client limits requests/s, which is said, and leaves CPU per request as it is.
pub fn doubt_client(verdict: &mut Verdict, busy: Option<f64>, open_loop: bool) {
    if let Some(busy) = busy.filter(|busy| open_loop && *busy > CLIENT_BUSY) {
        verdict.add(
            Level::Suspect,
            format!(
                "the client was busy {:.0} % of the time (over {:.0} %): a part of the latency is its own; use more \
                 threads (-t) or a lower rate",
                busy * 100.0,
                CLIENT_BUSY * 100.0
            ),
        );
    }
}

/// Doubts times in which TCP had to send again.
pub fn doubt_retransmits(verdict: &mut Verdict, again: u64, sent: u64) {
    let share = again as f64 / sent.max(1) as f64;
    if again >= RETRANSMITTED_LEAST && share > RETRANSMITTED {
        verdict.add(
            Level::Suspect,
            format!(
                "this machine sent {} again ({:.1} %; on loopback there should be none): the times are partly those of \
                 lost packets",
                plural(again, "TCP segment"),
                share * 100.0
            ),
        );
    }
}

/// Says what the reply times look like, where they have the shape of a known trap.
pub fn hint_at_replies(verdict: &mut Verdict, reply: &Quantiles, under_way: u64) {
    if reply.count > 0 && reply.mean > MEAN_FAR * reply.p99 as f64 {
        verdict.add(
            Level::Ok,
            format!(
                "the mean reply time ({}) is far longer than p99: fewer than 1 % of the replies took most of the time, look \
                 at max",
                show_duration(Duration::from_nanos(reply.mean as u64))
            ),
        );
    }
    let piled = |all: &Latency| {
        let there = all.between(DELAYED_ACK.0, DELAYED_ACK.1);
        let around: u64 = AROUND_IT.iter().map(|(from, to)| all.between(*from, *to)).sum();
        let enough = there as f64 >= PILE * reply.count as f64 && there > TIMES * under_way;
        (enough && there as f64 * 2.0 > around as f64 * DENSER).then_some(there)
    };
    // on a machine that others use, 40 ms are also a few turns of the scheduler
    if verdict.level == Level::Ok
        && let Some(there) = Latency::decoded(reply).ok().as_ref().and_then(piled)
    {
        verdict.add(
            Level::Ok,
            format!(
                "{} took about 40 ms: that looks like Nagle's algorithm waiting for a delayed acknowledgement; does \
                 the server set TCP_NODELAY, and write each reply at once?",
                plural(there, "reply").replace("replys", "replies")
            ),
        );
    }
}

/// Says that connects took as long as a SYN that was sent again.
pub fn hint_at_connects(verdict: &mut Verdict, connect: &Quantiles) {
    let slow = |all: &Latency| SYN_AGAIN.iter().map(|(from, to)| all.between(*from, *to)).sum::<u64>();
    let slow = Latency::decoded(connect).ok().as_ref().map_or(0, slow);
    if slow > 0 {
        verdict.add(
            Level::Ok,
            format!(
                "{} took about 1 s or 3 s: that is a SYN sent again, because the first one was dropped; is the listen \
                 queue too short?",
                plural(slow, "connect")
            ),
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn intervals(counts: &[u64]) -> Vec<Interval> {
        let interval = |(at, ok): (usize, &u64)| Interval {
            from: at as f64,
            to: at as f64 + 1.0,
            ok: *ok,
            errors: 0,
            p50: 1,
            p99: 1,
            max: 1,
        };
        counts.iter().enumerate().map(interval).collect()
    }

    fn told(check: impl Fn(&mut Verdict)) -> (Level, String) {
        let mut verdict = Verdict::ok();
        check(&mut verdict);
        (verdict.level, verdict.words())
    }

    fn quantiles(times: &[(u64, u64)]) -> Quantiles {
        let mut latency = Latency::new();
        times.iter().for_each(|(nanos, count)| latency.record(*nanos, *count));
        latency.quantiles()
    }

    #[test]
    fn a_run_that_changes_by_more_than_a_tenth_drifts() {
        assert_eq!(drift(&intervals(&[9, 1, 5, 5, 5])), None);
        assert_eq!(drift(&intervals(&[100, 100, 1, 1, 120, 120])), Some(0.2).map(|_| 120.0 / 100.0 - 1.0));
        let doubt = |counts: &[u64]| told(|verdict| doubt_drift(verdict, &intervals(counts)));
        assert_eq!(doubt(&[100, 100, 9, 9, 91, 91]).0, Level::Ok);
        let (level, words) = doubt(&[100, 100, 9, 9, 80, 80]);
        assert!(level == Level::Suspect && words.contains("fell by 20 %"), "{words}");
        assert_eq!(drift(&intervals(&[0; 6])), None);
    }

    #[test]
    fn a_busy_client_is_doubted_only_where_latency_is_claimed() {
        let level = |busy, open| told(|verdict| doubt_client(verdict, busy, open)).0;
        assert_eq!(level(Some(0.85), true), Level::Suspect);
        assert_eq!(level(Some(0.75), true), Level::Ok);
        assert_eq!(level(Some(0.99), false), Level::Ok);
        assert_eq!(level(None, true), Level::Ok);
    }

    #[test]
    fn a_few_retransmits_among_many_segments_are_no_doubt() {
        let level = |again, sent| told(|verdict| doubt_retransmits(verdict, again, sent)).0;
        assert_eq!(level(0, 0), Level::Ok);
        assert_eq!(level(9, 10), Level::Ok);
        assert_eq!(level(900, 1_000_000), Level::Ok);
        assert_eq!(level(20, 1_000), Level::Suspect);
    }

    #[test]
    fn replies_that_pile_up_at_forty_milliseconds_are_a_hint_and_no_doubt() {
        let hint = |times: &[(u64, u64)]| told(|verdict| hint_at_replies(verdict, &quantiles(times), 10));
        let fast = (500_000, 10_000);
        let (level, words) = hint(&[fast, (41_000_000, 200)]);
        assert!(level == Level::Ok && words.contains("Nagle"), "{words}");
        // one in ten thousand is nothing, and a slow server spreads its times
        assert_eq!(hint(&[fast, (41_000_000, 1)]).1, "");
        // nor are two stalls of the machine, which hold up ten requests each
        assert_eq!(hint(&[(500_000, 100), (41_000_000, 20)]).1, "");
        let spread: Vec<(u64, u64)> = (1..100).map(|ms| (ms * 1_000_000, 100)).collect();
        assert_eq!(hint(&spread).1, "");
        let (level, words) = hint(&[fast, (30_000_000_000, 50)]);
        assert!(level == Level::Ok && words.contains("far longer than p99"), "{words}");
    }

    #[test]
    fn connects_of_a_second_are_a_hint() {
        let hint = |times: &[(u64, u64)]| told(|verdict| hint_at_connects(verdict, &quantiles(times))).1;
        assert!(hint(&[(50_000, 100), (1_020_000_000, 1)]).contains("1 connect took about 1 s"));
        assert_eq!(hint(&[(50_000, 100), (700_000_000, 1)]), "");
    }
}

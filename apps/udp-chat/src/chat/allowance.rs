//! How much one source may say: a token bucket. It fills at `rate` a second up to `burst`, and a datagram takes one
//! token out; whoever finds it empty has said too much.
//!
//! A source is an IP address with all its ports: another port costs a program nothing.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::str::FromStr;
use std::time::Duration;

/// What each source may send.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RateLimit {
    /// Datagrams a second in the long run.
    pub rate: f64,
    /// Datagrams at once.
    pub burst: f64,
}

/// `200/s,burst 1000`, `200/s` (a burst of five seconds' worth) or `off`.
///
/// # Errors
/// What would have been understood.
pub fn parse(text: &str) -> Result<Option<RateLimit>, String> {
    if text == "off" {
        return Ok(None);
    }
    let wrong = || "it is written as 200/s, as 200/s,burst 1000, or as off".to_owned();
    let (rate, burst) = match text.split_once(',') {
        Some((rate, burst)) => (rate, Some(burst.trim().strip_prefix("burst").ok_or_else(wrong)?)),
        None => (text, None),
    };
    let rate = rate.trim().strip_suffix("/s").ok_or_else(wrong)?;
    let number = |text: &str| f64::from_str(text.trim()).ok().filter(|n| n.is_finite() && *n > 0.0);
    let rate = number(rate).ok_or_else(wrong)?;
    let burst = burst.map_or(Some(rate * 5.0), number).ok_or_else(wrong)?;
    Ok(Some(RateLimit { rate, burst: burst.max(1.0) }))
}

/// One source's bucket.
#[derive(Debug, Clone, Copy)]
pub struct Allowance {
    tokens: f64,
    filled: Duration,
}

impl Allowance {
    /// A full bucket.
    #[must_use]
    pub fn full(limit: Option<RateLimit>, now: Duration) -> Self {
        Self { tokens: limit.map_or(0.0, |limit| limit.burst), filled: now }
    }

    /// Takes one token; `false`: there is none.
    pub fn take(&mut self, limit: Option<RateLimit>, now: Duration) -> bool {
        let Some(limit) = limit else { return true };
        let passed = now.saturating_sub(self.filled).as_secs_f64();
        self.tokens = (self.tokens + passed * limit.rate).min(limit.burst);
        self.filled = now;
        if self.tokens < 1.0 {
            return false;
        }
        self.tokens -= 1.0;
        true
    }
}

/// So many sources have a bucket; the one that has been quiet longest loses its own to the next.
const SOURCES_MAX: usize = 256;

/// The buckets of all sources.
#[derive(Debug, Default)]
pub struct Allowances(HashMap<SocketAddr, Allowance>);

impl Allowances {
    /// Takes one token out of the bucket of this source, an address with port 0; `false`: there is none.
    pub fn take(&mut self, source: SocketAddr, limit: Option<RateLimit>, now: Duration) -> bool {
        if limit.is_none() {
            return true;
        }
        if self.0.len() >= SOURCES_MAX
            && !self.0.contains_key(&source)
            && let Some(quietest) = self.0.iter().min_by_key(|(_, allowance)| allowance.filled)
        {
            let quietest = *quietest.0;
            self.0.remove(&quietest);
        }
        self.0.entry(source).or_insert_with(|| Allowance::full(limit, now)).take(limit, now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn as_it_is_written() {
        assert_eq!(parse("off"), Ok(None));
        assert_eq!(parse("200/s"), Ok(Some(RateLimit { rate: 200.0, burst: 1000.0 })));
        assert_eq!(parse("200/s,burst 7"), Ok(Some(RateLimit { rate: 200.0, burst: 7.0 })));
        for wrong in ["", "200", "0/s", "-1/s", "NaN/s", "inf/s", "5/s,7", "5/s,burst", "5/m"] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn each_source_has_its_own_and_there_are_only_so_many() {
        let mut allowances = Allowances::default();
        let limit = Some(RateLimit { rate: 1.0, burst: 1.0 });
        let source = |n: u16| SocketAddr::from(([10, 0, n.to_be_bytes()[0], n.to_be_bytes()[1]], 0));
        for n in 0..1000 {
            let now = Duration::from_micros(n.into());
            assert!(allowances.take(source(n), limit, now));
            assert!(!allowances.take(source(n), limit, now));
        }
        assert_eq!(allowances.0.len(), SOURCES_MAX);
        assert!(!allowances.take(source(999), limit, Duration::from_millis(1)));
    }

    proptest! {
        #[test]
        fn nobody_gets_more_than_burst_and_rate(
            gaps in proptest::collection::vec(0u64..200, 1..400),
            rate in 1u32..100,
            burst in 1u32..50,
        ) {
            let limit = Some(RateLimit { rate: rate.into(), burst: burst.into() });
            let mut allowance = Allowance::full(limit, Duration::ZERO);
            let (mut now, mut taken) = (Duration::ZERO, 0u32);
            for gap in gaps {
                now += Duration::from_millis(gap);
                taken += u32::from(allowance.take(limit, now));
            }
            prop_assert!(f64::from(taken) <= f64::from(burst) + now.as_secs_f64() * f64::from(rate) + 1e-6);
        }
    }
}

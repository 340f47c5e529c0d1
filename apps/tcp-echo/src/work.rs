//! Simulated work (`--work`): what a request costs beside its echo. An echo alone keeps every model equally busy with
//! system calls; work is what tells the models apart.
//!
//! - `cpu` burns processor time: no model can make that quicker, a few can use more than one processor for it.
//! - `wait` stands for I/O that takes its time elsewhere, a query for example. The model may wait in its own way: a thread
//!   sleeps, a loop sets a timer and serves others.
//! - `block` is a call that blocks inside the handler: what a thread does not mind, and what stalls everybody on a loop.
//! - `mixed` is `block` for a share of the requests: most are quick, and some of those stand behind a slow one.
//!
//! A request is a chunk as it was read.

use std::cell::Cell;
use std::fmt;
use std::process;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use common::units;
use nix::time::{ClockId, clock_gettime};

/// What each request costs beside its echo.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Work {
    /// Nothing.
    None,
    /// So much processor time.
    Cpu(Duration),
    /// A wait that the model may do in its own way, always as long.
    Wait(Duration),
    /// The same, exponentially distributed with this mean.
    WaitExponential(Duration),
    /// A call that blocks so long.
    Block(Duration),
    /// This share of the requests blocks so long, the others cost nothing.
    Mixed(f64, Duration),
}

/// Nothing that is simulated takes longer.
const LONGEST: Duration = Duration::from_secs(60);

impl Work {
    /// Understands what `--work` says.
    ///
    /// # Errors
    /// A sentence that says what would be right.
    pub fn parse(text: &str) -> Result<Self, String> {
        let wrong = || {
            "write none, cpu:50us, wait:5ms, wait:exp(5ms), block:5ms or mixed:1%,10ms (this share of the requests blocks)"
                .to_owned()
        };
        let (kind, rest) = text.split_once(':').unwrap_or((text, ""));
        match kind {
            "none" if rest.is_empty() => Ok(Self::None),
            "cpu" => Ok(Self::Cpu(span(rest)?)),
            "block" => Ok(Self::Block(span(rest)?)),
            "wait" => match rest.strip_prefix("exp(").and_then(|rest| rest.strip_suffix(')')) {
                Some(mean) => Ok(Self::WaitExponential(span(mean)?)),
                None => Ok(Self::Wait(span(rest)?)),
            },
            "mixed" => {
                let (share, time) = rest.split_once(',').ok_or_else(wrong)?;
                let percent: f64 =
                    share.trim().strip_suffix('%').and_then(|p| p.trim().parse().ok()).ok_or_else(wrong)?;
                if !(0.0..=100.0).contains(&percent) {
                    return Err("the share must lie between 0% and 100%".to_owned());
                }
                Ok(Self::Mixed(percent / 100.0, span(time)?))
            }
            _ => Err(wrong()),
        }
    }

    /// Does one request's work here and now, as far as it must be done here and now; gives how long the model has still to
    /// wait in its own way (zero: not at all).
    #[inline]
    pub fn perform(self) -> Duration {
        if self == Self::None { Duration::ZERO } else { self.perform_some() }
    }

    fn perform_some(self) -> Duration {
        match self {
            Self::None => {}
            Self::Cpu(time) => burn(time),
            Self::Block(time) => std::thread::sleep(time),
            Self::Mixed(share, time) => {
                if random() < share {
                    std::thread::sleep(time);
                }
            }
            Self::Wait(time) => return time,
            // the inverse of the distribution; 1 - u is never 0
            Self::WaitExponential(mean) => {
                return mean.mul_f64(-(1.0 - random()).ln()).min(LONGEST);
            }
        }
        Duration::ZERO
    }
}

/// As it is written on the command line.
impl fmt::Display for Work {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let us = |time: &Duration| format!("{}us", time.as_nanos() as f64 / 1e3);
        match self {
            Self::None => write!(f, "none"),
            Self::Cpu(time) => write!(f, "cpu:{}", us(time)),
            Self::Wait(time) => write!(f, "wait:{}", us(time)),
            Self::WaitExponential(mean) => write!(f, "wait:exp({})", us(mean)),
            Self::Block(time) => write!(f, "block:{}", us(time)),
            Self::Mixed(share, time) => write!(f, "mixed:{}%,{}", share * 100.0, us(time)),
        }
    }
}

fn span(text: &str) -> Result<Duration, String> {
    match units::duration(text)? {
        span if span <= LONGEST => Ok(span),
        _ => Err("a request may take at most 60s".to_owned()),
    }
}

/// Burns this much processor time, however often the thread is interrupted meanwhile: with a wall clock, two threads on one
/// processor would each do half.
fn burn(time: Duration) {
    let spent = || clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).map(Duration::from);
    let Ok(start) = spent() else { return };
    while spent().is_ok_and(|now| now.saturating_sub(start) < time) {
        for _ in 0..200 {
            std::hint::spin_loop();
        }
    }
}

/// A number from 0 up to but not including 1, of a sequence of this thread's own.
fn random() -> f64 {
    thread_local! {
        static STATE: Cell<u64> = const { Cell::new(0) };
    }
    let state = match STATE.get() {
        // a forked child comes here anew, and its process number makes its sequence another one
        0 => {
            static THREADS: AtomicU64 = AtomicU64::new(1);
            let thread = THREADS.fetch_add(1, Ordering::Relaxed);
            let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |now| now.as_nanos() as u64);
            now ^ u64::from(process::id()).rotate_left(32) ^ thread.rotate_left(48)
        }
        state => state,
    };
    // splitmix64 (Steele, Lea, Flood 2014)
    let next = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    STATE.set(next);
    let mut z = next;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    ((z ^ (z >> 31)) >> 11) as f64 / (1u64 << 53) as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_is_shown_is_what_was_meant() {
        for text in ["none", "cpu:50us", "wait:5ms", "wait:exp(5ms)", "block:1s", "mixed:1%,10ms"] {
            let work = Work::parse(text).unwrap();
            assert_eq!(Work::parse(&work.to_string()), Ok(work), "{text}");
        }
        for wrong in [
            "",
            "cpu",
            "cpu:",
            "cpu:5",
            "none:1s",
            "wait:exp(1ms",
            "mixed:1,1ms",
            "mixed:101%,1ms",
            "block:2h",
        ] {
            assert!(Work::parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn the_mean_is_what_was_asked_for() {
        const TIMES: u32 = 20_000;
        let work = Work::parse("wait:exp(5ms)").unwrap();
        let sum: Duration = (0..TIMES).map(|_| work.perform()).sum();
        let mean = sum / TIMES;
        // the standard error is 5 ms / sqrt(20,000), 0.7 %
        assert!((Duration::from_micros(4_800)..Duration::from_micros(5_200)).contains(&mean), "{mean:?}");
    }

    #[test]
    fn burning_takes_the_processor_time_that_was_asked_for() {
        let spent = || Duration::from(clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).unwrap());
        let start = spent();
        assert_eq!(Work::Cpu(Duration::from_millis(5)).perform(), Duration::ZERO);
        assert!(spent() - start >= Duration::from_millis(5));
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "(cpu|wait|block|mixed)?:?[0-9.%,exp()smu]{0,12}") {
            let _ = Work::parse(&text);
        }
    }
}

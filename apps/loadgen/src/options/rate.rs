//! `-R`: requests that are due at fixed times, and how these are spread.

use clap::Args;
use common::exit::Failure;
use common::units;

use crate::plan::{Arrivals, Rate, Spacing};

/// Above this nothing here could send.
const RATE_MAX: f64 = 100e6;
/// The largest burst.
const BURST_MAX: u64 = 1_000_000;

/// An open loop.
#[derive(Debug, Args)]
pub(super) struct RateOptions {
    /// Send so many requests a second in total, whatever the server does (an open loop), and count latency from the
    /// time when each one was due: 5000, 20k, or A:B for a rate that changes evenly from A to B [default: each
    /// connection sends when it has its reply, a closed loop]
    #[arg(short = 'R', long, visible_alias = "qps", short_alias = 'r', value_name = "RATE", value_parser = ends)]
    rate: Option<(f64, f64)>,
    /// How the requests of an open loop are spaced: uniform, poisson (at random, as those of many people) or burst:N (N
    /// at once)
    #[arg(long, value_name = "HOW", default_value = "uniform", value_parser = spacing)]
    arrivals: Spacing,
}

impl RateOptions {
    /// A rate that is found later; one that was named contradicts that.
    pub(super) fn find(&mut self) -> Result<(), Failure> {
        if self.rate.is_some() {
            return Err(Failure::usage(
                "-R: find-max chooses the rates itself: leave it out, or use `loadgen run`",
            ));
        }
        self.rate = Some((1.0, 1.0));
        Ok(())
    }

    /// The arrivals; `seed` for those at random.
    pub(super) fn arrivals(&self, seed: u64, ends: bool) -> Result<Arrivals, Failure> {
        let Some((from, to)) = self.rate else {
            return if self.arrivals == Spacing::Uniform {
                Ok(Arrivals::AfterReply)
            } else {
                Err(Failure::usage(
                    "--arrivals spaces the requests of an open loop: say its rate with -R, for example -R 10k",
                ))
            };
        };
        if from.max(to) <= 0.0 || from.max(to) > RATE_MAX {
            return Err(Failure::usage(format!(
                "-R: a rate lies above 0 and is at most {} a second",
                units::show_count(RATE_MAX as u64)
            )));
        }
        if !ends && from.to_bits() != to.to_bits() {
            return Err(Failure::usage(
                "-R A:B changes over the measured time: say how long with -d instead of -n",
            ));
        }
        Ok(Arrivals::AtRate(Rate { from, to, spacing: self.arrivals, seed }))
    }
}

/// `5000`, `20k/s`, `100:10k`, `0.5`.
fn ends(text: &str) -> Result<(f64, f64), String> {
    let (from, to) = text.split_once(':').unwrap_or((text, text));
    Ok((per_second(from)?, per_second(to)?))
}

fn per_second(text: &str) -> Result<f64, String> {
    let plain = text.strip_suffix("/s").unwrap_or(text);
    if let Ok(rate) = plain.parse::<f64>()
        && rate.is_finite()
        && rate >= 0.0
    {
        return Ok(rate);
    }
    units::count(plain).map(|rate| rate as f64).map_err(|_| {
        format!("'{text}' is not a rate: write requests per second, for example 500, 20k or 1k:10k")
    })
}

fn spacing(text: &str) -> Result<Spacing, String> {
    let burst = text.strip_prefix("burst").map(|rest| rest.strip_prefix(':').unwrap_or("10"));
    match (text, burst) {
        ("uniform", _) => Ok(Spacing::Uniform),
        ("poisson", _) => Ok(Spacing::Poisson),
        (_, Some(size)) => match units::count(size) {
            Ok(size) if (1..=BURST_MAX).contains(&size) => Ok(Spacing::Burst(size)),
            _ => Err(format!("a burst has 1 to {} requests: burst:10", units::show_count(BURST_MAX))),
        },
        _ => Err("write uniform, poisson or burst:N".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_and_bursts_are_understood() {
        assert_eq!(ends("5000"), Ok((5000.0, 5000.0)));
        assert_eq!(ends("20k/s"), Ok((20_000.0, 20_000.0)));
        assert_eq!(ends("0.5:2k"), Ok((0.5, 2000.0)));
        assert!(ends("fast").is_err() && ends("-5").is_err() && ends("nan").is_err());
        assert_eq!(spacing("burst:7"), Ok(Spacing::Burst(7)));
        assert_eq!(spacing("burst"), Ok(Spacing::Burst(10)));
        assert!(spacing("burst:0").is_err() && spacing("often").is_err());
    }
}

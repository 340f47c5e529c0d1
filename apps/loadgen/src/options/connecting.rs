//! `--ramp`, `--connect-rate`, `--sources`: how the connections are opened.

use std::time::Duration;

use clap::Args;
use common::exit::Failure;
use common::units;

use crate::drive::sources::ADDRESSES_MAX;

/// The longest time that opening them may take.
const RAMP_MAX: Duration = Duration::from_secs(3600);

#[derive(Debug, Args)]
pub(super) struct ConnectOptions {
    /// Open the connections over this time, before anything is measured [default: as fast as they are accepted]
    #[arg(long, value_name = "TIME", value_parser = units::duration)]
    ramp: Option<Duration>,
    /// Open this many connections a second instead
    #[arg(long, value_name = "N", conflicts_with = "ramp", value_parser = units::count)]
    connect_rate: Option<u64>,
    /// To a loopback address, leave from this many addresses, 127.0.0.1 and up: each has some 28,000 ports [default: 32,
    /// where one has too few]
    #[arg(long, value_name = "N", value_parser = units::count)]
    sources: Option<u64>,
}

impl ConnectOptions {
    /// The time in which so many connections are opened.
    pub(super) fn ramp(&self, connections: usize) -> Result<Option<Duration>, Failure> {
        let ramp = match self.connect_rate {
            Some(0) => {
                return Err(Failure::usage("--connect-rate 0: no connection would ever be opened"));
            }
            Some(rate) => Some(Duration::from_secs_f64(connections as f64 / rate as f64)),
            None => self.ramp,
        };
        match ramp {
            Some(ramp) if ramp > RAMP_MAX => Err(Failure::usage(format!(
                "opening {} would take {}: at most an hour",
                units::plural(connections as u64, "connection"),
                units::show_duration(ramp)
            ))),
            ramp => Ok(ramp),
        }
    }

    /// From how many addresses.
    pub(super) fn sources(&self) -> Result<Option<usize>, Failure> {
        match self.sources {
            Some(count) if !(1..=ADDRESSES_MAX).contains(&count) => {
                Err(Failure::usage(format!("--sources {count}: must be from 1 to {ADDRESSES_MAX}")))
            }
            count => Ok(count.map(|count| count as usize)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(ramp: Option<u64>, connect_rate: Option<u64>, sources: Option<u64>) -> ConnectOptions {
        ConnectOptions { ramp: ramp.map(Duration::from_secs), connect_rate, sources }
    }

    #[test]
    fn a_rate_of_connects_is_a_time_for_all_of_them() {
        let ramp = |rate, connections| options(None, Some(rate), None).ramp(connections);
        assert_eq!(ramp(500, 1000).unwrap(), Some(Duration::from_secs(2)));
        assert!(ramp(0, 10).is_err() && ramp(1, 10_000).is_err());
        assert_eq!(options(Some(5), None, None).ramp(10).unwrap(), Some(Duration::from_secs(5)));
        assert_eq!(options(None, None, None).ramp(10).unwrap(), None);
    }

    #[test]
    fn there_are_only_so_many_sources() {
        assert_eq!(options(None, None, Some(4)).sources().unwrap(), Some(4));
        assert!(options(None, None, Some(0)).sources().is_err());
        assert!(options(None, None, Some(251)).sources().is_err());
    }
}

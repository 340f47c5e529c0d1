//! `--idle`, `--slow`, `--greedy`: connections that are there as well and are not measured.

use clap::Args;
use common::exit::Failure;
use common::units;

use crate::drive::bystanders::slow;
use crate::plan::Bystanders;

/// As many as may be measured.
const IDLE_MAX: u64 = 100_000;
/// Half of them send ten times a second.
const SLOW_MAX: u64 = 10_000;
/// Each has a quarter of a megabyte under way.
const GREEDY_MAX: u64 = 256;

#[derive(Debug, Args)]
pub(super) struct BystanderOptions {
    /// Beside the measured connections, this many that send one request and then nothing
    #[arg(long, value_name = "N", default_value = "0", hide_default_value = true, value_parser = units::count)]
    idle: u64,
    /// Beside them, this many slow ones: every other one sends one byte each 100 ms, the others send and never read
    #[arg(long, value_name = "N", default_value = "0", hide_default_value = true, value_parser = units::count)]
    slow: u64,
    /// Beside them, this many that have four messages of 64 KiB under way all the time
    #[arg(long, value_name = "N", default_value = "0", hide_default_value = true, value_parser = units::count)]
    greedy: u64,
}

impl BystanderOptions {
    /// Checks the bounds.
    pub(super) fn understand(&self) -> Result<Bystanders, Failure> {
        Ok(Bystanders {
            idle: at_most("--idle", self.idle, IDLE_MAX)?,
            slow: at_most("--slow", self.slow, SLOW_MAX)?,
            greedy: at_most("--greedy", self.greedy, GREEDY_MAX)?,
        })
    }
}

/// About how many bytes the messages of the idle and slow ones fill, each being this large. Those of the greedy ones
/// have a size of their own.
pub(super) fn memory(asked: &Bystanders, size: usize) -> u64 {
    asked.idle as u64 * size as u64 + asked.slow as u64 * slow::memory(size)
}

fn at_most(option: &str, value: u64, max: u64) -> Result<usize, Failure> {
    if value <= max {
        Ok(value as usize)
    } else {
        Err(Failure::usage(format!("{option} {value}: at most {}", units::show_count(max))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_has_its_bound() {
        let asked = |idle, slow, greedy| BystanderOptions { idle, slow, greedy }.understand();
        assert_eq!(asked(10_000, 64, 1).unwrap(), Bystanders { idle: 10_000, slow: 64, greedy: 1 });
        assert!(asked(100_001, 0, 0).unwrap_err().message.contains("--idle"));
        assert!(asked(0, 10_001, 0).unwrap_err().message.contains("--slow"));
        assert!(asked(0, 0, 257).unwrap_err().message.contains("--greedy"));
    }
}

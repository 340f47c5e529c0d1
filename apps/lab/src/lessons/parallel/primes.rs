//! The work: primes are counted, by threads or by processes; and how long that took, with how many CPUs.

use std::io::{self, Read, Write};
use std::time::{Duration, Instant};

use common::exit::Failure;
use common::process::{Builder, Process};
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike;
use serde::Serialize;

use crate::lessons::together::together;

/// The primes below this are counted: some 50 ms of work for one thread.
pub(super) const BELOW: u32 = 400_000;
/// Higher numbers take longer, so everybody gets blocks from everywhere.
const BLOCK: u32 = 1000;

/// Who shares the work: so many threads, or so many processes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Unit {
    Thread,
    Process,
}

/// What one measurement gave.
#[derive(Debug, Clone, Copy)]
pub(super) struct Measured {
    pub(super) unit: Unit,
    pub(super) count: usize,
    pub(super) primes: u64,
    pub(super) ms: f64,
    /// How many CPUs it was given: CPU time by time. Fewer than there are, and somebody else had the others.
    pub(super) given: f64,
}

/// Counts once.
pub(super) fn measure(unit: Unit, count: usize) -> Result<Measured, Failure> {
    let (begin, used) = (Instant::now(), cpu_time()?);
    let primes = match unit {
        Unit::Thread => in_threads(count),
        Unit::Process => in_processes(count),
    }?;
    let span = begin.elapsed().as_secs_f64();
    let used = cpu_time()?.saturating_sub(used).as_secs_f64();
    Ok(Measured { unit, count, primes, ms: span * 1e3, given: used / span })
}

/// What this process and the children that it has waited for have used.
fn cpu_time() -> io::Result<Duration> {
    let mut micros = 0;
    for who in [UsageWho::RUSAGE_SELF, UsageWho::RUSAGE_CHILDREN] {
        let usage = getrusage(who)?;
        micros += usage.user_time().num_microseconds() + usage.system_time().num_microseconds();
    }
    Ok(Duration::from_micros(u64::try_from(micros).unwrap_or(0)))
}

fn in_threads(count: usize) -> Result<u64, Failure> {
    Ok(together(count, |part| primes(part, count))?.into_iter().sum())
}

/// Each process counts its part and writes the result into a pipe.
fn in_processes(count: usize) -> Result<u64, Failure> {
    let work = || -> io::Result<u64> {
        let (mut results, to_parent) = io::pipe()?;
        let start = |part| Builder::new().fork(|| (&to_parent).write_all(&primes(part, count).to_le_bytes()));
        let children: Vec<Process> = (0..count).map(start).collect::<Result<_, _>>()?;
        // only the children have it now: if all are gone, the read below ends
        drop(to_parent);
        let mut sum = 0;
        for _ in &children {
            let mut result = [0; 8];
            results.read_exact(&mut result)?;
            sum += u64::from_le_bytes(result);
        }
        for child in &children {
            child.join(None)?;
        }
        Ok(sum)
    };
    work().map_err(|e| Failure::failed(format!("{count} processes: {e}")))
}

/// How many primes there are in one of so many parts of the numbers.
fn primes(part: usize, parts: usize) -> u64 {
    let blocks = (0..BELOW / BLOCK).skip(part).step_by(parts);
    blocks.flat_map(|block| block * BLOCK..(block + 1) * BLOCK).filter(|number| is_prime(*number)).count()
        as u64
}

fn is_prime(number: u32) -> bool {
    let mut divisors = (2..).take_while(|divisor| divisor * divisor <= number);
    number > 1 && divisors.all(|divisor| !number.is_multiple_of(divisor))
}

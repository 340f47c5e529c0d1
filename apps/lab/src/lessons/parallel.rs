//! Work that needs nothing but CPUs, given to threads and to processes.

use std::io::{self, Read, Write};
use std::time::{Duration, Instant};

use common::exit::Failure;
use common::process::{Builder, Process, cpu_count, usable_cpus};
use common::units::{plural, show_count, show_duration};
use serde::Serialize;

use crate::lesson::{Example, Lesson, Saw};
use crate::lessons::together::together;
use crate::stage::Stage;

/// The primes below this are counted: some 50 ms of work for one thread.
const BELOW: u32 = 400_000;
/// Higher numbers take longer, so everybody gets blocks from everywhere.
const BLOCK: u32 = 1000;
/// No more threads or processes than twice this.
const CPUS_MAX: usize = 8;
/// The shortest of so many runs counts: what else the machine does can only make them longer.
const ROUNDS: usize = 3;

pub(crate) const LESSON: Lesson = Lesson {
    name: "parallel",
    title: "many CPUs: threads and processes for work that only computes",
    about: "The same work, divided among more and more threads, then among processes. One of the tutorials says that threads are \
            useless and processes are to be used instead. That is true of an interpreter with one lock for everything.",
    look_for: "How much faster two threads are than one, and that processes are no better; and that more threads than CPUs bring nothing.",
    file: "apps/lab/src/lessons/parallel.rs",
    examples: &[Example {
        name: "cpu",
        about: "counting primes on 1 to N threads and 1 to N processes",
        rows: &[13],
        run: cpu,
    }],
};

/// What one measurement gave.
#[derive(Debug, Clone, Serialize)]
struct Measured {
    unit: &'static str,
    count: usize,
    primes: u64,
    ms: f64,
    /// How many times as fast as one thread.
    speed_up: f64,
}

fn cpu(stage: &Stage) -> Result<Saw, Failure> {
    let usable = usable_cpus();
    let most = usable.min(CPUS_MAX);
    let mut all: Vec<Measured> = Vec::new();
    for count in (1..=most).chain([2 * most]) {
        for (unit, work) in [("thread", in_threads as Work), ("process", in_processes)] {
            let (primes, span) = shortest(count, work)?;
            let ms = span.as_secs_f64() * 1e3;
            let speed_up = all.first().map_or(1.0, |one| one.ms / ms);
            let who = plural(count as u64, unit).replace("processs", "processes");
            stage.says(
                "main",
                format!(
                    "{who}: {} primes in {}, {speed_up:.2} times as fast as one thread",
                    show_count(primes),
                    show_duration(span)
                ),
            );
            all.push(Measured { unit, count, primes, ms, speed_up });
        }
    }
    let same = all.iter().all(|one| one.primes == all[0].primes);
    let saw = Saw::new()
        .fact("usable_cpus", usable)
        .fact("cpus", cpu_count())
        .fact("below", BELOW)
        .fact("primes", all[0].primes)
        .fact("same_result", same)
        .fact("measured", &all);
    let best = |unit: &str, count: usize| {
        all.iter().find(|one| one.unit == unit && one.count == count).map_or(0.0, |one| one.speed_up)
    };
    let (threads, processes, twice) = (best("thread", most), best("process", most), best("thread", 2 * most));
    let what = if most == 1 {
        format!(
            "This process may use 1 CPU of {}: nothing can run beside something else, so neither two threads ({twice:.2} ×) nor \
             processes can be faster than one.",
            cpu_count()
        )
    } else {
        let verdict = if threads > 1.2 {
            "threads are not useless here"
        } else {
            "no gain this time, so the other CPUs were busy"
        };
        format!(
            "{most} threads were {threads:.2} times as fast as one, {most} processes {processes:.2} times: {verdict}."
        )
    };
    Ok(saw
        .say(what)
        .say(format!("{} threads on {}: {twice:.2} times as fast as one.", 2 * most, plural(usable as u64, "CPU")))
        .note(
            "\"Threads are useless, use processes\" is about CPython's interpreter lock, which lets one thread at a time compute; \
             its builds without that lock (from 3.13 on) have left it behind, and Rust never had one.",
        )
        .shown(same))
}

type Work = fn(usize) -> Result<u64, Failure>;

fn shortest(count: usize, work: Work) -> Result<(u64, Duration), Failure> {
    let mut shortest = (0, Duration::MAX);
    for _ in 0..ROUNDS {
        let begin = Instant::now();
        let primes = work(count)?;
        shortest = (primes, shortest.1.min(begin.elapsed()));
    }
    Ok(shortest)
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

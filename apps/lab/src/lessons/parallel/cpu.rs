//! The same work, divided among more and more threads and processes.

use common::exit::Failure;
use common::process::{cpu_count, usable_cpus};
use common::units::{plural, show_count};
use serde_json::json;

use super::primes::{BELOW, Measured, Unit, measure};
use super::verdict::verdict;
use crate::lesson::{Example, Saw};
use crate::stage::Stage;

/// No more threads or processes than twice this.
const CPUS_MAX: usize = 8;
/// Each number of threads and processes is measured so often, in turn with the others. The shortest counts: what else the machine does
/// can only make it longer.
const ROUNDS: usize = 4;

pub(super) const CPU: Example =
    Example::new("cpu", "counting primes on 1 to N threads and 1 to N processes", &[13], cpu);

fn cpu(stage: &Stage) -> Result<Saw, Failure> {
    let usable = usable_cpus();
    let most = usable.min(CPUS_MAX);
    let counts: Vec<usize> = (1..=most).chain([2 * most]).collect();
    let all = shortest(&counts)?;
    // (one thread is the first one)
    let speed_up = |one: &Measured| all[0].ms / one.ms;
    stage.says("main", "the time, and how many times as fast as one thread:");
    for (count, pair) in counts.iter().zip(all.chunks(2)) {
        let [threads, processes] =
            [0, 1].map(|unit| format!("{:.1} ms ({:.2} ×)", pair[unit].ms, speed_up(&pair[unit])));
        let plural = if *count == 1 { ["thread", "process"] } else { ["threads", "processes"] };
        stage.says(
            "main",
            format_args!("{count} {}: {threads}, {count} {}: {processes}", plural[0], plural[1]),
        );
    }
    let counted = |same: bool| if same { "all counted the same" } else { "not all counted the same" };
    let same = all.iter().all(|one| one.primes == all[0].primes);
    let listed = |one: &Measured| {
        let Measured { unit, count, primes, ms, given } = one;
        let speed_up = speed_up(one);
        json!({"unit": unit, "count": count, "primes": primes, "ms": ms, "cpus_given": given, "speed_up": speed_up})
    };
    let [.., threads, processes, twice, _] = &all[..] else {
        return Err(Failure::failed("nothing was measured"));
    };
    let speed_ups = [threads, processes, twice].map(speed_up);
    let what = if most == 1 {
        format!(
            "This process may use 1 CPU of {}: nothing can run beside something else, so neither two threads ({:.2} ×) nor \
             processes can be faster than one.",
            cpu_count(),
            speed_ups[2]
        )
    } else {
        format!(
            "{most} threads were {:.2} times as fast as one, {most} processes {:.2} times. {}",
            speed_ups[0],
            speed_ups[1],
            verdict(most, speed_ups[0], [&all[0], threads].map(|one| one.given))
        )
    };
    Ok(Saw::new()
        .fact("usable_cpus", usable)
        .fact("cpus", cpu_count())
        .fact("below", BELOW)
        .fact("primes", all[0].primes)
        .fact("same_result", same)
        .fact("measured", all.iter().map(listed).collect::<Vec<_>>())
        .say(what)
        .say(format!("{} threads on {}: {:.2} times.", 2 * most, plural(usable as u64, "CPU"), speed_ups[2]))
        .say(format!("{} primes below {}: {}.", show_count(all[0].primes), show_count(BELOW.into()), counted(same)))
        .note(
            "\"Threads are useless, use processes\" is about CPython's interpreter lock, which lets one thread at a time compute; \
             its builds without that lock (from 3.13 on) have left it behind, and Rust never had one.",
        )
        .shown(same))
}

/// For each number of threads or processes the shortest measurement: threads, processes, more threads, more processes …
fn shortest(counts: &[usize]) -> Result<Vec<Measured>, Failure> {
    let mut shortest: Vec<Measured> = Vec::new();
    for round in 0..ROUNDS {
        let pairs = counts.iter().flat_map(|count| [(Unit::Thread, *count), (Unit::Process, *count)]);
        for (place, (unit, count)) in pairs.enumerate() {
            let measured = measure(unit, count)?;
            if round == 0 {
                shortest.push(measured);
            } else if measured.ms < shortest[place].ms {
                shortest[place] = measured;
            }
        }
    }
    Ok(shortest)
}

//! Queues and pipes between processes, tested by a process with one thread.
#![expect(clippy::unwrap_used, reason = "whatever fails here is a failed test")]

mod every_instant;
mod family;
mod orphans;
mod pipe;
mod pool;
mod pool_death;
mod pool_killed;
mod pool_model;
mod queue;
mod queue_killed;
mod queue_memory;
mod queue_model;
#[path = "../../../../common/tests/alone/runner.rs"]
mod runner;

use std::process::ExitCode;

use common::process::{self, Entry};

const ENTRIES: &[&[Entry]] = &[queue::ENTRIES, pipe::ENTRIES];

fn main() -> ExitCode {
    let entries: Vec<Entry> = ENTRIES.concat();
    if let Some(code) = process::spawned(entries.leak()) {
        return ExitCode::from(u8::try_from(code).unwrap_or(1));
    }
    let all = [
        queue::TESTS,
        queue_model::TESTS,
        queue_killed::TESTS,
        queue_memory::TESTS,
        every_instant::TESTS,
        orphans::TESTS,
        pipe::TESTS,
        pool::TESTS,
        pool_death::TESTS,
        pool_killed::TESTS,
        pool_model::TESTS,
    ];
    runner::run(&all.concat())
}

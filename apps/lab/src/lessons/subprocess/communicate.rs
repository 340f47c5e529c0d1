//! A program is fed, and both its outputs are taken at the same time.

use std::io;
use std::process::Command;
use std::time::Duration;

use common::exit::Failure;
use common::units::show_count;

use super::LIMIT;
use super::full_pipes::{Stopped, write_first};
use crate::lesson::{Example, Saw};
use crate::stage::Stage;
use crate::subprocess;

/// What is sent through a program and back.
const MEBIBYTE: usize = 1 << 20;

pub(super) const COMMUNICATE: Example = Example::new(
    "communicate",
    "feed a program and take both its outputs at the same time",
    &[49],
    communicate,
);

fn communicate(stage: &Stage) -> Result<Saw, Failure> {
    let input: Vec<u8> = (0..MEBIBYTE).map(|n| (n % 251) as u8).collect();
    let stopped = write_first(&input).map_err(|e| Failure::failed(format!("cat: {e}")))?;
    let Stopped { written, in_its_input, in_its_output, pipe } = stopped;
    let said =
        format!("cat, writing first and reading later: {} bytes go in, then nothing", show_count(written));
    stage.says("main", said);

    let mut both_ways = Command::new("tee");
    both_ways.arg("/dev/stderr");
    let finished = subprocess::communicate(&mut both_ways, &input, LIMIT);
    let finished = finished.map_err(|e| Failure::failed(format!("tee: {e}")))?;
    let whole = finished.stdout == input && finished.stderr == input;
    let came = show_count((finished.stdout.len() + finished.stderr.len()) as u64);
    stage.says("main", format!("tee, all at once: {came} bytes come back, exit code {}", finished.exit_code));

    let patience = stage.paced(Duration::from_secs(1));
    let slow = subprocess::communicate(Command::new("sleep").arg("10"), b"", patience);
    let timed_out = slow.is_err_and(|e| e.kind() == io::ErrorKind::TimedOut);
    let ended = if timed_out { "not done in time, so killed" } else { "done" };
    stage.says("main", format!("sleep 10, with a time limit of {} ms: {ended}", patience.as_millis()));

    let own = written.saturating_sub(in_its_input + in_its_output);
    let where_it_is = format!(
        "Writing everything before reading anything stopped after {} of {} bytes: {} were in its input pipe, {} in its output \
         pipe (a pipe holds {}) and {} in cat's own memory. Everybody waits then: that write would never have come back.",
        show_count(written),
        show_count(MEBIBYTE as u64),
        show_count(in_its_input),
        show_count(in_its_output),
        show_count(pipe),
        show_count(own)
    );
    let stops = written < MEBIBYTE as u64;
    Ok(Saw::new()
        .fact("stopped", &stopped)
        .fact("sent", MEBIBYTE)
        .fact("stdout_bytes", finished.stdout.len())
        .fact("stderr_bytes", finished.stderr.len())
        .fact("came_back_whole", whole)
        .fact("exit_code", finished.exit_code)
        .fact("killed_at_the_time_limit", timed_out)
        .say(if stops { where_it_is } else { "Everything went in before anything was read.".to_owned() })
        .say(format!(
            "Feeding and reading at the same time, {came} bytes came back by two pipes, {}.",
            if whole { "the same that were sent" } else { "not those that were sent" }
        ))
        .shown(stops && whole && finished.exit_code == 0 && timed_out))
}

//! What a process has said when it has ended.

use std::thread;
use std::time::Duration;

use common::exit::Failure;
use common::process::{self, Builder};

use super::told;
use crate::lesson::{Example, Saw};
use crate::stage::Stage;

pub(super) const EXIT_CODES: Example =
    Example::new("exit-codes", "how a process says how it went", &[8, 38], exit_codes);

fn exit_codes(stage: &Stage) -> Result<Saw, Failure> {
    let asleep = || Builder::new().daemon(true).fork(|| thread::sleep(Duration::from_secs(60)));
    let (terminated, killed) = (asleep()?, asleep()?);
    let while_it_runs = terminated.exit_code();
    terminated.terminate()?;
    killed.kill()?;
    let panics = || -> i32 {
        std::panic::set_hook(Box::new(|_| ()));
        std::panic::resume_unwind(Box::new("on purpose"))
    };
    let children = [
        ("returned", Builder::new().fork(|| ())?),
        ("returned 3", Builder::new().fork(|| 3)?),
        ("panicked", Builder::new().fork(panics)?),
        ("was terminated", terminated),
        ("was killed", killed),
        ("aborted", Builder::new().fork(|| -> i32 { std::process::abort() })?),
    ];
    let mut saw = Saw::new().fact("while_it_runs", while_it_runs);
    let mut codes = Vec::new();
    for (how, child) in &children {
        let code = child.join(None)?;
        stage.says("parent", format_args!("{} {how}: {}", child.name(), told(code)));
        saw = saw.fact(how, code);
        codes.extend(code);
    }
    let by_signal: Vec<i32> = codes.iter().copied().filter(|code| *code < 0).map(|code| -code).collect();
    Ok(saw
        .say(format!("Exit codes {codes:?}: those below zero by the signals {by_signal:?}."))
        .say(format!(
            "While a child still ran, it had {}.",
            if while_it_runs.is_none() { "no exit code" } else { "an exit code already" }
        ))
        .note("A process that a signal ended has no code of its own: the signal's number, below zero, stands for it.")
        .shown(codes == [0, 3, process::PANICKED, -15, -9, -6] && while_it_runs.is_none()))
}

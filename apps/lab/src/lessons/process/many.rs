//! Several children, and the list of them.

use std::fs;
use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::thread;
use std::time::{Duration, Instant};

use common::exit::Failure;
use common::process::{self, Builder, Process, active_children};

use crate::lesson::{Example, Saw};
use crate::stage::Stage;

/// The children have ended before this is over, however busy the machine is.
const LIMIT: Duration = Duration::from_secs(60);

pub(super) const MANY: Example = Example::new("many", "several children, and the list of them", &[10], many);

fn many(stage: &Stage) -> Result<Saw, Failure> {
    let (go, wait) = UnixStream::pair()?;
    let worker = |number: usize| {
        let wait = wait.try_clone()?;
        let (stage, mut end) = (stage, wait);
        Builder::new().daemon(true).fork(move || {
            let who = format!("worker {number}");
            stage.says(&who, "begins");
            let _ = end.read(&mut [0]);
            stage.says(&who, "ends");
        })
    };
    // each child has a copy of `go`; they wait for one byte each
    let children = (1..=3).map(worker).collect::<io::Result<Vec<Process>>>()?;
    let while_they_run = active_children();
    for child in &while_they_run {
        stage.says("parent", format_args!("{} is process {}", child.name, child.pid));
    }
    (&go).write_all(b"...")?;
    let ours = |pid: i32| children.iter().any(|child| child.pid() == pid);
    let end = Instant::now() + LIMIT;
    // nobody joins them: asking is enough
    while active_children().iter().any(|child| ours(child.pid)) && Instant::now() < end {
        thread::sleep(Duration::from_millis(1));
    }
    let afterwards = active_children().iter().filter(|child| ours(child.pid)).count();
    let zombies =
        children.iter().filter(|c| fs::exists(format!("/proc/{}", c.pid())).unwrap_or(true)).count();
    let codes = children.iter().map(|child| child.join(None)).collect::<io::Result<Vec<_>>>()?;
    let (cpus, usable) = (process::cpu_count(), process::usable_cpus());
    let mine = while_they_run.iter().filter(|child| ours(child.pid)).count();
    Ok(Saw::new()
        .fact("cpu_count", cpus)
        .fact("usable_cpus", usable)
        .fact("active", [mine, afterwards])
        .fact("exit_codes", &codes)
        .fact("zombies", zombies)
        .say(format!(
            "{mine} children were active while they ran, {afterwards} afterwards. Nobody had joined them, and {zombies} of them were \
             left as zombies."
        ))
        .say(format!("The machine has {cpus} CPUs, and this process may use {usable}."))
        .note("Asking for the active children waits for those that have ended, as join does.")
        .note("Only the second number says how many can compute at once: a container or `taskset` may allow fewer.")
        .shown(mine == 3 && afterwards == 0 && zombies == 0))
}

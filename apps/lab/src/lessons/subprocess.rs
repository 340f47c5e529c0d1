//! Other programs as children: run one and wait for it, or talk to it.

use std::fs;
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::process::Command;
use std::time::{Duration, Instant};

use common::exit::Failure;
use common::units::show_count;
use nix::fcntl::{FcntlArg, fcntl};
use nix::poll::{PollFd, PollFlags, poll};
use rustix::io::ioctl_fionread;
use serde::Serialize;
use serde_json::json;

use crate::lesson::{Example, Lesson, Saw};
use crate::stage::Stage;
use crate::subprocess::{self, Started};

/// No program of this lesson takes longer, however busy the machine is.
const LIMIT: Duration = Duration::from_secs(30);
/// What is sent through a program and back.
const MEBIBYTE: usize = 1 << 20;
/// While a program is busy, it is looked at again after so many milliseconds.
const LOOK_AGAIN_MS: u8 = 5;

pub(crate) const LESSON: Lesson = Lesson {
    name: "subprocess",
    title: "other programs as children: run one, or talk to one",
    about: "A program is started, fed and heard out through pipes, and its exit code says how it ended. The tutorials ask \
            `nslookup` for addresses; that needs a network and a name server, so the programs here are some that every machine has.",
    look_for: "The exit code of a program that a signal ended, and that a program which is not there has none. How much can be \
               written to a program before anybody reads what it answers: from then on all wait for each other.",
    file: "apps/lab/src/lessons/subprocess.rs",
    examples: &[
        Example { name: "call", about: "run a program and wait for its exit code", rows: &[48], run: call },
        Example {
            name: "communicate",
            about: "feed a program and take both its outputs at the same time",
            rows: &[49],
            run: communicate,
        },
    ],
};

fn call(stage: &Stage) -> Result<Saw, Failure> {
    let asked = [("true", 0), ("false", 1), ("exit 3", 3), ("kill -TERM $$", -15), ("kill -KILL $$", -9)];
    let mut codes = Vec::new();
    for (script, expected) in asked {
        let code = subprocess::call(Command::new("sh").args(["-c", script])).map_err(Failure::failed)?;
        stage.says("main", format!("$ sh -c '{script}': exit code {code}"));
        codes.push((script, code, code == expected));
    }
    let missing = subprocess::call(&mut Command::new("no-such-program"));
    match &missing {
        Ok(code) => stage.says("main", format!("$ no-such-program: exit code {code}")),
        Err(e) => stage.says("main", format!("$ no-such-program: no exit code, but an error: {e}")),
    }
    let not_found = missing.is_err_and(|e| e.kind() == io::ErrorKind::NotFound);
    let as_expected = codes.iter().filter(|(_, _, right)| *right).count();
    let listed: Vec<String> = codes.iter().map(|(script, code, _)| format!("'{script}' {code}")).collect();
    Ok(Saw::new()
        .fact("exit_codes", codes.iter().map(|(script, code, _)| json!([script, code])).collect::<Vec<_>>())
        .fact("missing_program_is_an_error", not_found)
        .say(format!(
            "{as_expected} of {} exit codes were those that were asked for: {}.",
            asked.len(),
            listed.join(", ")
        ))
        .say(
            if not_found {
                "The program that is not there has no exit code: nothing ran, and the start itself is the error."
            } else {
                "The program that should not be there was there, or was not looked for."
            }
            .to_owned(),
        )
        .note("A program that signal N ended has no exit code of its own: −N stands for it.")
        .shown(not_found && as_expected == asked.len()))
}

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

/// Where the bytes were when nothing moved any more.
#[derive(Debug, Serialize)]
struct Stopped {
    written: u64,
    in_its_input: u64,
    in_its_output: u64,
    /// How much a pipe holds.
    pipe: u64,
}

/// Writes to a `cat` that nobody reads from, until that would wait for ever: its input is full, and it sleeps although there
/// is something to read, so it waits for room in its output.
fn write_first(input: &[u8]) -> io::Result<Stopped> {
    let mut cat = Started::new(&mut Command::new("cat"))?;
    let (Some(mut stdin), Some(stdout)) = (cat.take_stdin()?, cat.take_stdout()?) else {
        return Err(io::ErrorKind::NotFound.into());
    };
    let (end, mut written, mut slept) = (Instant::now() + LIMIT, 0, false);
    while written < input.len() {
        match stdin.write(&input[written..]) {
            Ok(n) => (written, slept) = (written + n, false),
            // asleep, and still no room afterwards
            Err(e) if e.kind() == io::ErrorKind::WouldBlock && slept => break,
            Err(e) if e.kind() == io::ErrorKind::WouldBlock && Instant::now() < end => {
                poll(&mut [PollFd::new(stdin.as_fd(), PollFlags::POLLOUT)], LOOK_AGAIN_MS)?;
                slept = ioctl_fionread(&stdout)? > 0 && is_asleep(cat.pid())?;
            }
            Err(e) => return Err(e),
        }
    }
    Ok(Stopped {
        written: written as u64,
        in_its_input: ioctl_fionread(&stdin)?,
        in_its_output: ioctl_fionread(&stdout)?,
        pipe: u64::try_from(fcntl(&stdin, FcntlArg::F_GETPIPE_SZ)?).unwrap_or(0),
    })
}

/// The third word that the kernel says of a process, behind its name in brackets, is what it does: S, it sleeps.
fn is_asleep(pid: u32) -> io::Result<bool> {
    let said = fs::read_to_string(format!("/proc/{pid}/stat"))?;
    Ok(said.rsplit_once(") ").is_some_and(|(_, rest)| rest.starts_with('S')))
}

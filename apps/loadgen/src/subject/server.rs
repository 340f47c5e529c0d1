//! A server that loadgen starts, watches and stops. It never outlives loadgen.

use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::process::{Child, ChildStderr, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use common::ready::Ready;
use common::signals;
use nix::sys::resource::{Usage, UsageWho, getrusage};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// The longest wait for the ready line.
const READY: Duration = Duration::from_secs(5);
/// The longest wait after SIGTERM: more than a server's own limit for draining (10 s).
const STOP: Duration = Duration::from_secs(12);
/// Between two looks at whether the server has ended.
const LOOK: Duration = Duration::from_millis(1);
/// The longest wait for the last words of a server that has failed.
const LAST_WORDS: Duration = Duration::from_millis(100);
/// Bytes of one line of stderr that are kept.
const LINE: u64 = 1024;

/// A running server.
#[derive(Debug)]
pub struct Server {
    child: Child,
    /// Where it listens.
    pub address: SocketAddr,
    ended: Option<ExitStatus>,
    last_words: Arc<Mutex<String>>,
    before: Option<Usage>,
}

/// What is known when a server has ended.
#[derive(Debug, Clone, PartialEq)]
pub struct Left {
    /// `Err`: why this was no clean end.
    pub cleanly: Result<(), String>,
    /// Voluntary and involuntary context switches over its whole life, all its processes.
    pub context_switches: u64,
    /// Page faults over its whole life.
    pub faults: u64,
}

impl Server {
    /// Starts `program` on `cpus` (empty: on any) and waits until it says where it listens.
    ///
    /// # Errors
    /// What went wrong, with the server's own last words.
    pub fn start(program: &Path, arguments: &[String], cpus: &[usize]) -> Result<Self, String> {
        let before = getrusage(UsageWho::RUSAGE_CHILDREN).ok();
        let own = std::env::current_exe().map_err(|e| format!("cannot find my own program file: {e}"))?;
        let mut command = Command::new(own);
        command.arg("become").arg("--parent").arg(std::process::id().to_string());
        if !cpus.is_empty() {
            let list: Vec<String> = cpus.iter().map(ToString::to_string).collect();
            command.arg("--cpus").arg(list.join(","));
        }
        command.arg("--").arg(program).args(arguments.iter().map(OsStr::new));
        // its own process group: Ctrl-C on the terminal is for loadgen, which then stops the server in order
        command.process_group(0).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().map_err(|e| format!("cannot start it: {e}"))?;
        let last_words = Arc::new(Mutex::new(String::new()));
        let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
        // from here on its Drop sees to it that nothing is left running
        let mut server = Self { child, address: ([0, 0, 0, 0], 0).into(), ended: None, last_words, before };
        if let Some(stderr) = stderr {
            let last_words = Arc::clone(&server.last_words);
            in_background(move || listen_to(stderr, &last_words))?;
        }
        let ready = stdout.ok_or_else(|| "it has no stdout".to_owned()).and_then(await_ready);
        match ready {
            Ok(ready) => server.address = ready.address,
            Err(why) => return Err(server.explain(&why)),
        }
        Ok(server)
    }

    /// Its process.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// If it has ended without being asked to: how.
    pub fn gone(&mut self) -> Option<String> {
        let status = self.look()?;
        Some(self.explain(&describe(status)))
    }

    /// Asks it to leave, waits, and sees how it went. A server that does not leave is killed.
    #[must_use]
    pub fn stop(mut self) -> Left {
        let cleanly = match self.gone() {
            Some(why) => Err(why),
            None => self.leave(),
        };
        let spent = |of: fn(&Usage) -> i64| {
            let before = self.before.as_ref().map_or(0, of);
            let after = getrusage(UsageWho::RUSAGE_CHILDREN).map_or(before, |usage| of(&usage));
            u64::try_from(after - before).unwrap_or(0)
        };
        let switches =
            |usage: &Usage| usage.voluntary_context_switches() + usage.involuntary_context_switches();
        let faults = |usage: &Usage| usage.minor_page_faults() + usage.major_page_faults();
        Left { cleanly, context_switches: spent(switches), faults: spent(faults) }
    }

    fn leave(&mut self) -> Result<(), String> {
        self.signal(Signal::SIGTERM);
        let end = Instant::now() + STOP;
        while Instant::now() < end {
            match self.look() {
                Some(status) if status.success() => return Ok(()),
                Some(status) => return Err(self.explain(&describe(status))),
                None => thread::sleep(LOOK),
            }
        }
        self.kill();
        Err(format!("it did not leave within {} s of SIGTERM", STOP.as_secs()))
    }

    fn look(&mut self) -> Option<ExitStatus> {
        if self.ended.is_none() {
            self.ended = self.child.try_wait().ok().flatten();
        }
        self.ended
    }

    fn kill(&mut self) {
        if self.look().is_none() {
            let _ = self.child.kill();
            self.ended = self.child.wait().ok();
        }
    }

    fn signal(&self, signal: Signal) {
        if let Ok(pid) = i32::try_from(self.child.id()) {
            let _ = kill(Pid::from_raw(pid), signal);
        }
    }

    /// Adds the server's last words on stderr, if there are any.
    fn explain(&self, why: &str) -> String {
        // what it wrote just before it ended may still be on its way; the reader lets go when all has come
        let end = Instant::now() + LAST_WORDS;
        while Arc::strong_count(&self.last_words) > 1 && Instant::now() < end {
            thread::sleep(LOOK);
        }
        let words = self.last_words.lock().unwrap_or_else(PoisonError::into_inner);
        if words.is_empty() { why.to_owned() } else { format!("{why}; its last words: {words}") }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
    }
}

fn describe(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("it ended with exit code {code}"),
        (None, Some(signal)) => match Signal::try_from(signal) {
            Ok(signal) => format!("it was killed by {signal}"),
            Err(_) => format!("it was killed by signal {signal}"),
        },
        (None, None) => "it ended".to_owned(),
    }
}

/// Waits for the ready line; afterwards what the server prints is read and thrown away, so that it never blocks.
fn await_ready(stdout: ChildStdout) -> Result<Ready, String> {
    let (sender, receiver) = mpsc::sync_channel(1);
    in_background(move || {
        let mut lines = BufReader::new(stdout);
        let _ = sender.send(Ready::await_from(&mut lines));
        let _ = std::io::copy(&mut lines, &mut std::io::sink());
    })?;
    let end = Instant::now() + READY;
    loop {
        match receiver.recv_timeout(Duration::from_millis(20)) {
            Ok(Ok(ready)) => return Ok(ready),
            Ok(Err(why)) => return Err(why.to_string()),
            Err(RecvTimeoutError::Disconnected) => return Err("its output could not be read".to_owned()),
            Err(RecvTimeoutError::Timeout) if signals::stop_requested().is_some() => {
                return Err("interrupted".to_owned());
            }
            Err(RecvTimeoutError::Timeout) if Instant::now() >= end => {
                return Err(format!("it was not ready within {} s", READY.as_secs()));
            }
            Err(RecvTimeoutError::Timeout) => {}
        }
    }
}

/// Reads a pipe of the server until it is closed, which happens at the latest when the server has ended.
fn in_background(work: impl FnOnce() + Send + 'static) -> Result<(), String> {
    thread::Builder::new().spawn(work).map(drop).map_err(|e| format!("no thread to read its output: {e}"))
}

/// Keeps the last line that is not empty, without control characters.
fn listen_to(stderr: ChildStderr, last_words: &Mutex<String>) {
    let mut reader = BufReader::new(stderr);
    loop {
        let mut line = Vec::new();
        match reader.by_ref().take(LINE).read_until(b'\n', &mut line) {
            Ok(0) | Err(_) => return,
            Ok(_) => {
                let text = String::from_utf8_lossy(&line);
                let text: String = text.trim().chars().filter(|c| !c.is_control()).take(200).collect();
                if !text.is_empty() {
                    *last_words.lock().unwrap_or_else(PoisonError::into_inner) = text;
                }
            }
        }
    }
}

//! A server that loadgen starts, watches and stops. It never outlives loadgen.
//!
//! How: ours are started as themselves; they must say that they are ready and leave in order. Others are any command,
//! kept by [`super::keeper`]; they get a port, and however SIGTERM ends them is fine.

use std::ffi::OsStr;
use std::net::SocketAddr;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::resource::{Usage, UsageWho, getrusage};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::keeper::{END_ALL, KILLED};
use super::readiness::{self, Look};
use super::tree::{Root, Whose};
use super::words::Words;

/// The longest wait after SIGTERM: more than a server's own limit for draining (10 s).
const STOP: Duration = Duration::from_secs(12);
/// The longest wait for a keeper that was told to end all.
const END: Duration = Duration::from_secs(2);
/// Between two looks at whether the server has ended.
const LOOK: Duration = Duration::from_millis(1);
/// The longest wait for the last words of a server that has failed.
const LAST_WORDS: Duration = Duration::from_millis(500);
/// How many ports are tried, each of which somebody else may take first.
const PORTS: usize = 4;
/// Stands in a command for the port.
pub const PORT: &str = "{port}";

/// What is started, and how.
#[derive(Debug, Clone, Copy)]
pub struct Launch<'a> {
    /// The program.
    pub program: &'a Path,
    /// Its arguments; of one that is not ours with [`PORT`] in them.
    pub arguments: &'a [String],
    /// Whether it is ours: then it knows our ready line and leaves in order.
    pub ours: bool,
    /// The CPUs to run on; empty: any.
    pub cpus: &'a [usize],
    /// The longest wait until it is ready.
    pub ready_within: Duration,
}

/// A running server.
#[derive(Debug)]
pub struct Server {
    child: Child,
    /// Where it listens.
    pub address: SocketAddr,
    ours: bool,
    ended: Option<ExitStatus>,
    words: Words,
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
    /// Starts it and waits until it is ready.
    ///
    /// # Errors
    /// What went wrong, with the server's own last words.
    pub fn start(launch: &Launch<'_>) -> Result<Self, String> {
        if launch.ours {
            let (mut server, stdout) = Self::spawn(launch, launch.arguments)?;
            let said = readiness::of_ours(stdout)?;
            let ready = readiness::wait(&said, launch.ready_within, || Ok(Look::NotYet));
            server.address = ready.map_err(|why| server.explain(&why))?;
            return Ok(server);
        }
        let mut tries = 1..=PORTS;
        loop {
            match Self::start_on(launch, readiness::free_port()?) {
                Err((true, _)) if tries.next().is_some() => {}
                other => return other.map_err(|(_, why)| why),
            }
        }
    }

    /// Starts a server that is not ours. An error also says whether somebody else has the port.
    fn start_on(launch: &Launch<'_>, port: u16) -> Result<Self, (bool, String)> {
        let with_port = |argument: &String| argument.replace(PORT, &port.to_string());
        let arguments: Vec<String> = launch.arguments.iter().map(with_port).collect();
        let (mut server, stdout) = Self::spawn(launch, &arguments).map_err(|why| (false, why))?;
        let said = readiness::of_another(stdout, &server.words).map_err(|why| (false, why))?;
        let whose = server.whose();
        let ready = readiness::wait(&said, launch.ready_within, || match server.look() {
            Some(status) => Err(describe_end(status, false)),
            None => Ok(readiness::listens(port, &whose)),
        });
        match ready {
            Ok(address) => {
                server.address = address;
                Ok(server)
            }
            Err(why) => {
                let hint = if server.look().is_none() { readiness::hint(port) } else { String::new() };
                let why = server.explain(&format!("{why}{hint}"));
                Err((server.words.port_was_taken(), why))
            }
        }
    }

    fn spawn(launch: &Launch<'_>, arguments: &[String]) -> Result<(Self, ChildStdout), String> {
        let before = getrusage(UsageWho::RUSAGE_CHILDREN).ok();
        let own = std::env::current_exe().map_err(|e| format!("cannot find my own program file: {e}"))?;
        let mut command = Command::new(own);
        command.arg(if launch.ours { "become" } else { "keep" });
        command.arg("--parent").arg(std::process::id().to_string());
        if !launch.cpus.is_empty() {
            let list: Vec<String> = launch.cpus.iter().map(ToString::to_string).collect();
            command.arg("--cpus").arg(list.join(","));
        }
        command.arg("--").arg(launch.program).args(arguments.iter().map(OsStr::new));
        // its own process group: Ctrl-C on the terminal is for loadgen, which then stops the server in order
        command.process_group(0).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().map_err(|e| format!("cannot start it: {e}"))?;
        let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
        // from here on its Drop sees to it that nothing is left running
        let address = ([0, 0, 0, 0], 0).into();
        let server = Self { child, address, ours: launch.ours, ended: None, words: Words::default(), before };
        if let Some(stderr) = stderr {
            server.words.listen_to(stderr)?;
        }
        let stdout = stdout.ok_or("it has no stdout")?;
        Ok((server, stdout))
    }

    /// Its first process, or its keeper, which hands signals on.
    #[must_use]
    pub fn pid(&self) -> i32 {
        self.child.id().cast_signed()
    }

    /// Its processes: whose cost is counted.
    #[must_use]
    pub fn whose(&self) -> Whose {
        let pid = self.child.id().cast_signed();
        if self.ours { Whose::Trees(Root::of(pid).into_iter().collect()) } else { Whose::Below(pid) }
    }

    /// If it has ended without being asked to: how.
    pub fn gone(&mut self) -> Option<String> {
        let status = self.look()?;
        Some(self.explain(&describe_end(status, self.ours)))
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
        match self.wait(STOP) {
            Some(status) if status.success() => Ok(()),
            // who knows nothing of SIGTERM is killed by it, which is an end like any other
            Some(status) if !self.ours && status.code() == Some(KILLED + Signal::SIGTERM as i32) => Ok(()),
            Some(status) => Err(self.explain(&describe(status, self.ours))),
            None => {
                self.kill();
                Err(format!("it did not leave within {} s of SIGTERM", STOP.as_secs()))
            }
        }
    }

    fn look(&mut self) -> Option<ExitStatus> {
        if self.ended.is_none() {
            self.ended = self.child.try_wait().ok().flatten();
        }
        self.ended
    }

    /// Until it has ended, or for so long.
    fn wait(&mut self, at_most: Duration) -> Option<ExitStatus> {
        let end = Instant::now() + at_most;
        while self.look().is_none() && Instant::now() < end {
            thread::sleep(LOOK);
        }
        self.look()
    }

    fn kill(&mut self) {
        if self.look().is_none() && !self.ours {
            // its keeper knows who else is to be ended
            self.signal(END_ALL);
            self.wait(END);
        }
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

    /// Adds the server's last words, if there are any.
    fn explain(&self, why: &str) -> String {
        // what it wrote just before it ended may still be on its way; the readers let go when all has come
        let end = Instant::now() + LAST_WORDS;
        while self.words.go_on() && Instant::now() < end {
            thread::sleep(LOOK);
        }
        let words = self.words.last();
        if words.is_empty() { why.to_owned() } else { format!("{why}; its last words: {words}") }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
    }
}

/// How it ended when nobody had asked it to.
fn describe_end(status: ExitStatus, ours: bool) -> String {
    if !ours && status.success() {
        return "the command ended: loadgen needs servers that stay in the foreground".to_owned();
    }
    describe(status, ours)
}

/// A keeper tells a signal as a shell does: by an exit code over 128.
fn describe(status: ExitStatus, ours: bool) -> String {
    let killed = |signal: i32| match Signal::try_from(signal) {
        Ok(signal) => format!("it was killed by {signal}"),
        Err(_) => format!("it was killed by signal {signal}"),
    };
    match (status.code(), status.signal()) {
        (Some(code), _) if !ours && code > KILLED => killed(code - KILLED),
        (Some(code), _) => format!("it ended with exit code {code}"),
        (None, Some(signal)) => killed(signal),
        (None, None) => "it ended".to_owned(),
    }
}

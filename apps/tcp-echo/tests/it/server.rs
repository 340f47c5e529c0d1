//! A real server: started, found by its ready line, looked at and stopped.

use std::fs;
use std::io::{BufReader, Read};
use std::net::SocketAddr;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::PathBuf;
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use common::ready::Ready;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;
use tempfile::TempDir;

use crate::client::Client;
use crate::inspect::{self, Footprint, Process, assert_gone};
use crate::variants::Variant;

/// Nothing takes so long, even on a machine that does other things as well.
pub(crate) const LONG: Duration = Duration::from_secs(30);

/// Asks again and again until the answer is yes: `false` if it was never yes in time.
pub(crate) fn eventually(within: Duration, mut is_so: impl FnMut() -> bool) -> bool {
    let deadline = Instant::now() + within;
    while !is_so() {
        if Instant::now() >= deadline {
            return false;
        }
        thread::sleep(Duration::from_millis(5));
    }
    true
}

/// The program under test.
pub(crate) fn program() -> Command {
    Command::new(env!("CARGO_BIN_EXE_tcp-echo"))
}

/// How a server is to be started.
pub(crate) struct Start {
    variant: Variant,
    arguments: Vec<String>,
    wrapper: Vec<String>,
    warm: bool,
    stderr: Option<Stdio>,
}

impl Start {
    pub(crate) fn new(variant: Variant) -> Self {
        let arguments = variant.arguments();
        Self { variant, arguments, wrapper: vec![], warm: true, stderr: None }
    }

    /// More options, as one would type them.
    pub(crate) fn with(mut self, options: &str) -> Self {
        self.arguments.extend(options.split_whitespace().map(str::to_owned));
        self
    }

    /// Room for this many clients that stay.
    pub(crate) fn room_for(mut self, clients: usize) -> Self {
        let rest = self.arguments.split_off(self.variant.arguments().len());
        self.arguments = self.variant.arguments_for(clients);
        self.arguments.extend(rest);
        self
    }

    /// Runs it under another program.
    pub(crate) fn under(mut self, wrapper: &[&str]) -> Self {
        self.wrapper = wrapper.iter().map(ToString::to_string).collect();
        self
    }

    /// Without the first connection, which by default makes sure that the model is complete.
    pub(crate) fn cold(mut self) -> Self {
        self.warm = false;
        self
    }

    /// Gives it another stderr than a file.
    pub(crate) fn stderr(mut self, to: impl Into<Stdio>) -> Self {
        self.stderr = Some(to.into());
        self
    }

    pub(crate) fn go(self) -> Server {
        let folder = tempfile::tempdir().unwrap();
        let mut words = self.wrapper.clone();
        words.push(env!("CARGO_BIN_EXE_tcp-echo").to_owned());
        let mut command = Command::new(&words[0]);
        command.args(&words[1..]).args(&self.arguments).args(["--port", "0", "--stats"]);
        command.arg(folder.path().join("stats")).stdin(Stdio::null()).stdout(Stdio::piped());
        let log = fs::File::create(folder.path().join("log")).unwrap();
        command.stderr(self.stderr.unwrap_or_else(|| log.into()));
        // a group of its own, so that a test can send a signal to the whole group as a terminal does
        let mut child = command.process_group(0).spawn().unwrap();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let guard = Guard(child);
        let ready = Ready::await_from(&mut stdout).unwrap_or_else(|e| {
            let log = fs::read_to_string(folder.path().join("log")).unwrap_or_default();
            panic!("{} did not start: {e}\n{log}", self.variant.name)
        });
        let pid = ready.pid.try_into().unwrap();
        let mut server = Server {
            variant: self.variant,
            address: ready.address,
            pid,
            at_rest: Footprint::of(pid),
            guard,
            stdout,
            folder,
        };
        if self.warm {
            // once a connection has been served, all workers of a pool are there; and its client sees the end only when
            // nobody holds the socket any more, so nothing of the connection is left
            Client::of(&server).expect_echo_then_end(b"");
            if self.variant.is_pool() {
                server.at_rest = Footprint::of(pid);
            }
        }
        server
    }
}

/// Kills what was started if a test fails half-way.
struct Guard(Child);

impl Drop for Guard {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A running server.
pub(crate) struct Server {
    pub(crate) variant: Variant,
    pub(crate) address: SocketAddr,
    pub(crate) pid: i32,
    at_rest: Footprint,
    guard: Guard,
    stdout: BufReader<ChildStdout>,
    folder: TempDir,
}

impl Server {
    /// Starts it with these further options.
    pub(crate) fn start(variant: Variant, options: &str) -> Self {
        Start::new(variant).with(options).go()
    }

    pub(crate) fn name(&self) -> &'static str {
        self.variant.name
    }

    /// What it has logged so far.
    pub(crate) fn log(&self) -> String {
        String::from_utf8_lossy(&fs::read(self.folder.path().join("log")).unwrap()).into_owned()
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.pid), signal).unwrap();
    }

    /// As Ctrl-C in a terminal does: to the server and all its children.
    pub(crate) fn signal_group(&self, signal: Signal) {
        kill(Pid::from_raw(-self.guard.0.id().cast_signed()), signal).unwrap();
    }

    /// Stops it from running at all, workers and all, until [`Server::thaw`]: what comes meanwhile waits in the kernel.
    pub(crate) fn freeze(&self) {
        self.signal_all(Signal::SIGSTOP);
        // a child that has just ended is not waited for by a parent that stands still
        let still = |pid| inspect::process(pid).is_none_or(|p| matches!(p.state, 'T' | 'Z'));
        let all = || still(self.pid) && self.children().iter().all(|child| still(child.pid));
        assert!(eventually(LONG, all));
    }

    pub(crate) fn thaw(&self) {
        self.signal_all(Signal::SIGCONT);
    }

    /// To the server and to its children, which may have a group of their own. (One that ends meanwhile is no error.)
    fn signal_all(&self, signal: Signal) {
        self.signal(signal);
        for child in self.children() {
            let _ = kill(Pid::from_raw(child.pid), signal);
        }
    }

    pub(crate) fn children(&self) -> Vec<Process> {
        inspect::children(self.pid)
    }

    /// How many descriptors it has while it serves nobody.
    pub(crate) fn descriptors_at_rest(&self) -> usize {
        self.at_rest.descriptors
    }

    /// Waits until it does nothing: its main thread sleeps, and has used no CPU time since the last look.
    pub(crate) fn wait_until_quiet(&self) {
        let mut last = None;
        let quiet = eventually(LONG, || {
            let now = inspect::process(self.pid);
            let same = now == last && now.is_some_and(|p| p.state == 'S');
            last = now;
            same
        });
        assert!(quiet, "{} does not come to rest", self.name());
    }

    /// It has more of something than it had at rest: a client's socket, a handler.
    fn is_serving(&self) -> bool {
        let now = Footprint::of(self.pid);
        let spare = self.variant.spare_threads();
        now.zombies > 0
            || now.descriptors != self.at_rest.descriptors
            || now.children != self.at_rest.children
            || !(self.at_rest.threads..=self.at_rest.threads + spare).contains(&now.threads)
    }

    /// Everything that its clients cost has been given back.
    pub(crate) fn assert_at_rest(&self) {
        let rested = eventually(LONG, || !self.is_serving());
        let now = Footprint::of(self.pid);
        assert!(
            rested,
            "{}: at rest it had {:?}, now it has {now:?}\n{}",
            self.name(),
            self.at_rest,
            self.log()
        );
    }

    /// Accepts nobody any more: it has noticed a stop signal. (For some thousandths of a second it leaves who comes without an answer.)
    pub(crate) fn assert_refuses(&self, within: Duration) {
        let connect = || std::net::TcpStream::connect_timeout(&self.address, Duration::from_millis(100));
        let refused = eventually(within, || connect().is_err());
        assert!(refused, "{}: accepts after a stop signal", self.name());
    }

    /// The usual end of a test: all is as it was, a stop signal ends it with code 0.
    pub(crate) fn stop(self) -> Outcome {
        self.assert_at_rest();
        self.signal(Signal::SIGTERM);
        let outcome = self.end();
        assert_eq!(outcome.code(), 0, "{outcome:?}");
        outcome
    }

    /// Waits for its end, which somebody else has brought about; checks that no child is left.
    pub(crate) fn end(mut self) -> Outcome {
        let children = self.children();
        let mut status = None;
        let ended = eventually(LONG, || {
            status = self.guard.0.try_wait().unwrap();
            status.is_some()
        });
        assert!(ended, "{} does not end\n{}", self.name(), self.log());
        assert_gone(&children, Duration::from_secs(1));
        let mut stdout = String::new();
        self.stdout.read_to_string(&mut stdout).unwrap();
        assert_eq!(stdout, "", "{}: more than the ready line on stdout", self.name());
        let log = self.log();
        assert!(!log.contains("panicked at"), "{}: a panic message reached the user\n{log}", self.name());
        Outcome { name: self.name(), status: status.unwrap(), stats: self.statistics(), log }
    }

    fn statistics(&self) -> Value {
        let file: PathBuf = self.folder.path().join("stats");
        let text = fs::read_to_string(file).unwrap_or_default();
        // a server that was killed has written nothing
        if text.is_empty() { Value::Null } else { serde_json::from_str(&text).unwrap() }
    }
}

/// How a server ended.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) name: &'static str,
    status: ExitStatus,
    pub(crate) stats: Value,
    pub(crate) log: String,
}

impl Outcome {
    /// The exit code as a shell shows it.
    pub(crate) fn code(&self) -> i32 {
        self.status.code().or(self.status.signal().map(|signal| 128 + signal)).unwrap()
    }

    /// A number of the statistics, `errors.panic` for example.
    pub(crate) fn stat(&self, path: &str) -> u64 {
        let value = path.split('.').fold(&self.stats, |value, key| &value[key]);
        value
            .as_u64()
            .unwrap_or_else(|| panic!("no {path} in the statistics of {}: {}", self.name, self.stats))
    }
}

//! The real programs, as tests need them: servers that end with the test, runs, and a turn for those who measure.

use std::fs;
use std::io::BufReader;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, ChildStderr, Command, Output, Stdio};
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use common::ready::Ready;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;
use tempfile::TempDir;

/// Who measures has the machine alone, as far as these tests go; all others share it.
static TURN: RwLock<()> = RwLock::new(());

/// For a test whose result depends on the time that something takes.
pub(crate) fn alone() -> RwLockWriteGuard<'static, ()> {
    // a test that failed meanwhile has spoilt nothing
    TURN.write().unwrap_or_else(PoisonError::into_inner)
}

/// For a test that only counts.
pub(crate) fn beside_others() -> RwLockReadGuard<'static, ()> {
    TURN.read().unwrap_or_else(PoisonError::into_inner)
}

/// A program of the suite; `None`, and why, if it has not been built.
pub(crate) fn program(name: &str) -> Option<PathBuf> {
    let own = std::env::current_exe().unwrap();
    let path = own.parent().unwrap().parent().unwrap().join(name);
    if path.is_file() {
        return Some(path);
    }
    let allowed = std::env::var("CI").as_deref() != Ok("true");
    assert!(allowed, "{} is missing, and with CI=true no test may be skipped", path.display());
    eprintln!("SKIPPED: {} is missing: run scripts/test, or cargo build first", path.display());
    None
}

/// A tcp-echo on a free port. It is killed if the test fails half-way.
pub(crate) struct Echo {
    child: Child,
    folder: TempDir,
    pub(crate) address: SocketAddr,
    pub(crate) pid: u32,
}

impl Echo {
    /// With these arguments, as soon as it is ready.
    pub(crate) fn start(arguments: &[&str]) -> Option<Self> {
        Self::start_with(arguments, Stdio::null())
    }

    /// One that logs every echo; and its log, of which it drops what nobody reads.
    pub(crate) fn start_talking(arguments: &[&str]) -> Option<(Self, BufReader<ChildStderr>)> {
        let mut server = Self::start_with(&[&["-vv"], arguments].concat(), Stdio::piped())?;
        let log = BufReader::new(server.child.stderr.take().unwrap());
        Some((server, log))
    }

    fn start_with(arguments: &[&str], log: Stdio) -> Option<Self> {
        let tcp_echo = program("tcp-echo")?;
        let folder = tempfile::tempdir().unwrap();
        let mut command = Command::new(tcp_echo);
        command.args(arguments).args(["--port", "0", "--stats"]).arg(folder.path().join("stats"));
        let mut child = command.stdout(Stdio::piped()).stderr(log).spawn().unwrap();
        let ready = Ready::await_from(BufReader::new(child.stdout.take().unwrap())).unwrap();
        Some(Self { child, folder, address: ready.address, pid: ready.pid })
    }

    /// Ends it; what it counted itself.
    pub(crate) fn stop(mut self) -> Value {
        kill(Pid::from_raw(self.pid.try_into().unwrap()), Signal::SIGTERM).unwrap();
        assert_eq!(self.child.wait().unwrap().code(), Some(0));
        serde_json::from_str(&fs::read_to_string(self.folder.path().join("stats")).unwrap()).unwrap()
    }
}

impl Drop for Echo {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// `loadgen run` against this server, with JSON on stdout.
pub(crate) fn run(server: SocketAddr, load: &[&str]) -> Option<Command> {
    let mut command = Command::new(program("loadgen")?);
    command.args(["run", &server.to_string(), "-J", "--quiet"]).args(load);
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    Some(command)
}

/// What it reports, if it ended with this exit code.
pub(crate) fn report(output: &Output, code: i32) -> Value {
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{said}");
    serde_json::from_slice(&output.stdout).unwrap_or_else(|e| panic!("{e}: {said}"))
}

/// The client's figures of a run that was to succeed.
pub(crate) fn measured(server: SocketAddr, load: &[&str]) -> Option<Value> {
    let report = report(&run(server, load)?.output().unwrap(), 0);
    Some(report["trials"][0]["client"].clone())
}

/// What `loadgen compare` reports; `None`, and why, if a program is missing.
pub(crate) fn compared(arguments: &[&str]) -> Option<Value> {
    program("tcp-echo")?;
    let mut command = Command::new(program("loadgen")?);
    let output = command.args(["compare", "-J", "--quiet"]).args(arguments).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    Some(serde_json::from_slice(&output.stdout).unwrap_or_else(|e| panic!("{arguments:?}: {e}: {said}")))
}

/// A figure that must be there.
pub(crate) fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or_else(|| panic!("no number: {value}"))
}

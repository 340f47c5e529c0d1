//! A chat in a folder of its own, and what it says.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, UdpSocket};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command, ExitStatus, Output, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tempfile::TempDir;

/// Nothing that is waited for takes so long.
pub(crate) const LIMIT: Duration = Duration::from_secs(20);

/// The program, in a folder.
pub(crate) fn udp_chat(folder: &TempDir) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_udp-chat"));
    command.current_dir(folder.path()).env_remove("NO_COLOR").env("TZ", "UTC");
    command
}

/// Runs a verb to its end, with this input.
pub(crate) fn ran(folder: &TempDir, arguments: &[&str], input: &str) -> Output {
    let mut child = udp_chat(folder)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let _ = stdin.write_all(input.as_bytes());
    drop(stdin);
    child.wait_with_output().unwrap()
}

pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// A chat that runs, with pipes.
pub(crate) struct Chat {
    pub(crate) child: Child,
    stdin: Option<ChildStdin>,
    lines: Receiver<String>,
    said: Vec<String>,
    pub(crate) folder: TempDir,
    pub(crate) port: u16,
}

impl Chat {
    pub(crate) fn start(arguments: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut command = udp_chat(&folder);
        command.args(arguments);
        Self::of(command, folder)
    }

    pub(crate) fn of(mut command: Command, folder: TempDir) -> Self {
        if !command.get_args().any(|a| a == "--port") {
            command.args(["--port", "0"]);
        }
        let listens = command.get_args().any(|a| a == "listen");
        let mut child =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let stdin = child.stdin.take();
        let (stdout, stderr) = (child.stdout.take().unwrap(), child.stderr.take().unwrap());
        // a script says who it is on stderr; a test wants all lines of both
        let (send, lines) = sync_channel(100_000);
        let other = send.clone();
        std::thread::Builder::new()
            .spawn(move || {
                BufReader::new(stdout).lines().map_while(Result::ok).for_each(|l| drop(send.send(l)));
            })
            .unwrap();
        std::thread::Builder::new()
            .spawn(move || {
                BufReader::new(stderr).lines().map_while(Result::ok).for_each(|l| drop(other.send(l)));
            })
            .unwrap();
        let mut chat = Self { child, stdin, lines, said: vec![], folder, port: 0 };
        let ready = chat.expect("listening on ");
        chat.port = ready.split(" (").next().unwrap().rsplit(':').next().unwrap().parse().unwrap();
        if !listens && !command.get_args().any(|a| a == "--to") {
            chat.expect("2: quit");
        }
        chat
    }

    pub(crate) fn v4(&self) -> SocketAddr {
        ([127, 0, 0, 1], self.port).into()
    }

    pub(crate) fn type_line(&mut self, line: &str) {
        writeln!(self.stdin.as_mut().unwrap(), "{line}").unwrap();
    }

    /// The next line that holds `what`.
    #[track_caller]
    pub(crate) fn expect(&mut self, what: &str) -> String {
        let deadline = Instant::now() + LIMIT;
        loop {
            match self.lines.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(line) => {
                    self.said.push(line);
                    if self.said.last().unwrap().contains(what) {
                        return self.said.last().unwrap().clone();
                    }
                }
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {
                    panic!("no line with {what:?}; it said {:#?}", self.said)
                }
            }
        }
    }

    /// As [`Self::expect`], but it may have been said before: stdout and stderr come in no common order.
    #[track_caller]
    pub(crate) fn has_said(&mut self, what: &str) {
        if !self.said.iter().any(|line| line.contains(what)) {
            self.expect(what);
        }
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill(self.pid(), signal).unwrap();
    }

    pub(crate) fn pid(&self) -> Pid {
        Pid::from_raw(self.child.id().try_into().unwrap())
    }

    pub(crate) fn close_input(&mut self) {
        self.stdin = None;
    }

    /// Waits for its end; gives all that it said.
    #[track_caller]
    pub(crate) fn ended(&mut self) -> (ExitStatus, Vec<String>) {
        let status = wait(&mut self.child);
        while let Ok(line) = self.lines.recv_timeout(LIMIT) {
            self.said.push(line);
        }
        (status, std::mem::take(&mut self.said))
    }

    /// Ends it by the end of its input, and expects a good end.
    #[track_caller]
    pub(crate) fn quit(mut self) -> TempDir {
        self.close_input();
        let (status, said) = self.ended();
        assert_eq!(status.code(), Some(0), "{said:#?}");
        std::mem::replace(&mut self.folder, tempfile::tempdir().unwrap())
    }

    pub(crate) fn history(&self) -> String {
        history(&self.folder)
    }
}

impl Drop for Chat {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub(crate) fn history(folder: &TempDir) -> String {
    std::fs::read_to_string(folder.path().join("chat.txt")).unwrap_or_default()
}

/// The records without their times.
pub(crate) fn records(folder: &TempDir) -> Vec<String> {
    let time = "2026-11-20T21:45:03.123Z ".len();
    history(folder).lines().map(|line| line.get(time..).unwrap_or(line).to_owned()).collect()
}

#[track_caller]
pub(crate) fn wait(child: &mut Child) -> ExitStatus {
    let deadline = Instant::now() + LIMIT;
    while Instant::now() < deadline {
        if let Some(status) = child.try_wait().unwrap() {
            return status;
        }
        std::thread::yield_now();
    }
    let _ = child.kill();
    panic!("it did not end: {:?}", child.wait());
}

/// A peer of this test's own.
pub(crate) fn peer() -> UdpSocket {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.set_read_timeout(Some(LIMIT)).unwrap();
    socket
}

/// The next datagram as text.
#[track_caller]
pub(crate) fn heard(socket: &UdpSocket) -> String {
    let mut room = vec![0; 65_535];
    let (length, _) = socket.recv_from(&mut room).unwrap();
    text(&room[..length])
}

/// A port on which nobody listens.
pub(crate) fn deaf_port() -> u16 {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let port = socket.local_addr().unwrap().port();
    crate::books::leave(socket);
    port
}

/// Whether a tool is there; if not, the test says that it was skipped, and with CI=true fails.
pub(crate) fn has(tool: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path).any(|folder: PathBuf| folder.join(tool).is_file());
    if !found {
        assert_ne!(std::env::var("CI").as_deref(), Ok("true"), "{tool} is missing");
        eprintln!("SKIPPED: {tool} is missing (scripts/test installs it)");
    }
    found
}

//! Servers that are not ours, real ones: a script in Python, a launcher before it, and ways to see that nothing is left.

use std::fs::{self, OpenOptions};
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::os::fd::AsFd;
use std::os::unix::fs::OpenOptionsExt;
use std::process::{Child, Command, Stdio};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::stat::Mode;
use nix::unistd::mkfifo;
use tempfile::TempDir;

/// Echoes; a thread for each connection. `argv`: port, and what else it does. It holds the pipe `alive` for as long as
/// it lives, and says its port as its first line.
const ECHO: &str = r#"
import os, socket, sys, threading, time
folder = os.path.dirname(os.path.abspath(sys.argv[0]))
alive = open(folder + "/alive", "r+b", buffering=0)
how = sys.argv[2] if len(sys.argv) > 2 else ""
listener = socket.socket()
listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
listener.bind(("127.0.0.1", int(sys.argv[1])))
listener.listen(128)
print(listener.getsockname()[1], flush=True)

def serve(connection):
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    try:
        while piece := connection.recv(65536):
            connection.sendall(piece)
            if how == "tell":
                alive.write(b"!")
                time.sleep(0.001)
    except OSError:
        pass

if how == "one connection":
    serve(listener.accept()[0])
    listener.close()
    time.sleep(60)
if how == "prefork":
    for worker in range(2):
        if os.fork() == 0:
            break
while True:
    threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()
"#;

/// The script in a folder of its own.
pub(crate) struct Python {
    folder: TempDir,
    alive: fs::File,
}

/// A child that does not outlive the test.
pub(crate) struct Guard(pub(crate) Child);

impl Drop for Guard {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Python {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("echo.py"), ECHO).unwrap();
        let pipe = folder.path().join("alive");
        mkfifo(&pipe, Mode::S_IRWXU).unwrap();
        let alive = OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK).open(&pipe).unwrap();
        Self { folder, alive }
    }

    /// The command that starts it on this port.
    pub(crate) fn command(&self, port: &str, how: &str) -> String {
        format!("python3 {}/echo.py {port} '{how}'", self.folder.path().display())
    }

    /// A file beside the script.
    pub(crate) fn file(&self, name: &str) -> String {
        self.folder.path().join(name).display().to_string()
    }

    /// Starts it by a shell, which lives on if something stands `behind` it, and waits for its first line.
    pub(crate) fn start(&self, how: &str, behind: &str) -> (Guard, SocketAddr) {
        let exec = if behind.is_empty() { "exec " } else { "" };
        let script = format!("{exec}{}{behind}", self.command("0", how));
        let child = Command::new("sh").args(["-c", &script]).stdout(Stdio::piped()).spawn();
        let mut server = Guard(child.unwrap());
        let mut line = String::new();
        BufReader::new(server.0.stdout.take().unwrap()).read_line(&mut line).unwrap();
        (server, SocketAddr::from(([127, 0, 0, 1], line.trim().parse().unwrap())))
    }

    /// Waits until a script that was started to `tell` has served somebody.
    pub(crate) fn await_service(&self) {
        let mut polled = [PollFd::new(self.alive.as_fd(), PollFlags::POLLIN)];
        assert_eq!(poll(&mut polled, PollTimeout::from(20_000_u16)).unwrap(), 1, "nobody was served");
    }

    /// Waits until nobody who runs the script is left.
    pub(crate) fn is_gone(&self) -> bool {
        let mut polled = [PollFd::new(self.alive.as_fd(), PollFlags::empty())];
        let ready = poll(&mut polled, PollTimeout::from(10_000_u16)).unwrap();
        ready == 1 && polled[0].revents().unwrap().contains(PollFlags::POLLHUP)
    }
}

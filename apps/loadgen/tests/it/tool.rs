//! Servers for tests, and ways to run the program.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::process::{Command, Output};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

use serde_json::Value;

/// The program with these arguments.
pub(crate) fn loadgen(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_loadgen"));
    command.args(arguments).env_remove("NO_COLOR");
    command
}

/// What a run gave.
pub(crate) struct Ran {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Ran {
    pub(crate) fn of(output: &Output) -> Self {
        Self {
            code: output.status.code(),
            stdout: String::from_utf8(output.stdout.clone()).unwrap(),
            stderr: String::from_utf8(output.stderr.clone()).unwrap(),
        }
    }

    /// The JSON report on stdout.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|e| panic!("{e}: {} {}", self.stdout, self.stderr))
    }

    /// The client's figures of the first trial.
    pub(crate) fn client(&self) -> Value {
        self.json()["trials"][0]["client"].clone()
    }

    /// The classes of all errors of the first trial.
    pub(crate) fn classes(&self) -> Vec<String> {
        let client = self.client();
        let errors = client["errors"].as_array().unwrap();
        errors.iter().map(|error| error["class"].as_str().unwrap().to_owned()).collect()
    }
}

/// Runs the program to its end.
pub(crate) fn ran(arguments: &[&str]) -> Ran {
    Ran::of(&loadgen(arguments).output().unwrap())
}

/// A short run with JSON on stdout against `server`.
pub(crate) fn short(server: SocketAddr, more: &[&str]) -> Ran {
    let address = server.to_string();
    let mut arguments = vec!["run", &address, "-J", "--quiet"];
    if !more.contains(&"-w") {
        arguments.extend(["-w", "50ms"]);
    }
    if !more.contains(&"-n") && !more.contains(&"-d") {
        arguments.extend(["-d", "200ms"]);
    }
    arguments.extend(more);
    ran(&arguments)
}

/// Serves each connection with `handle` in a thread of its own, as long as the test runs. The second argument counts
/// the connections from 0.
pub(crate) fn serve(handle: impl Fn(TcpStream, usize) + Send + Sync + 'static) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let handle = Arc::new(handle);
    thread::spawn(move || {
        for (number, stream) in listener.incoming().flatten().enumerate() {
            let handle = Arc::clone(&handle);
            stream.set_nodelay(true).unwrap();
            thread::spawn(move || handle(stream, number));
        }
    });
    address
}

/// Echoes until the end of the stream; `spoil` may change each piece, and ends the connection by answering `false`.
pub(crate) fn echo(mut stream: TcpStream, mut spoil: impl FnMut(&mut Vec<u8>) -> bool) {
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let Ok(count @ 1..) = stream.read(&mut buffer) else { return };
        let mut piece = buffer[..count].to_vec();
        let go_on = spoil(&mut piece);
        if stream.write_all(&piece).is_err() {
            return;
        }
        if !go_on {
            // without unread input this is a FIN, never a reset
            let _ = stream.shutdown(Shutdown::Write);
            return;
        }
    }
}

/// A server that does everything right.
pub(crate) fn correct() -> SocketAddr {
    serve(|stream, _| echo(stream, |_| true))
}

/// A server that serves only `workers` connections at a time, each to its end; the others wait.
pub(crate) fn pool(workers: usize) -> SocketAddr {
    let listener = Arc::new(TcpListener::bind("127.0.0.1:0").unwrap());
    let address = listener.local_addr().unwrap();
    for _ in 0..workers {
        let listener = Arc::clone(&listener);
        thread::spawn(move || {
            while let Ok((stream, _)) = listener.accept() {
                echo(stream, |_| true);
            }
        });
    }
    address
}

/// Accepts, reads, and never answers. The sockets are kept, so that nothing is closed.
pub(crate) fn silent() -> SocketAddr {
    let kept = Mutex::new(Vec::new());
    serve(move |stream, _| kept.lock().unwrap().push(stream))
}

/// Counts calls over all connections of a server.
pub(crate) fn every(nth: usize) -> impl Fn() -> bool + Send + Sync {
    let count = AtomicUsize::new(0);
    move || (count.fetch_add(1, Ordering::Relaxed) + 1).is_multiple_of(nth)
}

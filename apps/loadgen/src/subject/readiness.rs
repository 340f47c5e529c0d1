//! When a server is ready, and where it listens.
//!
//! How: ours print a ready line, which is waited for. Of others only the port is known that they were given: they are
//! ready when the kernel lists it as listened on by one of their processes, or when they print a ready line. That needs
//! no connection, which a server that serves only one would take for its client; only where the kernel does not tell is
//! a connection made, and closed at once. Cost: two reads of `/proc` every 5 ms while it starts. Where it breaks: a
//! server in another network namespace (a container) is not seen to listen.

use std::io::{BufRead, BufReader, Read};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::process::ChildStdout;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use common::ready::Ready;
use common::signals;
use common::units::show_duration;

use super::server::PORT;
use super::tree::Whose;
use super::words::{Words, in_background};
use super::{holder, listening};

/// Between two looks.
const LOOK: Duration = Duration::from_millis(5);
/// Bytes of a ready line.
const LINE: u64 = 4096;
/// How long a connection to this machine may take.
const PROBE: Duration = Duration::from_millis(100);

/// A port that nobody has just now; somebody else may be given it before the server takes it.
///
/// # Errors
/// None is free.
pub fn free_port() -> Result<u16, String> {
    let bound = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).and_then(|listener| listener.local_addr());
    bound.map(|address| address.port()).map_err(|e| format!("there is no free port for it: {e}"))
}

/// What was seen when it was looked at again.
pub enum Look {
    /// It is ready, and listens here.
    At(SocketAddr),
    /// Not yet.
    NotYet,
}

/// Reads what one of our servers prints: its ready line, and then nothing that matters.
///
/// # Errors
/// There is no thread for it.
pub fn of_ours(stdout: ChildStdout) -> Result<Receiver<Result<Ready, String>>, String> {
    let (sender, receiver) = mpsc::sync_channel(1);
    in_background(move || {
        let mut lines = BufReader::new(stdout);
        let _ = sender.send(Ready::await_from(&mut lines).map_err(|why| why.to_string()));
        let _ = std::io::copy(&mut lines, &mut std::io::sink());
    })?;
    Ok(receiver)
}

/// Reads what another server prints: perhaps a ready line, and words.
///
/// # Errors
/// There is no thread for it.
pub fn of_another(stdout: ChildStdout, words: &Words) -> Result<Receiver<Result<Ready, String>>, String> {
    let (sender, receiver) = mpsc::sync_channel(1);
    let words = words.clone();
    in_background(move || {
        let mut lines = BufReader::new(stdout);
        let mut first = Vec::new();
        let _ = lines.by_ref().take(LINE).read_until(b'\n', &mut first);
        match Ready::await_from(first.as_slice()) {
            Ok(ready) => {
                let _ = sender.send(Ok(ready));
            }
            Err(_) => words.hear(&first),
        }
        // as long as this lives, nobody takes its silence for an end
        words.hear_all(&mut lines);
        drop(sender);
    })?;
    Ok(receiver)
}

/// Waits until the server is ready; `look` is asked again and again, and knows why there is nothing to wait for.
///
/// # Errors
/// Why it is not.
pub fn wait(
    said: &Receiver<Result<Ready, String>>,
    within: Duration,
    mut look: impl FnMut() -> Result<Look, String>,
) -> Result<SocketAddr, String> {
    let end = Instant::now() + within;
    let mut silent = false;
    loop {
        if silent {
            std::thread::sleep(LOOK);
        }
        match said.recv_timeout(LOOK) {
            Ok(Ok(ready)) => return Ok(ready.address),
            Ok(Err(why)) => return Err(why),
            // it has closed its output, and may go on without it
            Err(RecvTimeoutError::Disconnected) => silent = true,
            Err(RecvTimeoutError::Timeout) => {}
        }
        if signals::stop_requested().is_some() {
            return Err("interrupted".to_owned());
        }
        if let Look::At(address) = look()? {
            return Ok(address);
        }
        if Instant::now() >= end {
            let limit = show_duration(within);
            return Err(format!("it was not ready within {limit} (--ready-timeout)"));
        }
    }
}

/// Whether one of these processes listens on the port.
#[must_use]
pub fn listens(port: u16, whose: &Whose) -> Look {
    let Some(listeners) = listening::on_port(port) else {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let reached = TcpStream::connect_timeout(&address, PROBE).is_ok();
        return if reached { Look::At(address) } else { Look::NotYet };
    };
    match listening::reach(&listeners) {
        Some(address) if holder::holds_any(whose, &listeners) => Look::At(address),
        _ => Look::NotYet,
    }
}

/// What else is to be said of a server that never listened on the port that it was given.
#[must_use]
pub fn hint(port: u16) -> String {
    match listening::on_port(port).as_deref() {
        Some([_, ..]) => format!(
            ": port {port} is listened on, but by no process that the command started, and loadgen needs the server itself"
        ),
        _ => format!(": nothing listens on port {port}, which it was given for {PORT}"),
    }
}

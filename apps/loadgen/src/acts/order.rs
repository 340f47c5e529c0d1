//! Connections of an act's own: one that orders a crash, and those that ask whether anybody serves again.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

/// Between two questions.
const PAUSE: Duration = Duration::from_millis(2);
/// The longest wait for one answer.
const ANSWER: Duration = Duration::from_millis(250);

/// Sends `message` and waits until the connection ends, at most so long. Whether it did: who has no worker left to obey
/// lets it wait.
pub(super) fn obeyed(address: SocketAddr, message: &[u8], at_most: Duration) -> bool {
    let Ok(mut stream) = TcpStream::connect_timeout(&address, at_most) else { return false };
    if stream.set_read_timeout(Some(at_most)).is_err() || stream.write_all(message).is_err() {
        return false;
    }
    match stream.read(&mut [0; 64]) {
        Ok(count) => count == 0,
        Err(e) => !matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted),
    }
}

/// How long it takes until a new connection is served; `None`: longer than this.
pub(super) fn served_again(address: SocketAddr, at_most: Duration) -> Option<Duration> {
    let begin = Instant::now();
    while begin.elapsed() < at_most {
        // what is left, but never nothing: that would be no limit at all
        let left = at_most.saturating_sub(begin.elapsed()).clamp(PAUSE, ANSWER);
        if answers(address, left) {
            return Some(begin.elapsed());
        }
        thread::sleep(PAUSE);
    }
    None
}

/// Whether an echo comes back on a new connection, in time.
fn answers(address: SocketAddr, within: Duration) -> bool {
    let Ok(mut stream) = TcpStream::connect_timeout(&address, within) else { return false };
    if stream.set_read_timeout(Some(within)).is_err() || stream.write_all(b"?").is_err() {
        return false;
    }
    stream.read(&mut [0; 1]).is_ok_and(|count| count == 1)
}

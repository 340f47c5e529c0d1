//! In a worker process: takes one connection after the other out of its channel and serves it to its end.

use std::sync::atomic::Ordering;
use std::thread;
use std::time::{Duration, Instant};

use super::channel::{Channel, Word};
use crate::handler;
use crate::server::Server;
use common::signals;

/// After a stop signal the parent begins to drain within this time, if it got one too.
const PARENT_TIME: Duration = Duration::from_millis(200);

/// Serves what the parent passes until it closes the channel; gives the exit code.
pub(crate) fn serve_what_is_passed(
    number: usize,
    channel: &Channel,
    server: &'static Server,
    buffer: &mut [u8],
) -> i32 {
    let worker = server.counters.worker(number);
    loop {
        if told_to_stop_alone(server) {
            return 0;
        }
        let (stream, peer) = match channel.receive(|| told_to_stop_alone(server)) {
            Ok(Some(connection)) => connection,
            Ok(None) => return 0,
            // no descriptor came, because this process has no room for one: the parent still has its copy
            Err(_) => return 1,
        };
        if channel.say(Word::Taken).is_err() {
            return 1;
        }
        worker.accepted();
        let served = handler::serve(&stream, peer, server, buffer);
        drop(stream);
        worker.ended(served.echoed);
        if channel.say(Word::Done).is_err() {
            return 1;
        }
    }
}

/// Somebody stopped this worker and not the server. It would hurry all its later clients as if the server drained, so it
/// leaves, and is replaced. (Ctrl-C reaches parent and worker at once: so the parent is given a moment to say so.)
pub(crate) fn told_to_stop_alone(server: &Server) -> bool {
    let draining = || server.counters.draining.load(Ordering::SeqCst);
    if signals::stop_requested().is_none() || draining() {
        return false;
    }
    let end = Instant::now() + PARENT_TIME;
    while !draining() && Instant::now() < end {
        thread::sleep(PARENT_TIME / 20);
    }
    !draining()
}

//! A worker process: takes one connection after the other out of its channel and serves it to its end.

use nix::unistd::Pid;

use super::channel::{Channel, Word};
use crate::handler;
use crate::models::process::dies_with;
use crate::server::Server;

/// The worker's life; gives its exit code. It ends when the parent closes the channel.
pub(super) fn work(number: usize, parent: Pid, channel: &Channel, server: &'static Server) -> i32 {
    if !dies_with(parent) {
        return 0;
    }
    let Some(mut buffer) = server.buffers.take() else { return 1 };
    loop {
        let (stream, peer) = match channel.receive() {
            Ok(Some(connection)) => connection,
            Ok(None) => return 0,
            // no descriptor came, because this process has no room for one: the parent still has its copy
            Err(_) => return 1,
        };
        if channel.say(Word::Taken).is_err() {
            return 1;
        }
        server.counters.accepted_by(number);
        handler::serve(&stream, peer, server, &mut buffer);
        drop(stream);
        if channel.say(Word::Done).is_err() {
            return 1;
        }
    }
}

//! The pool whose workers are processes, forked at the start. The parent accepts and passes each connection's
//! descriptor to a free worker; it keeps its own copy until the worker has said that it has it, so a worker that dies
//! with a connection still in its mail loses nothing. A worker that dies is replaced. (`models/crew` has all of this.)

use std::io;
use std::net::TcpListener;

use super::Settings;
use crate::crew::{self, Parent, Source};
use crate::server::Server;

/// Serves until a stop is requested and the connections have drained.
pub(super) fn serve(listener: TcpListener, server: &'static Server, settings: Settings) -> io::Result<()> {
    let life = move |number, channel: &crew::Channel| {
        let Some(mut buffer) = server.buffers.take() else { return 1 };
        crew::serve_what_is_passed(number, channel, server, &mut buffer)
    };
    let queue = (settings.queue, settings.queue_capacity, settings.on_full);
    Parent::new(Source::Parent(listener), settings.workers, Box::new(life), server, queue).serve()
}

//! Requests that a loop gives away: the threads of the [hybrid](crate::models::hybrid).

use std::time::Instant;

use super::reactor::{Held, Mail};
use crate::loops::crowd::Crowd;
use crate::queue::Queue;
use crate::resumable::News;
use crate::server::Server;
use crate::stamp::Stamp;

/// A ready connection: the one with this key, of that loop.
pub(crate) struct Job {
    pub(super) key: usize,
    pub(super) held: Held,
    pub(super) news: News,
    pub(super) of_loop: usize,
    pub(super) crowd: &'static Crowd<Mail>,
    pub(super) since: Instant,
}

/// The life of a thread: visits one connection after the other, and sends each back to its loop.
pub(crate) fn serve_jobs(jobs: &Queue<Job>, server: &'static Server) {
    // there are as many buffers as threads
    let Some(mut buffer) = server.buffers.take() else { return };
    while let Some(mut job) = jobs.take() {
        server.counters.queue.taken(job.since.elapsed(), jobs.len());
        let after = job.held.visit(&mut buffer, job.news, Stamp::now(), server);
        job.crowd.send(job.of_loop, Mail::Back(job.key, job.held, after));
    }
}

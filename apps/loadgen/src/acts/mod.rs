//! What is done to a server in the middle of a load, for the experiments that are about that.
//!
//! How: at half of the measured time [`Acting::look`] does it once, in a thread of its own, so that neither the load nor
//! the conductor waits for it; at the end its figures are collected. Cost: nothing to the load, but for what it does to
//! the server. Where it breaks: a load that is over too soon; then nothing was done, and the figures are missing.

mod crash;
mod order;
mod stop;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::plan::{Act, Load, Stop};
use crate::report::data::{Client, Figure};
use crate::subject::tree::Whose;

/// The longest that a server is waited for that has been crashed or stopped.
const PATIENCE: Duration = Duration::from_secs(5);

/// What one act found.
type Found = BTreeMap<Figure, f64>;

/// The server, as far as an act needs it.
#[derive(Debug, Clone)]
pub struct Victim {
    /// Where it listens.
    pub address: SocketAddr,
    /// Its first process.
    pub pid: i32,
    /// All its processes.
    pub whose: Whose,
}

/// An act that is planned, under way or over.
#[derive(Debug)]
pub struct Acting {
    act: Act,
    victim: Victim,
    after: Duration,
    since: Option<Instant>,
    under_way: Option<JoinHandle<Found>>,
    done: bool,
}

impl Acting {
    /// Plans it for the middle of the load.
    #[must_use]
    pub fn plan(act: Act, victim: Victim, load: &Load) -> Self {
        let after = match load.stop {
            Stop::After(span) => span / 2,
            Stop::Requests(_) => Duration::from_millis(500),
        };
        Self { act, victim, after, since: None, under_way: None, done: false }
    }

    /// Whether a failure of the server is what is wanted.
    #[must_use]
    pub fn provokes(&self) -> bool {
        self.act != Act::Watch
    }

    /// The measuring begins.
    pub fn begin(&mut self) {
        self.since = Some(Instant::now());
    }

    /// Acts, when it is time.
    pub fn look(&mut self) {
        if self.done || self.since.is_none_or(|since| since.elapsed() < self.after) {
            return;
        }
        self.done = true;
        // it is done in the middle
        let (victim, left) = (self.victim.clone(), self.after);
        let work: Box<dyn FnOnce() -> Found + Send> = match self.act {
            Act::Watch => return,
            Act::Crash(crash) => Box::new(move || crash::crash(crash, &victim, left)),
            Act::Stop => Box::new(move || stop::stop(&victim)),
        };
        // without a thread nothing is done, and the figures are missing
        self.under_way = std::thread::Builder::new().name("act".to_owned()).spawn(work).ok();
    }

    /// What came of it; waits until it is over, which is after five seconds at the latest.
    #[must_use]
    pub fn figures(self, client: &Client) -> Found {
        let Some(under_way) = self.under_way else { return Found::new() };
        let mut found = under_way.join().unwrap_or_default();
        match self.act {
            Act::Watch => {}
            Act::Crash(_) if !found.contains_key(&Figure::Crashes) => {}
            Act::Crash(_) => {
                found.insert(Figure::ConnectionsLost, lost(client).0 as f64);
                found.insert(Figure::RequestsLost, lost(client).1 as f64);
            }
            Act::Stop => {
                found.insert(Figure::RequestsLost, lost(client).1 as f64);
            }
        }
        found
    }
}

/// Connections that were open and failed, and the requests that were under way on them; who was refused has lost nothing.
fn lost(client: &Client) -> (u64, u64) {
    let open = client.errors.iter().filter(|error| !error.class.is_of_connect());
    open.fold((0, 0), |sum, error| (sum.0 + error.connections, sum.1 + error.requests))
}

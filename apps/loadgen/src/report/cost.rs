//! What a server spent, and whose cost that is: the part of a report that is not the client's.

use serde::{Deserialize, Serialize};

/// Whose cost was counted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Accounting {
    /// That of these processes and all their descendants.
    Counted {
        /// The topmost processes; of a control group, all that were there at the beginning.
        pids: Vec<i32>,
        /// What the first of them is called.
        name: String,
        /// How it was known that it is them: a part of a sentence.
        how: String,
    },
    /// Nobody's, and why.
    NotCounted(String),
}

/// What the server spent, its whole tree of processes, dead children included.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Cost {
    /// User and system time between the edges.
    pub cpu_seconds: f64,
    /// The same for each request of that time.
    pub cpu_us_per_request: f64,
    /// The same as a share of the CPUs that it may use.
    pub busy: f64,
    /// The busiest of the threads that lived to the end, as a share of one CPU.
    pub busiest_thread: f64,
    /// Where the server was started for this: over its whole life, for each request of its whole life. Otherwise between
    /// the edges, of the threads that lived to the end.
    pub context_switches_per_request: Option<f64>,
    /// Minor and major ones: where the server was started for this, likewise; otherwise between the edges.
    pub page_faults_per_request: Option<f64>,
    /// Growth of the proportional set size from before the first connection to the start of the measuring, for each
    /// served connection, in bytes. Only where connections are kept.
    pub memory_per_connection: Option<f64>,
    /// Live processes while connected.
    pub processes: usize,
    /// Live threads while connected, over all processes.
    pub threads: u64,
    /// Whether it left in order when asked to.
    pub left_cleanly: Option<bool>,
    /// Proportional set size of all processes while connected, in bytes.
    pub memory_bytes: Option<u64>,
    /// Growth of the buffers of all TCP sockets of the machine, over the same time and for each served connection as
    /// `memory_per_connection`; both ends of a connection are in it. Right only if nobody else opens connections.
    pub kernel_memory_per_connection: Option<f64>,
}

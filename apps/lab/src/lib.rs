//! Every lesson of the tutorials on threads and processes, run for real.
//!
//! - [`mp`] is a library: queues, pipes, pools and shared objects between processes.
//!
//! A process itself and the lock that processes share are in `common`, because `tcp-echo` stands on them, too.

pub mod mp;

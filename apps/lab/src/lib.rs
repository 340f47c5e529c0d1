//! Every lesson of the tutorials on threads and processes, run for real.
//!
//! - [`lessons`] are the heart: a file or a folder each, and each example is a function that fits a screen. `lab show
//!   LESSON/EXAMPLE` says where it is.
//! - A [`stage`] is where an example tells what happens, from whatever thread or process it happens in; [`lesson`] is plain data.
//! - [`mp`] is a library: queues, pipes, pools and shared objects between processes.
//!
//! A process itself and the lock that processes share are in `common`, because `tcp-echo` stands on them, too.

pub mod cli;
pub mod entries;
pub mod lesson;
pub mod lessons;
pub mod list;
pub mod mp;
mod nearest;
mod report;
pub mod run;
pub mod show;
pub mod stage;
pub mod subprocess;
pub mod tour;
mod wrap;

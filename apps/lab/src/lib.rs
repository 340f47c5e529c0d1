//! Every lesson of the tutorials on threads and processes, run for real.
//!
//! - [`lessons`] are the heart: one file each, and each example is a function that fits a screen.
//! - A [`stage`] is where an example tells what happens, from whatever thread or process it happens in; [`lesson`] is plain data.
//! - [`ordered`] are queues between threads that are not first in, first out.
//! - [`mp`] is a library: queues, pipes, pools and shared objects between processes.
//!
//! A process itself and the lock that processes share are in `common`, because `tcp-echo` stands on them, too.

pub mod cli;
mod counting;
pub mod entries;
pub mod lesson;
pub mod lessons;
pub mod list;
pub mod mp;
pub mod ordered;
mod report;
pub mod run;
pub mod show;
pub mod stage;
pub mod subprocess;
mod together;
pub mod tour;
mod watched;
mod wrap;

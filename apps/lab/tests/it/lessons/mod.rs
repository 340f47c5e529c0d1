//! What every example shows, one file a lesson.

mod class;
mod deadlock;
mod globals;
mod manager;
mod mutex;
mod parallel;
mod pipe;
mod pool;
mod process;
mod queue;
mod race;
mod subprocess;
mod thread;

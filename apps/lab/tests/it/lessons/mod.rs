//! What every example shows, one file a lesson.

mod class;
mod globals;
mod pipe;
mod pool;
mod process;
mod queue;
mod thread;

//! What every example shows, one file a lesson.

mod pipe;
mod pool;
mod process;
mod queue;

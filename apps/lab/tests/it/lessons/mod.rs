//! What every example shows, one file a lesson.

mod pipe;
mod process;
mod queue;

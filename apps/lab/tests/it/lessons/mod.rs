//! What every example shows, one file a lesson.

mod pool;
mod process;

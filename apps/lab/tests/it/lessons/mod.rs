//! What every example shows, one file a lesson.

mod class;
mod globals;
mod manager;
mod pool;
mod process;
mod thread;

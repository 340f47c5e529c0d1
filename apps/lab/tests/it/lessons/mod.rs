//! What every example shows, one file a lesson.

mod class;
mod globals;
mod process;
mod thread;

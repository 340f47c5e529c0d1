//! The real program: its command line, and every lesson.
#![expect(clippy::unwrap_used, reason = "whatever fails here is a failed test")]

mod cli;
mod failing;
mod lessons;
mod program;
mod rows;
mod tour;

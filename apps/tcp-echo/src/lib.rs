//! One echo server, every concurrency model behind the same handler.
//!
//! The data flow: **listener → model (who runs) → drive (moves bytes) → session (decides)**.
//! The modules, in reading order:

pub mod session;

pub mod drive;

pub mod faults;

pub mod handler;

pub mod accept;

pub mod model;

pub mod models;

pub mod cli;
pub mod options;

pub mod listener;

pub mod ending;

pub mod buffers;
mod children;
pub mod log;
pub mod queue;
pub mod seats;
pub mod server;
pub mod stats;
mod sys;

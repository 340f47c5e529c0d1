//! One echo server, every concurrency model behind the same handler.
//!
//! The data flow: **listener → model (who runs) → drive (moves bytes) → session (decides)**.
//! The modules, in reading order:

pub mod session;

pub mod drive;

pub mod handler;

pub mod resumable;

pub mod accept;
pub mod closing;

pub mod models;

pub mod model;

// what several models share
mod crew;
mod loops;

// what the user asks for
pub mod about;
pub mod check;
pub mod cli;
pub mod mode_options;
pub mod modes;
pub mod options;

// how it begins and ends
pub mod ending;
pub mod listener;
pub mod server;
pub mod supervisor;

// what models and handlers use
pub mod buffers;
mod children;
pub mod faults;
pub mod log;
pub mod queue;
pub mod report;
pub mod seats;
pub mod stamp;
pub mod stats;
mod sys;
mod turn;
pub mod work;

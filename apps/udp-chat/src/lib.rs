//! A serverless chat on one UDP socket.

pub mod chat;
pub mod escape;
pub mod history;
pub mod log;
pub mod options;
pub mod socket;
pub mod start;
pub mod terminal;
pub mod threads;
pub mod wire;

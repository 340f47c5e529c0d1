//! A serverless chat on one UDP socket.

pub mod chat;
pub mod escape;
pub mod history;
pub mod log;
pub mod socket;
pub mod wire;

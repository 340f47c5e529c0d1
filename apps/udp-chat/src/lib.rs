//! A serverless chat on one UDP socket: **threads → FIFO of events → chat (decides, remembers) → FIFOs of effects →
//! threads**.
//!
//! Begin with [`threads`], which says who owns what and why nothing is locked; then [`chat`], where everything is decided;
//! then [`history`].

pub mod chat;
pub mod escape;
pub mod history;
pub mod interfaces;
pub mod log;
pub mod options;
pub mod socket;
pub mod start;
mod sys;
pub mod terminal;
pub mod threads;
pub mod wire;

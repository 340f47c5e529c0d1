//! One file a model. A model accepts, hands over and waits for the end; it never touches a byte of the protocol, and
//! it answers to no trait: `serve(listener, server, settings)` is all that its only caller, `model.rs`, needs.

pub mod pool;
pub mod process;
pub mod thread;

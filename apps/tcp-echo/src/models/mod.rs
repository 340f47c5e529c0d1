//! One file a model. A model accepts, hands over and waits for the end; it never touches a byte of the protocol, and
//! it answers to no trait: `serve(listeners, server, settings)` is all that its only caller, `model.rs`, needs.

// one thread or process serves one connection at a time, and blocks
pub mod iterative;
pub mod pool;
pub mod prefork;
pub mod prethread;
pub mod process;
pub mod thread;

// one thread serves many connections, and never blocks
pub mod async_tasks;
pub mod event_loop;
pub mod hybrid;
pub mod uring;

//! The real `udp-chat`, tried from outside: in pipes, on a terminal, with netcat, with Python, with bad luck.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on has failed")]

mod books;
mod conversation;
mod history;
mod history_faults;
mod history_traced;
mod hostile;
mod peers;
mod scripts;
mod stalled;
mod support;
mod terminal;

//! `loadgen`: puts a load on a TCP server, checks every byte that comes back, and compares concurrency models.
pub mod drive;
pub mod measure;
pub mod pace;
pub mod ping;
pub mod plan;

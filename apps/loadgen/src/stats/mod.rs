//! What may be said of figures: which differences were shown, which promises were kept.
//!
//! How: values in, values out. Nothing here opens a socket or a file or reads a clock; even the random numbers of the
//! bootstrap are made from the report's seed, so that a report says the same whenever it is read again.

pub mod baseline;
pub mod bootstrap;
pub mod metric;
pub mod ratios;
pub mod slo;
pub mod student;

pub use metric::Metric;

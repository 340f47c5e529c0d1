//! What a run found, as data, and the forms in which it is shown.
//!
//! Every form is a pure function of a [`Report`]: value in, text out. None of them reads a clock, a file or the
//! terminal, so the tests compare them with files.

pub mod beside;
pub mod bystanders;
pub mod claims;
pub mod client;
pub mod cost;
pub mod csv;
pub mod data;
pub mod html;
pub mod json;
pub mod kept;
pub mod markdown;
pub mod ndjson;
pub mod notes;
pub mod save;
pub mod schema;
pub mod summary;
pub mod text;

pub use data::{Report, Trial};

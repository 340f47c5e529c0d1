//! What a report in JSON and a line of NDJSON look like: [`TEXT`] describes each field, for programs and for people.
//!
//! How: the schema is made of the types themselves, whose comments are its descriptions, and stands in
//! `docs/loadgen.schema.json`. A test compares the two; `BLESS=1 cargo test -p loadgen` writes the file anew. Look at the
//! difference then, and raise [`SCHEMA`](super::data::SCHEMA) where a program that reads reports would have to change.

/// The JSON Schema, as `--schema` prints it.
pub const TEXT: &str = include_str!("../../../../docs/loadgen.schema.json");

#[cfg(test)]
mod tests;

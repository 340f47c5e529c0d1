//! `loadgen`: see the library for the map.

use std::process::ExitCode;

fn main() -> ExitCode {
    loadgen::start::start().unwrap_or_else(|failure| failure.report())
}

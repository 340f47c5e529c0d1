//! The end: the summary, the statistics and the exit code; and what a panic leaves behind instead of a message.

use std::fs::File;
use std::io::{self, Write};
use std::process::ExitCode;

use common::exit::{DONE, Failure};

use crate::options::Options;
use crate::server::Server;

/// Stopped, but connections had to be cut.
const CUT: u8 = 3;

/// A handler's panic is told in a line of the log; no message with a source line reaches the user.
pub fn silence_panics(server: &'static Server) {
    std::panic::set_hook(Box::new(|panic| {
        let why = panic.payload_as_str().unwrap_or("no reason given");
        server
            .log
            .complain(format_args!("a handler panicked ({why}): its connection ends, the others go on"));
    }));
}

/// Where the statistics go: opened before anything is served, so that a wrong name is told at once.
///
/// # Errors
/// The file cannot be written.
pub fn open_statistics(options: &Options) -> Result<Option<Box<dyn Write>>, Failure> {
    match &options.stats {
        None => Ok(None),
        Some(name) if name.as_os_str() == "-" => Ok(Some(Box::new(io::stdout()))),
        Some(name) => {
            let file = File::create(name).map_err(|e| {
                Failure::failed(format!("cannot write the statistics to {}: {e}", name.display()))
            })?;
            Ok(Some(Box::new(file)))
        }
    }
}

/// Writes the summary and the statistics; gives the exit code.
///
/// # Errors
/// The statistics could not be written.
pub fn report(server: &Server, statistics: Option<Box<dyn Write>>) -> Result<ExitCode, Failure> {
    let report = server.report().map_err(Failure::failed)?;
    server.log.plain(&report);
    if let Some(mut to) = statistics {
        let mut json = serde_json::to_string_pretty(&report).map_err(Failure::failed)?;
        json.push('\n');
        to.write_all(json.as_bytes())
            .map_err(|e| Failure::failed(format!("cannot write the statistics: {e}")))?;
    }
    Ok(ExitCode::from(if report.cut > 0 { CUT } else { DONE }))
}

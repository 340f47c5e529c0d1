//! The end: the summary, the statistics and the exit code.

use std::fs::File;
use std::io::{self, Write};
use std::process::ExitCode;

use common::exit::{DONE, Failure};
use common::signals;

use crate::options::Options;
use crate::server::Server;

/// Stopped, but connections had to be cut.
const CUT: u8 = 3;

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

/// Sleeps until a stop is requested: for a main thread whose workers do everything. Shows the statistics when asked.
pub fn wait_for_stop(server: &Server) {
    while signals::stop_requested().is_none() {
        signals::wait_for_request();
        report_if_asked(server);
    }
}

/// Shows the statistics as they are now on stderr if SIGUSR1 asked for them.
pub fn report_if_asked(server: &Server) {
    if !signals::take_report_request() {
        return;
    }
    match server.report().and_then(|report| Ok(serde_json::to_string_pretty(&report)?)) {
        // a line at a time: whole lines are what the log can promise
        Ok(json) => json.lines().for_each(|line| server.log.plain(line)),
        Err(e) => server.log.complain(format_args!("no statistics: {e}")),
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

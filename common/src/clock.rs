//! Wall-clock time for people: log lines and report heads. Never used to measure.

use chrono::{DateTime, Local, SecondsFormat};

/// The time of day for a log line, with milliseconds: `14:03:59.120`.
#[must_use]
pub fn time_of_day() -> String {
    Local::now().format("%H:%M:%S%.3f").to_string()
}

/// The date and time for a report, with the offset from UTC: `2026-11-20T14:03:59+01:00`.
#[must_use]
pub fn timestamp() -> String {
    let now: DateTime<Local> = Local::now();
    now.to_rfc3339_opts(SecondsFormat::Secs, false)
}

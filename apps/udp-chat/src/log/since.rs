//! Points in time as people write them: a date, a date and time, or how long ago.

use std::time::Duration;

use chrono::{DateTime, Local, NaiveDate, NaiveDateTime, TimeDelta, Utc};
use common::units;

use crate::history::record;

/// Milliseconds since the beginning of 1970.
pub(super) fn parse(text: &str) -> Result<u64, String> {
    if let Some(span) = ago(text) {
        let span = u64::try_from(span.as_millis()).unwrap_or(u64::MAX);
        return Ok(record::now().saturating_sub(span));
    }
    let wrong = || "write for example 2026-11-20, 2026-11-20T21:45, or 2h for two hours ago".to_owned();
    let (written, utc) = text.strip_suffix(['Z', 'z']).map_or((text, false), |text| (text, true));
    let moment = moment(&written.replacen(' ', "T", 1)).ok_or_else(wrong)?;
    let moment = if utc { moment.and_utc() } else { local(moment).ok_or_else(wrong)? };
    Ok(u64::try_from(moment.timestamp_millis()).unwrap_or(0))
}

/// `90m`, `2h`, `3d`, `1w`.
fn ago(text: &str) -> Option<Duration> {
    let days = |number: &str, days: f64| {
        let number: f64 = number.parse().ok()?;
        Duration::try_from_secs_f64(number * days * 86_400.0).ok()
    };
    match text.split_at_checked(text.len().saturating_sub(1)) {
        Some((number, "d")) => days(number, 1.0),
        Some((number, "w")) => days(number, 7.0),
        _ => units::duration(text).ok(),
    }
}

fn moment(text: &str) -> Option<NaiveDateTime> {
    let with_time = ["%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%dT%H:%M"];
    with_time
        .iter()
        .find_map(|form| NaiveDateTime::parse_from_str(text, form).ok())
        .or_else(|| NaiveDate::parse_from_str(text, "%Y-%m-%d").ok()?.and_hms_opt(0, 0, 0))
}

/// When the clocks here show this. The hour that is left out in spring is the one after it.
fn local(moment: NaiveDateTime) -> Option<DateTime<Utc>> {
    let shown = |moment: NaiveDateTime| moment.and_local_timezone(Local).earliest();
    let shown = shown(moment).or_else(|| shown(moment.checked_add_signed(TimeDelta::hours(1))?))?;
    Some(shown.to_utc())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_people_write() {
        assert_eq!(parse("2026-11-20T21:45:03.123Z"), Ok(1_795_211_103_123));
        assert_eq!(parse("2026-11-20 21:45Z"), Ok(1_795_211_100_000));
        assert_eq!(parse("2026-11-20Z"), Ok(1_795_132_800_000));
        assert_eq!(parse("1960-01-01Z"), Ok(0));
        let midnight = Local.with_ymd_and_hms(2026, 11, 20, 0, 0, 0).unwrap().timestamp_millis() as u64;
        assert_eq!(parse("2026-11-20"), Ok(midnight));
        for (text, minutes) in [("90m", 90), ("2h", 120), ("3d", 3 * 1440), ("1w", 7 * 1440)] {
            let ago = record::now() - parse(text).unwrap();
            assert!((minutes * 60_000 - 10..minutes * 60_000 + 60_000).contains(&ago), "{text}: {ago}");
        }
    }

    #[test]
    fn what_is_wrong_is_answered_with_what_is_right() {
        for text in
            ["", "yesterday", "2026-13-01", "2026-11-20T25:00", "-3d", "5", "d", "ä", "NaNd", "1e300d"]
        {
            assert!(parse(text).unwrap_err().contains("2h for two hours ago"), "{text}");
        }
    }

    use chrono::TimeZone;
}

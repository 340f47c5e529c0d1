//! Figures with their units, and small things about words.

use std::time::Duration;

use common::units::{show_count, show_duration, show_size};

/// What a figure is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unit {
    Nanos,
    Micros,
    Millis,
    Seconds,
    PerSecond,
    Bytes,
    Count,
    /// Of a hundred.
    Percent,
    /// A share from 0 to 1, shown per hundred.
    Share,
    /// A number without a unit, with three digits behind its point.
    Index,
}

impl Unit {
    /// With three digits where there are so many: `4.21 µs`.
    pub(super) fn show(self, value: f64) -> String {
        let time = |nanos: f64| micro(&show_duration(Duration::from_nanos(nanos.max(0.0).round() as u64)));
        match self {
            Self::Nanos => time(value),
            Self::Micros => time(value * 1e3),
            Self::Millis => time(value * 1e6),
            Self::Seconds => time(value * 1e9),
            Self::PerSecond => format!("{}/s", count(value)),
            Self::Bytes if value < 0.0 => format!("−{}", show_size(-value.round() as u64)),
            Self::Bytes => show_size(value.round() as u64),
            Self::Count => count(value),
            Self::Percent => percent(value / 100.0),
            Self::Share => percent(value),
            Self::Index => format!("{value:.3}"),
        }
    }

    /// For an axis: round values without what says nothing, `1 ms`, `20k/s`.
    pub(super) fn brief(self, value: f64) -> String {
        match self {
            Self::PerSecond => format!("{}/s", thousands(value)),
            Self::Count => thousands(value),
            Self::Percent => percent(value / 100.0),
            Self::Share => percent(value),
            Self::Index => trimmed(&format!("{value:.3}"), ""),
            Self::Bytes => {
                let (number, unit) = split(&self.show(value));
                trimmed(&number, &unit)
            }
            Self::Nanos | Self::Micros | Self::Millis | Self::Seconds if value == 0.0 => "0".to_owned(),
            Self::Nanos | Self::Micros | Self::Millis | Self::Seconds => {
                let (number, unit) = split(&self.show(value));
                trimmed(&number, &unit)
            }
        }
    }
}

/// Microseconds with their proper sign, wherever they follow a number.
pub(super) fn micro(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once(" us") {
        let time =
            before.ends_with(|c: char| c.is_ascii_digit()) && !after.starts_with(char::is_alphanumeric);
        out.push_str(before);
        out.push_str(if time { " µs" } else { " us" });
        rest = after;
    }
    out + rest
}

/// A sentence ends with a full stop.
pub(super) fn sentence(text: &str) -> String {
    let mut letters = text.trim_end().chars();
    let first = letters.next().map(|letter| letter.to_uppercase().to_string()).unwrap_or_default();
    let text = format!("{first}{}", letters.as_str());
    if text.is_empty() || text.ends_with(['.', '!', '?', ':']) { text } else { text + "." }
}

/// At most so many letters, the last one of them `…` where there were more.
pub(super) fn clip(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.to_owned();
    }
    text.chars().take(most.saturating_sub(1)).chain(['…']).collect()
}

fn percent(share: f64) -> String {
    let digits = if share.abs() < 0.1 && share != 0.0 { 1 } else { 0 };
    format!("{:.digits$} %", share * 100.0)
}

fn count(value: f64) -> String {
    match value {
        v if v < 0.0 => format!("−{}", count(-v)),
        v if v < 10.0 && v.fract().abs() > 0.004 => format!("{v:.2}"),
        v => show_count(v.round() as u64),
    }
}

fn thousands(value: f64) -> String {
    match value {
        v if v >= 999_999.5 => trimmed(&format!("{:.2}", v / 1e6), "M").replace(' ', ""),
        v if v >= 10_000.0 => trimmed(&format!("{:.1}", v / 1e3), "k").replace(' ', ""),
        v => count(v),
    }
}

fn split(text: &str) -> (String, String) {
    let (number, unit) = text.split_once(' ').unwrap_or((text, ""));
    (number.to_owned(), unit.to_owned())
}

fn trimmed(number: &str, unit: &str) -> String {
    let number =
        if number.contains('.') { number.trim_end_matches('0').trim_end_matches('.') } else { number };
    format!("{number} {unit}").trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_figure_has_its_unit() {
        for (unit, value, shown, brief) in [
            (Unit::Nanos, 1_000_000.0, "1.00 ms", "1 ms"),
            (Unit::Micros, 4.208, "4.21 µs", "4.21 µs"),
            (Unit::Seconds, 0.5, "500 ms", "500 ms"),
            (Unit::PerSecond, 112_000.0, "112,000/s", "112k/s"),
            (Unit::PerSecond, 1_500_000.0, "1,500,000/s", "1.5M/s"),
            (Unit::Bytes, 14_745.0, "14.4 KiB", "14.4 KiB"),
            (Unit::Bytes, -10.0, "−10 B", "−10 B"),
            (Unit::Count, 1.05, "1.05", "1.05"),
            (Unit::Share, 0.034, "3.4 %", "3.4 %"),
            (Unit::Index, 0.99, "0.990", "0.99"),
        ] {
            assert_eq!((unit.show(value).as_str(), unit.brief(value).as_str()), (shown, brief));
        }
    }

    #[test]
    fn only_microseconds_get_their_sign() {
        assert_eq!(micro("others used 5 us, 7 us; 4 users"), "others used 5 µs, 7 µs; 4 users");
    }

    #[test]
    fn a_sentence_begins_large_and_ends_with_a_stop() {
        assert_eq!(sentence("ok so far"), "Ok so far.");
        assert_eq!(sentence("Why?"), "Why?");
        assert_eq!(sentence(""), "");
        assert_eq!(clip("abcdef", 4), "abc…");
    }
}

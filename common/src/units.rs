//! Quantities as people write them: `64KiB`, `10s`, `1.5ms`, `10k`.
//!
//! Parsing is strict: a wrong unit is an error that lists the right ones. What is printed is for people, rounded and with
//! separators (`16.0 KiB`, `1,234`), and is not meant to be parsed.

use std::time::Duration;

/// The longest time that an option may name: a thousand days. Longer ones are typing errors.
const DURATION_MAX: Duration = Duration::from_secs(1000 * 24 * 3600);

/// Parses a size in bytes: a whole number and an optional unit, `k`/`m`/`g` (thousands) or
/// `KiB`/`MiB`/`GiB` (1024s); `B` may stand alone. Case does not matter.
///
/// # Errors
/// A sentence for the user: what is wrong and what would be right.
pub fn size(text: &str) -> Result<u64, String> {
    let (number, unit) = split(text)?;
    let factor: u64 = match unit.to_ascii_lowercase().as_str() {
        "" | "b" => 1,
        "k" | "kb" => 1_000,
        "m" | "mb" => 1_000_000,
        "g" | "gb" => 1_000_000_000,
        "kib" => 1 << 10,
        "mib" => 1 << 20,
        "gib" => 1 << 30,
        _ => {
            return Err(format!("unknown unit \"{unit}\": write B, KiB, MiB, GiB, or k, m, g for thousands"));
        }
    };
    let number: u64 =
        number.parse().map_err(|_| format!("\"{number}\" is not a whole number: write for example 64KiB"))?;
    number.checked_mul(factor).ok_or_else(|| "too large".to_owned())
}

/// Parses a count: a whole number with an optional `k` or `m` (thousands, millions).
///
/// # Errors
/// A sentence for the user. A unit of time gets a hint, because `-t 10s` means a duration in other tools.
pub fn count(text: &str) -> Result<u64, String> {
    let (number, unit) = split(text)?;
    let factor: u64 = match unit {
        "" => 1,
        "k" | "K" => 1_000,
        "m" | "M" => 1_000_000,
        _ => return Err("expected a whole number, for example 50 or 10k".to_owned()),
    };
    let number: u64 =
        number.parse().map_err(|_| "expected a whole number, for example 50 or 10k".to_owned())?;
    number.checked_mul(factor).ok_or_else(|| "too large".to_owned())
}

/// Parses a time span: a number (a fraction is allowed) and a unit `ns`, `us`, `ms`, `s`, `m` or `h`.
/// A bare `0` needs no unit.
///
/// # Errors
/// A sentence for the user: what is wrong and what would be right.
pub fn duration(text: &str) -> Result<Duration, String> {
    let (number, unit) = split(text)?;
    let seconds_per: f64 = match unit {
        "ns" => 1e-9,
        "us" | "µs" => 1e-6,
        "ms" => 1e-3,
        "s" => 1.0,
        "m" | "min" => 60.0,
        "h" => 3600.0,
        "" if number == "0" => 1.0,
        "" => return Err(format!("a unit is missing: write for example {number}s or {number}ms")),
        _ => return Err(format!("unknown unit \"{unit}\": write us, ms, s, m or h")),
    };
    let number: f64 =
        number.parse().map_err(|_| format!("\"{number}\" is not a number: write for example 10s or 50us"))?;
    match Duration::try_from_secs_f64(number * seconds_per) {
        Ok(span) if span <= DURATION_MAX => Ok(span),
        _ => Err("too long: at most 24000h".to_owned()),
    }
}

/// Splits `64KiB` into `64` and `KiB`; refuses a text that does not begin with a digit.
fn split(text: &str) -> Result<(&str, &str), String> {
    let text = text.trim();
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    if end == 0 {
        return Err("expected a number".to_owned());
    }
    let (number, unit) = text.split_at(end);
    Ok((number, unit.trim_start()))
}

/// A size in bytes for people: `17 B`, `16.0 KiB`, `1.4 GiB`.
#[must_use]
pub fn show_size(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["KiB", "MiB", "GiB", "TiB", "PiB"];
    if bytes < 1024 {
        return format!("{bytes} B");
    }
    let mut value = bytes as f64 / 1024.0;
    let mut unit = 0;
    while value >= 1023.95 && unit + 1 < UNITS.len() {
        value /= 1024.0;
        unit += 1;
    }
    format!("{value:.1} {}", UNITS[unit])
}

/// A time span for people, three digits: `870 ns`, `35.2 us`, `1.04 ms`, `2.50 s`.
#[must_use]
pub fn show_duration(span: Duration) -> String {
    let nanos = span.as_nanos() as f64;
    match nanos {
        n if n < 999.5 => format!("{n:.0} ns"),
        n if n < 999.5e3 => three_digits(n / 1e3, "us"),
        n if n < 999.5e6 => three_digits(n / 1e6, "ms"),
        n => three_digits(n / 1e9, "s"),
    }
}

fn three_digits(value: f64, unit: &str) -> String {
    match value {
        v if v < 9.995 => format!("{v:.2} {unit}"),
        v if v < 99.95 => format!("{v:.1} {unit}"),
        v => format!("{v:.0} {unit}"),
    }
}

/// A whole number with its thousands apart: `1,234,567`.
#[must_use]
pub fn show_count(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// One thing or several: `1 worker`, `64 workers`.
#[must_use]
pub fn plural(number: u64, noun: &str) -> String {
    if number == 1 { format!("1 {noun}") } else { format!("{} {noun}s", show_count(number)) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn reads_what_people_write() {
        assert_eq!(size("64KiB"), Ok(65_536));
        assert_eq!(size("1k"), Ok(1_000));
        assert_eq!(size("7"), Ok(7));
        assert_eq!(count("10k"), Ok(10_000));
        assert_eq!(duration("50us"), Ok(Duration::from_micros(50)));
        assert_eq!(duration("1.5s"), Ok(Duration::from_millis(1500)));
        assert_eq!(duration("0"), Ok(Duration::ZERO));
    }

    #[test]
    fn says_what_is_wrong_and_what_would_be_right() {
        assert!(duration("10").unwrap_err().contains("10s"));
        assert!(duration("10x").unwrap_err().contains("us, ms, s"));
        assert!(size("9QiB").unwrap_err().contains("KiB"));
        assert!(size("1.5KiB").unwrap_err().contains("whole number"));
        assert!(count("10s").unwrap_err().contains("whole number"));
        assert!(size("99999999999GiB").is_err());
        assert!(duration("1e99s").is_err());
    }

    #[test]
    fn shows_three_digits() {
        assert_eq!(show_duration(Duration::from_nanos(35_240)), "35.2 us");
        assert_eq!(show_duration(Duration::from_millis(2500)), "2.50 s");
        assert_eq!(show_size(16_384), "16.0 KiB");
        assert_eq!(show_count(1_234_567), "1,234,567");
        assert_eq!(plural(1, "worker"), "1 worker");
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in ".{0,12}") {
            let _ = (size(&text), count(&text), duration(&text));
        }

        #[test]
        fn every_size_shows_a_unit(bytes in any::<u64>()) {
            prop_assert!(show_size(bytes).ends_with('B'));
        }
    }
}

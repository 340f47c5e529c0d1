//! What the history is to be: plain data.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use common::units;

use super::record::Format;

/// The file of the history if none is named: where the original program has it.
pub const DEFAULT_FILE: &str = "chat.txt";

/// What the history is to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// The file that is appended to.
    pub path: PathBuf,
    /// How a record is written.
    pub format: Format,
    /// When what was written must be on the disk itself.
    pub sync: Sync,
    /// How many records may wait for the saver.
    pub capacity: usize,
}

/// When what was written must be on the disk itself, so that a power cut cannot take it. A crash of the program never
/// can: what `write` took is the kernel's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sync {
    /// After each batch.
    Always,
    /// At most so long after it was written.
    Every(Duration),
    /// Whenever the kernel likes.
    Off,
}

impl FromStr for Sync {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "always" => Ok(Self::Always),
            "off" => Ok(Self::Off),
            _ => match units::duration(text) {
                Ok(Duration::ZERO) => Ok(Self::Always),
                Ok(span) => Ok(Self::Every(span)),
                Err(why) => Err(format!("write always, off, or a time such as 1s ({why})")),
            },
        }
    }
}

impl fmt::Display for Sync {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Always => f.write_str("always"),
            Self::Off => f.write_str("off"),
            Self::Every(span) => match span.as_nanos() {
                nanos if nanos.is_multiple_of(1_000_000_000) => write!(f, "{}s", nanos / 1_000_000_000),
                nanos if nanos.is_multiple_of(1_000_000) => write!(f, "{}ms", nanos / 1_000_000),
                nanos => write!(f, "{nanos}ns"),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_shown_can_be_typed() {
        for text in ["always", "off", "1s", "250ms", "7ns", "120s"] {
            assert_eq!(text.parse::<Sync>().unwrap().to_string(), text);
        }
        assert_eq!("2m".parse(), Ok(Sync::Every(Duration::from_secs(120))));
        assert!("never".parse::<Sync>().unwrap_err().contains("always, off"));
    }
}

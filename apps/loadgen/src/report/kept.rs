//! Reports that are kept to be compared with: baselines, by name or as a file.
//!
//! How: a name stands for a file in `$XDG_DATA_HOME/loadgen/baselines` (without that variable `~/.local/share/…`): it
//! belongs to the user and the machine, as the figures do, and a `cargo clean` does not take it away. What has a `/` in
//! it or ends in `.json` is a file, to be kept with a project. Cost: one file read before the measuring, so that a
//! mistake costs no time. Where it breaks: a report of another schema is refused, not guessed at.

use std::path::{Path, PathBuf};

use common::exit::Failure;
use serde_json::Value;

use super::data::SCHEMA;
use super::{Report, json, save};

/// The file that a user means.
///
/// # Errors
/// It is no name, or nobody knows where this user's files are.
pub fn place(name: &str) -> Result<PathBuf, Failure> {
    if name.contains('/') || Path::new(name).extension().is_some_and(|extension| extension == "json") {
        return Ok(PathBuf::from(name));
    }
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if name.is_empty() || name.starts_with('.') || !name.chars().all(fits) {
        return Err(Failure::usage(format!(
            "baseline {name:?}: use letters, digits, - _ and . in a name, or write a file: ./{name}.json"
        )));
    }
    let absolute = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let data = absolute("XDG_DATA_HOME").or_else(|| Some(absolute("HOME")?.join(".local/share")));
    let folder = data.ok_or_else(|| {
        Failure::usage(format!(
            "baseline {name}: neither XDG_DATA_HOME nor HOME is set: write a file: ./{name}.json"
        ))
    })?;
    Ok(folder.join("loadgen/baselines").join(format!("{name}.json")))
}

/// Reads a report.
///
/// # Errors
/// It is not there, no report, or one of another version.
pub fn read(path: &Path) -> Result<Report, Failure> {
    let failed = |why: String| Failure::failed(format!("cannot read the baseline {}: {why}", path.display()));
    let text = std::fs::read_to_string(path)
        .map_err(|e| failed(format!("{e}: make one with --save-baseline, or name another")))?;
    let value: Value =
        serde_json::from_str(&text).map_err(|e| failed(format!("{e}: it is no JSON report of loadgen")))?;
    match value.get("schema").and_then(Value::as_u64) {
        Some(schema) if schema == u64::from(SCHEMA) => {}
        Some(schema) => {
            return Err(failed(format!(
                "its schema is {schema} and this loadgen writes {SCHEMA}: make it anew with --save-baseline"
            )));
        }
        None => return Err(failed("it has no schema: it is no report of loadgen".to_owned())),
    }
    serde_json::from_value(value).map_err(|e| failed(format!("{e}: it is no report of loadgen")))
}

/// Keeps a report; its folder is made if need be.
///
/// # Errors
/// It cannot be written.
pub fn keep(report: &Report, path: &Path) -> Result<(), Failure> {
    let made = path.parent().map_or(Ok(()), std::fs::create_dir_all);
    made.and_then(|()| save::replace(path, &json::render(report)))
        .map_err(|e| Failure::failed(format!("cannot save the baseline {}: {e}", path.display())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_no_path() {
        assert_eq!(place("a/b").unwrap(), Path::new("a/b"));
        assert_eq!(place("b.json").unwrap(), Path::new("b.json"));
        for wrong in ["", ".hidden", "two words", "ä"] {
            assert_eq!(place(wrong).unwrap_err().code, common::exit::USAGE, "{wrong}");
        }
    }
}

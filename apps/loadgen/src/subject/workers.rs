//! How a server's connections spread over its workers, by its own statistics: tcp-echo writes them when it ends.

use std::fs;
use std::path::{Path, PathBuf};

use serde::Deserialize;

/// The part of the statistics that matters here.
#[derive(Debug, Deserialize)]
struct Statistics {
    workers: Vec<Worker>,
}

#[derive(Debug, Deserialize)]
struct Worker {
    accepted: u64,
}

/// A file for the statistics of one server; it goes with this value.
#[derive(Debug)]
pub struct StatisticsFile(PathBuf);

impl StatisticsFile {
    /// A name that nobody else here has.
    #[must_use]
    pub fn new(number: usize) -> Self {
        Self(std::env::temp_dir().join(format!("loadgen-{}-{number}.json", std::process::id())))
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Connections of each worker; `None`: the server has told nothing.
    #[must_use]
    pub fn accepted(&self) -> Option<Vec<u64>> {
        let text = fs::read_to_string(&self.0).ok()?;
        let statistics: Statistics = serde_json::from_str(&text).ok()?;
        Some(statistics.workers.iter().map(|worker| worker.accepted).collect())
    }
}

impl Drop for StatisticsFile {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_workers_are_found_among_everything_else() {
        let file = StatisticsFile::new(usize::MAX);
        assert_eq!(file.accepted(), None);
        fs::write(file.path(), r#"{"mode": "x", "workers": [{"accepted": 3, "bytes": 1}, {"accepted": 4}]}"#)
            .unwrap();
        assert_eq!(file.accepted(), Some(vec![3, 4]));
        let path = file.path().to_owned();
        drop(file);
        assert!(!path.exists());
    }
}

//! What a server says, as far as anybody wants to know: the last line, for the one who is told that it failed.

use std::io::{BufRead, BufReader, Read};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

/// Bytes of one line that are kept.
const LINE: u64 = 1024;

/// The last words of a server; its readers share them.
#[derive(Debug, Clone, Default)]
pub struct Words {
    said: Arc<Mutex<Said>>,
}

#[derive(Debug, Default)]
struct Said {
    last: String,
    port_was_taken: bool,
}

impl Words {
    /// The last line that was not empty.
    #[must_use]
    pub fn last(&self) -> String {
        self.said.lock().unwrap_or_else(PoisonError::into_inner).last.clone()
    }

    /// Whether it complained that somebody else has its port.
    #[must_use]
    pub fn port_was_taken(&self) -> bool {
        self.said.lock().unwrap_or_else(PoisonError::into_inner).port_was_taken
    }

    /// Whether somebody may still add to them.
    #[must_use]
    pub fn go_on(&self) -> bool {
        Arc::strong_count(&self.said) > 1
    }

    /// Listens to `pipe` in a thread of its own until it is closed, which happens at the latest when the server has
    /// ended, and so keeps a server that says much from waiting for room.
    ///
    /// # Errors
    /// There is no thread for it.
    pub fn listen_to(&self, pipe: impl Read + Send + 'static) -> Result<(), String> {
        let words = self.clone();
        in_background(move || words.hear_all(&mut BufReader::new(pipe)))
    }

    /// Hears every line to the end.
    pub fn hear_all(&self, lines: &mut impl BufRead) {
        loop {
            let mut line = Vec::new();
            match lines.take(LINE).read_until(b'\n', &mut line) {
                Ok(0) | Err(_) => return,
                Ok(_) => self.hear(&line),
            }
        }
    }

    /// Hears a line.
    pub fn hear(&self, line: &[u8]) {
        let text = String::from_utf8_lossy(line);
        let text: String = text.trim().chars().filter(|c| !c.is_control()).take(200).collect();
        if text.is_empty() {
            return;
        }
        let lower = text.to_ascii_lowercase();
        let mut said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        said.port_was_taken |= lower.contains("already in use")
            || lower.contains("address in use")
            || lower.contains("eaddrinuse");
        said.last = text;
    }
}

/// Does this while the server runs.
///
/// # Errors
/// There is no thread for it.
pub fn in_background(work: impl FnOnce() + Send + 'static) -> Result<(), String> {
    thread::Builder::new().spawn(work).map(drop).map_err(|e| format!("no thread to read its output: {e}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_words_are_those_that_say_something() {
        let words = Words::default();
        words.hear_all(&mut "one\nbind: Address already in use\n\x1b[1mtwo\x1b[0m \n\n".as_bytes());
        assert_eq!(words.last(), "[1mtwo[0m");
        assert!(words.port_was_taken() && !words.go_on());
        assert!(!Words::default().port_was_taken());
    }
}

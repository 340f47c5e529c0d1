//! The input thread: keyboard → events, one line at a time.
//!
//! It is handed a prompt, reads a line and waits for the next prompt. So a line's effects are always there before the next
//! is read, on a terminal and in a pipe.

use std::io::{self, BufRead, Read};

use common::fifo::{Receiver, Sender};
use rustyline::DefaultEditor;
use rustyline::error::ReadlineError;

use super::Event;

/// A longer line is cut, and the rest is the next line.
const LINE_MAX: u64 = 64 * 1024;

/// Where lines come from.
pub enum Source {
    /// A terminal on which lines can be edited.
    Editor(Box<DefaultEditor>),
    /// Anything else.
    Plain,
    /// These lines, and then the end.
    Lines(Vec<String>),
    /// Nothing ever.
    Nothing,
}

/// Reads until the end of the input, or until there are no more prompts.
pub(super) fn read(source: Source, prompts: &Receiver<String>, events: &Sender<Event>) {
    match source {
        Source::Editor(mut editor) => {
            each_line(prompts, events, |prompt| edited(&mut editor, prompt));
        }
        Source::Plain => each_line(prompts, events, |_| plain(&mut io::stdin().lock())),
        Source::Lines(lines) => {
            let mut lines = lines.into_iter();
            each_line(prompts, events, |_| lines.next());
        }
        Source::Nothing => {}
    }
}

fn each_line(
    prompts: &Receiver<String>,
    events: &Sender<Event>,
    mut next: impl FnMut(&str) -> Option<String>,
) {
    while let Some(prompt) = prompts.next() {
        let event = next(&prompt).map_or(Event::EndOfInput, Event::Line);
        let ended = matches!(event, Event::EndOfInput);
        if events.put(event).is_err() || ended {
            return;
        }
    }
}

/// `None` at the end: Ctrl-D, Ctrl-C, or a terminal that is gone.
fn edited(editor: &mut DefaultEditor, prompt: &str) -> Option<String> {
    loop {
        match editor.readline(prompt) {
            Ok(line) => {
                if !line.is_empty() {
                    let _ = editor.add_history_entry(&line);
                }
                return Some(line);
            }
            // the window has another size, or another signal came
            Err(ReadlineError::Signal(_)) => {}
            Err(_) => return None,
        }
    }
}

fn plain(input: &mut impl BufRead) -> Option<String> {
    let mut line = Vec::new();
    loop {
        match input.by_ref().take(LINE_MAX).read_until(b'\n', &mut line) {
            Ok(0) if line.is_empty() => return None,
            Ok(_) => break,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(_) if line.is_empty() => return None,
            Err(_) => break,
        }
    }
    if line.ends_with(b"\n") {
        line.pop();
        if line.ends_with(b"\r") {
            line.pop();
        }
    }
    // datagrams are UTF-8: what is not becomes a replacement character
    Some(String::from_utf8_lossy(&line).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_a_pipe() {
        let long = "x".repeat(70_000);
        let text = format!("one\r\n\n{long}\nlast \u{e4}");
        let mut input = text.as_bytes();
        let lines: Vec<_> = std::iter::from_fn(|| plain(&mut input)).collect();
        assert_eq!(lines, ["one", "", &long[..65_536], &long[65_536..], "last \u{e4}"]);
        assert_eq!(plain(&mut &b"\xff\n"[..]).unwrap(), "\u{fffd}");
    }
}

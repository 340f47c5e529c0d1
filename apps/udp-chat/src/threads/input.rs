//! The input thread: keyboard → events, one line at a time.
//!
//! It is handed a prompt, reads a line and waits for the next prompt. So a line's effects are always there before the next
//! is read, on a terminal and in a pipe.

use std::io::{self, BufRead, Read};

use common::fifo::{Receiver, Sender};
use rustyline::DefaultEditor;
use rustyline::error::ReadlineError;

use super::Event;

/// A longer line is cut, and the rest is [told as such](Event::Rest): it is no line of its own.
const LINE_MAX: usize = 64 * 1024;
/// Asks for the end of a line of which a byte was no UTF-8. The editor forgets such a line, and what comes after that byte
/// must not become a line of its own: it might be a command, or leave the recipient.
const SPOILT: &str = "! that was not UTF-8, this line is dropped: press Enter> ";

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
            each_line(prompts, events, |prompt| edited(&mut editor, prompt).map(Event::Line));
        }
        Source::Plain => {
            let mut plain = Plain::default();
            each_line(prompts, events, |_| plain.next(&mut io::stdin().lock()));
        }
        Source::Lines(lines) => {
            let mut lines = lines.into_iter();
            each_line(prompts, events, |_| lines.next().map(Event::Line));
        }
        Source::Nothing => {}
    }
}

fn each_line(
    prompts: &Receiver<String>,
    events: &Sender<Event>,
    mut next: impl FnMut(&str) -> Option<Event>,
) {
    while let Some(prompt) = prompts.next() {
        let event = next(&prompt).unwrap_or(Event::EndOfInput);
        let ended = matches!(event, Event::EndOfInput);
        if events.put(event).is_err() || ended {
            return;
        }
    }
}

/// `None` at the end: Ctrl-D, Ctrl-C, or a terminal that is gone.
fn edited(editor: &mut DefaultEditor, prompt: &str) -> Option<String> {
    let mut spoilt = false;
    loop {
        match editor.readline(if spoilt { SPOILT } else { prompt }) {
            Ok(_) if spoilt => spoilt = false,
            Ok(line) => {
                if !line.is_empty() {
                    let _ = editor.add_history_entry(&line);
                }
                return Some(line);
            }
            // the window has another size, or another signal came
            Err(ReadlineError::Signal(_)) => {}
            // a terminal or a clipboard with another encoding
            Err(ReadlineError::Io(e)) if e.kind() == io::ErrorKind::InvalidData => spoilt = true,
            Err(_) => return None,
        }
    }
}

/// Lines of a pipe.
#[derive(Default)]
struct Plain {
    /// The last line was cut; these bytes are the beginning of its rest.
    cut: Option<Vec<u8>>,
}

impl Plain {
    /// The next line, or what is left of the last one.
    fn next(&mut self, input: &mut impl BufRead) -> Option<Event> {
        let is_rest = self.cut.is_some();
        let mut line = self.cut.take().unwrap_or_default();
        loop {
            let room = (LINE_MAX - line.len()) as u64;
            match input.by_ref().take(room).read_until(b'\n', &mut line) {
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                _ => break,
            }
        }
        if line.is_empty() {
            return None;
        }
        if line.ends_with(b"\n") {
            line.pop();
            if line.ends_with(b"\r") {
                line.pop();
            }
            if is_rest && line.is_empty() {
                // the end of a line that was just as long as one may be
                return self.next(input);
            }
        } else if line.len() == LINE_MAX {
            self.cut = Some(line.split_off(LINE_MAX - inseparable(&line)));
        }
        // datagrams are UTF-8: what is not becomes a replacement character
        let text = String::from_utf8_lossy(&line).into_owned();
        Some(if is_rest { Event::Rest(text) } else { Event::Line(text) })
    }
}

/// How many bytes at the end belong together with what follows: the beginning of a character, or of a line's end.
fn inseparable(line: &[u8]) -> usize {
    if line.ends_with(b"\r") {
        return 1;
    }
    let last = line.iter().rev().take(3).position(|byte| !(0x80..0xc0).contains(byte));
    let Some(after) = last else { return 0 };
    let width = match line[line.len() - 1 - after] {
        0xc2..=0xdf => 2,
        0xe0..=0xef => 3,
        0xf0..=0xf4 => 4,
        _ => 1,
    };
    if width > after + 1 { after + 1 } else { 0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is read; a rest begins with a `+`.
    fn lines(mut input: &[u8]) -> Vec<String> {
        let mut plain = Plain::default();
        let next = || match plain.next(&mut input)? {
            Event::Line(line) => Some(line),
            Event::Rest(rest) => Some(format!("+{rest}")),
            _ => None,
        };
        std::iter::from_fn(next).collect()
    }

    #[test]
    fn lines_of_a_pipe() {
        let long = "x".repeat(70_000);
        let text = format!("one\r\n\n{long}\nlast \u{e4}");
        let rest = format!("+{}", &long[LINE_MAX..]);
        assert_eq!(lines(text.as_bytes()), ["one", "", &long[..LINE_MAX], &rest, "last \u{e4}"]);
        assert_eq!(lines(b"\xff\n"), ["\u{fffd}"]);
        assert_eq!(lines(b""), [""; 0]);
    }

    #[test]
    fn a_line_as_long_as_may_be_is_one_line() {
        let full = "x".repeat(LINE_MAX);
        for end in ["\n", "\r\n"] {
            assert_eq!(lines(format!("{full}{end}next").as_bytes()), [&full, "next"]);
        }
        assert_eq!(lines(full.as_bytes()), [full.as_str()]);
        let less = &full[1..];
        assert_eq!(lines(format!("{less}\r\nnext").as_bytes()), [less, "next"]);
    }

    #[test]
    fn no_character_is_cut() {
        for character in ["\u{e4}", "\u{20ac}", "\u{1f600}"] {
            for before in 0..4 {
                let text = format!("{}{}", "x".repeat(before), character.repeat(LINE_MAX));
                let whole: String =
                    lines(text.as_bytes()).iter().map(|l| l.trim_start_matches('+')).collect();
                assert_eq!(whole, text);
            }
        }
        // bytes that begin nothing are not held back
        assert_eq!(lines(&[0x80; LINE_MAX + 1]).len(), 2);
    }
}

//! What the user sees on stderr while it lasts: a bar with the time left on a terminal, plain lines elsewhere.

use std::io::{IsTerminal, stderr};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// How often the bar is drawn, at most.
const DRAWS_PER_SECOND: u8 = 4;

/// Shows how far it is.
#[derive(Debug)]
pub struct Progress {
    bar: Option<ProgressBar>,
    lines: bool,
}

impl Progress {
    /// For work that takes about this long.
    #[must_use]
    pub fn new(quiet: bool, expected: Duration) -> Self {
        if quiet || !stderr().is_terminal() {
            return Self { bar: None, lines: !quiet };
        }
        let length = u64::try_from(expected.as_millis()).unwrap_or(u64::MAX);
        let bar = ProgressBar::with_draw_target(
            Some(length.max(1)),
            ProgressDrawTarget::stderr_with_hz(DRAWS_PER_SECOND),
        );
        // the template is a constant; should it not be understood, the library's own one serves
        if let Ok(style) = ProgressStyle::with_template("{bar:30} {percent:>3} %  {prefix}  {msg}") {
            bar.set_style(style);
        }
        Self { bar: Some(bar), lines: false }
    }

    /// A new piece of work begins.
    pub fn begin(&self, what: &str) {
        if let Some(bar) = &self.bar {
            bar.set_message(what.to_owned());
        } else if self.lines {
            eprint_line(what);
        }
    }

    /// Work of about `done` of the `whole` is behind us.
    pub fn reach(&self, done: Duration, whole: Duration) {
        if let Some(bar) = &self.bar {
            let left = whole.saturating_sub(done).as_secs_f64().ceil();
            bar.set_prefix(format!("{left:.0} s left"));
            bar.set_position(u64::try_from(done.as_millis()).unwrap_or(u64::MAX));
        }
    }

    /// Removes the bar: the report comes next.
    pub fn finish(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

/// A closed stderr is no reason to fail.
fn eprint_line(text: &str) {
    use std::io::Write;
    let _ = writeln!(stderr(), "{text}");
}

//! How a trial that is under way looks on a terminal: a pure function from what is known to a few lines.
//!
//! How: each line is made of cells; a cell that does not fit any more goes to the next line, one that is wider than the
//! terminal is cut. So 40 columns show what 120 show, in more lines.

use std::time::Duration;

use common::units::{show_count, show_duration};

use super::sparkline::sparkline;
use super::state::{State, Times};
use crate::drive::phase::Phase;
use crate::report::text::show_rate;

/// Cells of a line are so far from each other.
const GAP: &str = "   ";
/// The widest bar.
const BAR: usize = 30;

/// What a terminal can show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Looks {
    /// Columns.
    pub width: usize,
    /// Lines.
    pub height: usize,
    /// Whether it knows more than ASCII.
    pub unicode: bool,
    /// Whether colours may be used.
    pub colour: bool,
}

/// A piece of a line that stays together.
struct Cell {
    text: String,
    /// The code of its colour or weight, if it has one.
    weight: Option<u8>,
}

const BOLD: u8 = 1;
const RED: u8 = 31;

fn cell(text: impl Into<String>) -> Cell {
    Cell { text: text.into(), weight: None }
}

/// The lines, from the top; never more than fit, and none wider than the terminal.
#[must_use]
pub fn render(state: &State, looks: Looks) -> Vec<String> {
    let groups =
        [head(state), progress(state, looks), figures(state), history(state, looks), connections(state)];
    let mut lines: Vec<String> = groups.into_iter().flat_map(|cells| pack(cells, looks)).collect();
    // the cursor stands below
    lines.truncate(looks.height.saturating_sub(1).max(1));
    lines
}

fn head(state: &State) -> Vec<Cell> {
    let phase = match state.phase {
        None => "starting",
        Some(Phase::Ramp) => "connecting",
        Some(Phase::Warm) => "warm-up",
        Some(Phase::Settle) => "settling",
        Some(Phase::Measure) => "measuring",
        Some(Phase::Drain | Phase::Finish) => "draining",
    };
    vec![Cell { text: state.what.clone(), weight: Some(BOLD) }, cell(phase)]
}

fn progress(state: &State, looks: Looks) -> Vec<Cell> {
    let (share, left) = state.progress();
    let left = left.map_or_else(String::new, |left| format!("  {} left", clock(left)));
    let text = format!("{:>3.0} %{left}", (share * 100.0).floor());
    let width = looks.width.saturating_sub(text.chars().count() + 1).min(BAR);
    let (full, empty) = if looks.unicode { ("━", "╌") } else { ("#", "-") };
    let filled = (share * width as f64) as usize;
    let bar = format!("{}{}", full.repeat(filled), empty.repeat(width.saturating_sub(filled)));
    vec![cell(format!("{bar} {text}"))]
}

fn figures(state: &State) -> Vec<Cell> {
    let rate = match state.rate() {
        Some(rate) => format!("{} requests/s", show_rate(rate)),
        None => "- requests/s".to_owned(),
    };
    let mut cells = vec![Cell { text: rate, weight: Some(BOLD) }];
    let times = state.intervals.back().and_then(|shown| shown.times);
    let time = |name: &str, of: fn(&Times) -> u64| {
        cell(format!("{name} {}", times.as_ref().map_or_else(|| "-".to_owned(), |times| nanos(of(times)))))
    };
    cells.extend([time("p50", |t| t.p50), time("p99", |t| t.p99), time("max", |t| t.max)]);
    cells
}

/// The 99th percentiles of the last intervals; with none yet, a line that keeps its place.
fn history(state: &State, looks: Looks) -> Vec<Cell> {
    let times: Vec<Option<u64>> =
        state.intervals.iter().map(|shown| shown.times.map(|times| times.p99)).collect();
    let known = || times.iter().flatten().copied();
    let (Some(low), Some(high)) = (known().min(), known().max()) else { return vec![cell("p99 -")] };
    let dash = if looks.unicode { "–" } else { "-" };
    let range = format!("{} {dash} {}", nanos(low), nanos(high));
    let newest = times.len().saturating_sub(looks.width.saturating_sub("p99 ".len()).max(1));
    vec![cell(format!("p99 {}", sparkline(&times[newest..], looks.unicode))), cell(range)]
}

fn connections(state: &State) -> Vec<Cell> {
    let all = show_count(state.connections as u64);
    let mut cells = vec![cell(format!("{} of {all} connected", show_count(state.established)))];
    if state.failures.is_empty() {
        cells.push(cell("no errors"));
    }
    cells.extend(state.failures.iter().map(|(class, count)| Cell {
        text: format!("{} {}", show_count(*count), class.words()),
        weight: Some(RED),
    }));
    cells
}

/// As many cells in a line as fit.
fn pack(cells: Vec<Cell>, looks: Looks) -> Vec<String> {
    let mut lines = Vec::new();
    let (mut line, mut filled) = (String::new(), 0);
    for Cell { text, weight } in cells {
        let text = shown(&text, looks);
        let wide = text.chars().count();
        if filled > 0 && filled + GAP.len() + wide > looks.width {
            lines.push(std::mem::take(&mut line));
            filled = 0;
        }
        if filled > 0 {
            line.push_str(GAP);
            filled += GAP.len();
        }
        filled += wide;
        match weight.filter(|_| looks.colour) {
            Some(code) => line.push_str(&format!("\x1b[{code}m{text}\x1b[0m")),
            None => line.push_str(&text),
        }
    }
    lines.push(line);
    lines
}

/// A text that fits and is safe: names come from the command line and may hold anything.
fn shown(text: &str, looks: Looks) -> String {
    let safe = |letter: char| match letter {
        '·' if !looks.unicode => '-',
        letter if letter.is_control() || (!looks.unicode && !letter.is_ascii()) => '?',
        letter => letter,
    };
    text.chars().take(looks.width).map(safe).collect()
}

/// `430 us`.
#[must_use]
pub fn nanos(nanos: u64) -> String {
    show_duration(Duration::from_nanos(nanos))
}

/// `12 s`, `1:02` or `2:00:05`.
fn clock(span: Duration) -> String {
    let seconds = span.as_secs_f64().ceil() as u64;
    match (seconds / 3600, seconds / 60 % 60, seconds % 60) {
        (0, 0, seconds) => format!("{seconds} s"),
        (0, minutes, seconds) => format!("{minutes}:{seconds:02}"),
        (hours, minutes, seconds) => format!("{hours}:{minutes:02}:{seconds:02}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::live::state::Shown;
    use crate::measure::Class;
    use proptest::prelude::*;

    fn state() -> State {
        let shown =
            |p99: u64| Shown { rate: 212_345.6, times: Some(Times { p50: 430_000, p99, max: 4_000_000 }) };
        State {
            what: "3/30 thread · persistent".into(),
            phase: Some(Phase::Measure),
            connections: 60_000,
            established: 12_000,
            failures: vec![(Class::Reset, 7)],
            intervals: [700_000, 745_000, 9_000_000, 745_000].map(shown).into(),
            whole: Duration::from_secs(90),
            done: Duration::from_secs(30),
            ..State::default()
        }
    }

    const WIDE: Looks = Looks { width: 80, height: 24, unicode: true, colour: false };

    #[test]
    fn a_wide_terminal_shows_five_lines() {
        let lines = render(&state(), WIDE);
        let expected = [
            "3/30 thread · persistent   measuring",
            "━━━━━━━━━━╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌  33 %  1:00 left",
            "212,346 requests/s   p50 430 us   p99 745 us   max 4.00 ms",
            "p99 ▁▁█▁   700 us – 9.00 ms",
            "12,000 of 60,000 connected   7 reset by the server",
        ];
        assert_eq!(lines, expected);
    }

    #[test]
    fn without_unicode_and_in_forty_columns_it_is_the_same_in_more_lines() {
        let lines = render(&state(), Looks { width: 40, unicode: false, ..WIDE });
        let expected = [
            "3/30 thread - persistent   measuring",
            "#######----------------  33 %  1:00 left",
            "212,346 requests/s   p50 430 us",
            "p99 745 us   max 4.00 ms",
            "p99 __#_   700 us - 9.00 ms",
            "12,000 of 60,000 connected",
            "7 reset by the server",
        ];
        assert_eq!(lines, expected);
    }

    #[test]
    fn a_name_cannot_command_the_terminal() {
        let lines = render(&State { what: "\x1b[2Jevil\r\n".into(), ..state() }, WIDE);
        assert!(lines.iter().all(|line| !line.contains(char::is_control)), "{lines:?}");
    }

    proptest! {
        #[test]
        fn no_line_is_wider_and_none_too_many(width in 1_usize..200, height in 1_usize..30, ascii in any::<bool>()) {
            let lines = render(&state(), Looks { width, height, unicode: !ascii, colour: false });
            prop_assert!(lines.len() < height.max(2), "{lines:?}");
            // what stays of a bar where there is no room for one is its figures
            let widest = lines.iter().map(|line| line.chars().count()).max().unwrap_or(0);
            prop_assert!(widest <= width, "{lines:?}");
        }
    }
}

//! What there is to see while it lasts: a view on a terminal, plain lines elsewhere, and lines for programs.
//!
//! How: the conductor's thread tells [`Live`] each [`Moment`]; no measuring thread has anything to do with it. A terminal is
//! drawn at most four times a second. Cost: the CPU time of that thread is in the report (`conductor_cpu_seconds`): an
//! interval takes it some 0.2 ms, for programs 0.5 ms, a redraw 0.03 ms. Where it breaks: nothing moves while a server is
//! started or stopped.

mod journal;
mod outlet;
mod screen;
pub mod sparkline;
pub mod state;
pub mod view;

use std::fs::File;
use std::io::{IsTerminal, stderr};
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use common::exit::Failure;
use common::units::plural;

use self::journal::Journal;
use self::outlet::Outlet;
use self::screen::Screen;
use self::state::{Shown, State};
use self::view::{Looks, nanos, render};
use crate::drive::{Moment, Past};
use crate::plan::{Load, Manner};
use crate::report::data::{Report, Verb};
use crate::report::ndjson::{Begin, End, Line, Stretch};
use crate::report::text::show_rate;
use crate::report::{Trial, save};
use crate::trial::Label;

/// Shows how far it is, and keeps what has been measured.
#[derive(Debug)]
pub struct Live {
    shows: Shows,
    state: State,
    journal: Journal,
    since: Instant,
    /// The trial that is under way, and the length of its intervals.
    trial: Option<(Label, Duration)>,
}

/// What goes to stderr.
#[derive(Debug)]
enum Shows {
    Nothing,
    /// A line when a trial begins; of `run`, one for each interval as well.
    Lines {
        to: Outlet,
        intervals: bool,
    },
    View {
        screen: Screen,
        unicode: bool,
        colour: bool,
    },
}

impl Live {
    /// As the user wants it and stderr allows it.
    ///
    /// # Errors
    /// A file for programs cannot be opened.
    pub fn new(command: Verb, manner: &Manner) -> Result<Self, Failure> {
        let journal = Journal::open(manner)?;
        Ok(Self {
            shows: Shows::choose(command, manner.quiet),
            state: State::default(),
            journal,
            since: Instant::now(),
            trial: None,
        })
    }

    /// The work begins; it takes about so long.
    pub fn start(&mut self, report: &Report, whole: Duration) {
        (self.since, self.state.whole) = (Instant::now(), whole);
        self.journal.add(&Line::Begin(Begin::of(report)));
    }

    /// A trial begins.
    pub fn begin(&mut self, what: &str, label: Label, load: &Load) {
        self.trial = Some((label, load.interval));
        self.state.begin(what.to_owned(), load);
        self.state.done = self.since.elapsed();
        match &mut self.shows {
            Shows::Lines { to, intervals: true } => say(to, &format!("measuring {what}")),
            Shows::Lines { to, intervals: false } => say(to, what),
            _ => self.draw(),
        }
    }

    /// Something happened in it.
    pub fn tell(&mut self, moment: Moment<'_>) {
        match moment {
            Moment::Tick(glance) => {
                self.state.look(&glance, self.since.elapsed());
                self.journal.go_on();
            }
            Moment::Interval(past) => self.interval(&past),
            Moment::Connected | Moment::Start | Moment::End => return,
        }
        self.draw();
    }

    /// It is over.
    pub fn ended(&mut self, trial: &Trial) {
        self.journal.add(&Line::Trial(trial));
    }

    /// All is over: the report comes next.
    pub fn finish(&mut self, done: &Result<Report, Failure>) {
        if let Shows::View { screen, .. } = &mut self.shows {
            screen.clear();
        }
        self.journal.add(&Line::End(match done {
            Ok(report) => End { interrupted: report.interrupted, failed: None },
            Err(failure) => End { interrupted: false, failed: Some(&failure.message) },
        }));
        self.journal.finish();
    }

    /// Writes the report to all files, and tells of the first thing that could not be written in all the time.
    ///
    /// # Errors
    /// There is such a thing. Everything else has been written.
    pub fn save(&mut self, report: &Report, manner: &Manner) -> Result<(), Failure> {
        let saved = save::save(report, &manner.outputs);
        self.journal.failure().map_or(saved, Err)
    }

    fn interval(&mut self, past: &Past<'_>) {
        let Some((label, length)) = &self.trial else { return };
        if self.journal.is_wanted() {
            self.journal.add(&Line::Interval(Box::new(Stretch::of(label, past))));
        }
        // the last replies, after the time was over, are no interval for people
        if past.length() < *length / 10 {
            return;
        }
        self.state.add(past);
        if let Shows::Lines { to, intervals: true } = &mut self.shows {
            say(to, &line(past));
        }
    }

    fn draw(&mut self) {
        let Shows::View { screen, unicode, colour } = &mut self.shows else { return };
        if screen.is_due() {
            let (width, height) = Screen::size();
            let looks = Looks { width, height, unicode: *unicode, colour: *colour };
            screen.draw(&render(&self.state, looks), width);
        }
    }
}

impl Shows {
    fn choose(command: Verb, quiet: bool) -> Self {
        let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
        let can_move = variable("TERM").is_some_and(|term| term != "dumb");
        if quiet {
            return Self::Nothing;
        }
        if stderr().is_terminal() && can_move {
            let locale = ["LC_ALL", "LC_CTYPE", "LANG"].into_iter().find_map(variable).unwrap_or_default();
            let locale = locale.to_ascii_lowercase();
            let unicode = locale.contains("utf-8") || locale.contains("utf8");
            let colour = std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
            return Self::View { screen: Screen::default(), unicode, colour };
        }
        match stderr().as_fd().try_clone_to_owned() {
            Ok(copy) => Self::Lines { to: Outlet::new(File::from(copy)), intervals: command == Verb::Run },
            // a closed stderr is no reason to fail
            Err(_) => Self::Nothing,
        }
    }
}

/// What nobody reads is lost rather than waited for.
fn say(to: &mut Outlet, text: &str) {
    if !to.is_behind() {
        let _ = to.add(&format!("{text}\n"));
    }
}

/// `   3.0 s   212,345 requests/s   p50 430 us   p99 745 us   max 4.00 ms   0 errors`.
fn line(past: &Past<'_>) -> String {
    let shown = Shown::of(past);
    let times = shown.times.map_or_else(
        || "no reply".to_owned(),
        |times| {
            let [p50, p99, max] = [times.p50, times.p99, times.max].map(nanos);
            format!("p50 {p50:>7}   p99 {p99:>7}   max {max:>7}")
        },
    );
    let errors = match past.window.errors {
        0 => "no errors".to_owned(),
        errors => plural(errors, "error"),
    };
    let seconds = past.to.as_secs_f64();
    format!("{seconds:>6.1} s {:>11} requests/s   {times}   {errors}", show_rate(shown.rate))
}

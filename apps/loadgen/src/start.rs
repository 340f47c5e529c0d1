//! From the command line to the exit code.

use std::io::{self, IsTerminal};
use std::net::{Ipv4Addr, SocketAddr};
use std::process::ExitCode;

use common::exit::{self, DONE, Failure};
use common::{clock, limits, signals};

use crate::drive::sources;
use crate::live::Live;
use crate::options::{self, Asked};
use crate::plan::{self, Load, Manner, Printed};
use crate::report::data::{self, Verb};
use crate::report::text::View;
use crate::report::{Report, save, text};
use crate::subject::{become_server, keeper, machine, placement::Placement};
use crate::{compare, find_max, reopen, run, selftest};

/// Ended by Ctrl-C: 128 and the number of SIGINT.
const INTERRUPTED: u8 = 130;
/// The width of a report that is not shown on a terminal.
const WIDTH: usize = 120;

/// Does what the command line asks for.
///
/// # Errors
/// One line for the user, and the exit code.
pub fn start() -> Result<ExitCode, Failure> {
    match options::parse(std::env::args_os())? {
        Asked::Print(text) => print(&text).map(|()| ExitCode::from(DONE)),
        Asked::Keep(order) => keeper::keep(&order),
        Asked::Become(order) => Err(become_server::become_server(&order)),
        Asked::Report(plan) => print(&reopen::reopen(&plan, view())?).map(|()| ExitCode::from(DONE)),
        Asked::Run(plan) => {
            enough(plan.loads.iter().map(|(_, load)| load), plan.addresses.first().copied())?;
            conclude(Verb::Run, &plan.manner, |report, live| run::run(&plan, report, live))
        }
        Asked::Compare(plan) => {
            let target = (Ipv4Addr::LOCALHOST, 0).into();
            enough(plan.workloads.iter().map(|workload| &workload.load), Some(target))?;
            conclude(Verb::Compare, &plan.manner, |report, live| Ok(compare::compare(&plan, report, live)))
        }
        Asked::FindMax(plan) => {
            enough(plan.run.loads.iter().map(|(_, load)| load), plan.run.addresses.first().copied())?;
            let manner = &plan.run.manner;
            conclude(Verb::FindMax, manner, |report, live| find_max::find_max(&plan, report, live))
        }
        Asked::Selftest(plan) => {
            prepare(0)?;
            conclude(Verb::Selftest, &plan.manner, |report, live| selftest::selftest(&plan, report, live))
        }
    }
}

fn prepare(connections: usize) -> Result<(), Failure> {
    signals::install().map_err(|e| Failure::failed(format!("cannot handle signals: {e}")))?;
    let limit = limits::raise_descriptor_limit()
        .map_err(|e| Failure::failed(format!("cannot raise the limit on open descriptors: {e}")))?;
    let needed = connections as u64 + plan::SPARE_DESCRIPTORS;
    if needed > limit {
        return Err(Failure::failed(format!(
            "{connections} connections need {needed} descriptors, the limit is {limit}: use fewer connections, or raise the \
             hard limit (as root `ulimit -Hn {needed}`, for a service LimitNOFILE={needed}); the server needs as many"
        )));
    }
    Ok(())
}

/// Whether this machine has what the largest of these loads needs.
fn enough<'a>(
    loads: impl Iterator<Item = &'a Load> + Clone,
    target: Option<SocketAddr>,
) -> Result<(), Failure> {
    prepare(loads.clone().map(Load::all_connections).max().unwrap_or(0))?;
    let mut loads = loads;
    let why =
        target.and_then(|target| loads.find_map(|load| sources::too_few(target, load, sources::ports())));
    why.map_or(Ok(()), |why| Err(Failure::failed(why)))
}

fn blank(command: Verb, manner: &Manner) -> Report {
    Report {
        schema: data::SCHEMA,
        command,
        // for people, and to repeat it by hand: what is no UTF-8 is shown as well as it can be
        command_line: std::env::args_os().map(|argument| argument.to_string_lossy().into_owned()).collect(),
        started: clock::timestamp(),
        interrupted: false,
        seed: None,
        trials_planned: manner.trials,
        placement: Placement { server: Vec::new(), client: Vec::new() },
        platform: machine::platform(),
        scenarios: Vec::new(),
        workloads: Vec::new(),
        subjects: Vec::new(),
        summary: Vec::new(),
        comparison: None,
        promises: Vec::new(),
        baseline: None,
        trials: Vec::new(),
        checks: Vec::new(),
        found: None,
    }
}

/// Does the work and tells of it, at last by the exit code.
fn conclude(
    command: Verb,
    manner: &Manner,
    work: impl FnOnce(Report, &mut Live) -> Result<Report, Failure>,
) -> Result<ExitCode, Failure> {
    let earlier = manner.gates.earlier()?;
    let mut live = Live::new(command, manner)?;
    let done = work(blank(command, manner), &mut live);
    live.finish(&done);
    let mut report = done?;
    manner.gates.conclude(&mut report, earlier.as_ref());
    // again, with what only the end could tell
    let saved = live.save(&report, manner);
    let text = match manner.printed {
        Printed::Text => text::render(&report, view()),
        Printed::As(format) => save::render(&report, format).unwrap_or_default(),
    };
    print(&text)?;
    // after the report, which nobody shall miss because of it
    saved?;
    manner.gates.keep(&report)?;
    if report.interrupted {
        let failure = Failure { message: "interrupted: the report is partial".to_owned(), code: INTERRUPTED };
        return Err(failure);
    }
    manner.gates.failure(&report).map_or(Ok(ExitCode::from(DONE)), Err)
}

fn view() -> View {
    let stdout = io::stdout();
    let colour = stdout.is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    let width = terminal_size::terminal_size().map_or(WIDTH, |(width, _)| usize::from(width.0));
    View { width: if stdout.is_terminal() { width } else { WIDTH }, colour }
}

fn print(text: &str) -> Result<(), Failure> {
    exit::print(text.as_bytes()).map(drop)
}

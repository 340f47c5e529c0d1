//! The command line.

use std::ffi::OsString;
use std::process::ExitCode;

use clap::{Args, CommandFactory, Parser, Subcommand};
use clap_complete::Shell;
use common::exit::{DONE, Failure, print};

const EXAMPLES: &str = "\
Examples:
  lab                               all lessons
  lab tour                          all lessons one after the other, at your pace
  lab show deadlock                 what it demonstrates, what to look for, where its code is
  lab show process/join             the file and the line of one example
  lab run process/join              one example
  lab run race mutex                two lessons
  lab run pool --original-pace      with pauses as long as in the tutorials
  lab run --all --json | jq .saw    everything, for programs: one line for each example

Exit codes:
  0  done
  1  failed, or an example left a process or a descriptor behind
  2  wrong usage
  3  an example ran, but did not show what it is for";

/// Every lesson of the tutorials on threads and processes, run for real: on this machine and now, each with a few sentences about
/// what was seen. docs/tutorials.md has the way from each example of the tutorials to its command.
#[derive(Debug, Parser)]
#[command(name = "lab", version, after_help = EXAMPLES, max_term_width = 110)]
pub struct Arguments {
    /// What to do; without it, the lessons are listed
    #[command(subcommand)]
    pub verb: Option<Verb>,

    /// Print a completion script for this shell
    #[arg(long, value_enum, value_name = "SHELL")]
    pub completions: Option<Shell>,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Verb {
    /// List the lessons and their examples
    List {
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// Say what a lesson demonstrates, what to look for, and where its code is
    Show {
        /// LESSON or LESSON/EXAMPLE
        lesson: String,
    },
    /// Run lessons or single examples
    Run(RunOptions),
    /// Walk through all lessons: what each demonstrates, what to look for, and its examples
    Tour(TourOptions),
    /// What is no command: the name of a lesson, perhaps.
    #[command(external_subcommand)]
    Other(Vec<OsString>),
}

/// How to run.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES, override_usage = "lab run [OPTIONS] LESSON[/EXAMPLE]...\n       lab run [OPTIONS] --all")]
pub struct RunOptions {
    /// LESSON or LESSON/EXAMPLE, as many as you like
    #[arg(required_unless_present = "all", conflicts_with = "all", value_name = "LESSON")]
    pub lessons: Vec<String>,

    /// Run everything, in less than a minute
    #[arg(long)]
    pub all: bool,

    /// Pause as long as the tutorials do; else a tenth of it, at most 300 ms
    #[arg(long)]
    pub original_pace: bool,

    /// One JSON object a line for each example: what happened, what was seen, and the facts behind it
    #[arg(long)]
    pub json: bool,
}

/// How to be shown around.
#[derive(Debug, Args)]
pub struct TourOptions {
    /// Begin with this lesson
    #[arg(long, value_name = "LESSON")]
    pub from: Option<String>,

    /// Pause as long as the tutorials do; else a tenth of it, at most 300 ms
    #[arg(long)]
    pub original_pace: bool,
}

/// Prints a completion script. (Made in memory first: what makes it panics when it meets a closed pipe.)
///
/// # Errors
/// stdout cannot be written.
pub fn completions(shell: Shell) -> Result<ExitCode, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Arguments::command(), "lab", &mut script);
    print(&script)?;
    Ok(ExitCode::from(DONE))
}

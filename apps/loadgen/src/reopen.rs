//! `loadgen report`: reads saved reports and shows them again.
//!
//! Bound: a file of at most `LARGEST` bytes. Where it breaks: a report of another version is refused, as its figures
//! might mean something else.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use common::exit::Failure;
use serde::Deserialize;

use crate::plan::{Format, ReportPlan};
use crate::report::html::{self, Named};
use crate::report::text::{self, View};
use crate::report::{Report, csv, data, json, markdown, save};

/// A larger file is no report.
const LARGEST: u64 = 256 << 20;

/// What every version of a report has.
#[derive(Deserialize)]
struct Version {
    schema: u32,
}

/// Reads the files and writes the outputs; what is to be printed comes back.
///
/// # Errors
/// One line: a file that cannot be read, or is no report of this version; or an output that cannot be written.
pub fn reopen(plan: &ReportPlan, view: View) -> Result<String, Failure> {
    let reports: Vec<Named> = plan.files.iter().map(|path| read(path)).collect::<Result<_, _>>()?;
    for (index, one) in reports.iter().enumerate() {
        if let Some(twin) = reports[..index].iter().find(|other| same(&one.report, &other.report)) {
            let (one, twin) = (&one.name, &twin.name);
            return Err(Failure::usage(format!(
                "{one} is the same report as {twin}: it would count twice; name one of them"
            )));
        }
    }
    for output in &plan.outputs {
        save::write(&output.path, &form(&reports, output.format))?;
    }
    Ok(match plan.print {
        None => String::new(),
        Some(None) => each(&reports, |report| text::render(report, view)),
        Some(Some(format)) => form(&reports, format),
    })
}

fn form(reports: &[Named], format: Format) -> String {
    match format {
        Format::Html => html::render_all(reports),
        Format::Csv => csv::render_all(reports.iter().map(|named| (named.name.as_str(), &named.report))),
        Format::Markdown => each(reports, markdown::render),
        // lines are what happened, not what is known of it at the end: a report is made into its JSON
        Format::Json | Format::Ndjson => reports.iter().map(|named| json::render(&named.report)).collect(),
    }
}

/// One after the other; several with their names above them.
fn each(reports: &[Named], show: impl Fn(&Report) -> String) -> String {
    match reports {
        [only] => show(&only.report),
        all => all
            .iter()
            .map(|named| format!("{}\n\n{}", named.name, show(&named.report)))
            .collect::<Vec<_>>()
            .join("\n"),
    }
}

/// One run of loadgen, saved twice.
fn same(one: &Report, other: &Report) -> bool {
    let run = |report: &Report| {
        (report.started.clone(), report.seed, report.command_line.clone(), report.trials.len())
    };
    run(one) == run(other) && json::render(one) == json::render(other)
}

fn read(path: &Path) -> Result<Named, Failure> {
    let name = path.display().to_string();
    let failed = |why: String| Failure::failed(format!("{name}: {why}"));
    let mut text = String::new();
    let opened = File::open(path)
        .map_err(|e| failed(format!("{e}: name a report that was saved with -o FILE.json")))?;
    opened
        .take(LARGEST + 1)
        .read_to_string(&mut text)
        .map_err(|e| failed(format!("{e}: name a report that was saved with -o FILE.json")))?;
    if text.len() as u64 > LARGEST {
        return Err(failed("larger than 256 MiB: that is no report".to_owned()));
    }
    let version: Version = serde_json::from_str(&text).map_err(|e| {
        failed(format!("no report of loadgen ({e}): name one that was saved with -o FILE.json"))
    })?;
    if version.schema != data::SCHEMA {
        return Err(failed(format!(
            "a report of version {}, and this loadgen reads version {}: use the loadgen that wrote it, or measure again",
            version.schema,
            data::SCHEMA
        )));
    }
    let report = serde_json::from_str(&text)
        .map_err(|e| failed(format!("not a whole report ({e}): was it cut or changed?")))?;
    Ok(Named { name, report })
}

//! The two charts that each load begins with, and memory: a bar for each server.

use super::Chart;
use super::bars::{self, Bar, Bars};
use crate::measure::verdict::Level;
use crate::report::data::Trial;
use crate::report::html::words::Unit;
use crate::report::summary::{Row, Spread};

/// What each request costs the server.
pub(in crate::report::html) fn cpu(rows: &[&Row]) -> Option<Chart> {
    bars::chart(Bars {
        title: "Server CPU per request".to_owned(),
        caption: with_range(
            rows,
            "User and system time of all processes of the server, for each request; less is better",
        ),
        unit: Unit::Micros,
        bars: bars_of(rows, |row| row.cpu_us_per_request),
    })
}

/// How many requests were answered.
pub(in crate::report::html) fn throughput(rows: &[&Row]) -> Option<Chart> {
    bars::chart(Bars {
        title: "Throughput".to_owned(),
        caption: with_range(
            rows,
            "Right replies per second; more is better, but look at what limited it: the table says whether that was the server",
        ),
        unit: Unit::PerSecond,
        bars: bars_of(rows, |row| row.requests_per_second),
    })
}

/// What each kept connection costs.
pub(in crate::report::html) fn memory(rows: &[&Row]) -> Option<Chart> {
    bars::chart(Bars {
        title: "Server memory per connection".to_owned(),
        caption: with_range(
            rows,
            "What the proportional set size of the server grew by, for each connection that was served, without the kernel's \
             own memory; less is better",
        ),
        unit: Unit::Bytes,
        bars: bars_of(rows, |row| row.memory_per_connection),
    })
}

/// What each kept connection costs the kernel, on both sides.
pub(in crate::report::html) fn kernel_memory(
    rows: &[&Row],
    subjects: &[(&str, Vec<&Trial>)],
) -> Option<Chart> {
    let of = |row: &Row| {
        let (_, trials) = subjects.iter().find(|(name, _)| *name == row.subject)?;
        let sizes = trials.iter().filter_map(|trial| trial.server.as_ref()?.kernel_memory_per_connection);
        Spread::of(sizes.collect())
    };
    let bars = bars_of(rows, of);
    // the kernel books in steps: nothing seen is not nothing needed
    let seen = bars.iter().any(|bar| bar.value.high > 0.0);
    bars::chart(Bars {
        title: "Kernel memory per connection".to_owned(),
        caption: with_range(
            rows,
            "What the buffers of all TCP sockets of the machine grew by, for each connection that was served; both ends of \
             it are in that",
        ),
        unit: Unit::Bytes,
        bars: if seen { bars } else { Vec::new() },
    })
}

pub(super) fn bars_of(rows: &[&Row], value: impl Fn(&Row) -> Option<Spread>) -> Vec<Bar> {
    let bar = |row: &&Row| {
        let doubt = (row.verdict.level != Level::Ok).then(|| row.verdict.level.word().to_owned());
        Some(Bar { name: row.subject.clone(), value: value(row)?, doubt })
    };
    rows.iter().filter_map(bar).collect()
}

/// A caption, and what whiskers and hollow bars are, where there are any.
pub(super) fn with_range(rows: &[&Row], caption: &str) -> String {
    let mut caption = format!("{caption}.");
    if rows.iter().any(|row| row.trials > 1) {
        caption.push_str(
            " Bars are medians over the trials, whiskers reach from the lowest trial to the highest.",
        );
    }
    if rows.iter().any(|row| row.verdict.level != Level::Ok) {
        caption.push_str(" A hollow bar is a figure in doubt: the reasons stand below.");
    }
    caption
}

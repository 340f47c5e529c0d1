//! The report of `run`: one server, so no table but lines.

use std::time::Duration;

use common::units::{plural, show_count, show_duration};

use super::{cells, server, show_rate, wrap};
use crate::measure::Quantiles;
use crate::report::bystanders::BystandersReport;
use crate::report::data::{Accounting, Client, Connections, Fairness, Open, Trial};
use crate::report::summary::Row;
use crate::report::{Report, claims};
use crate::trial::show_error;

/// The width of the names in front.
const NAME: usize = 17;

/// One block a trial, and the medians if there are several.
#[must_use]
pub(super) fn render(report: &Report, rows: &[&Row], width: usize) -> String {
    let mut out = String::new();
    let praise = report.workloads.first().map_or("", |workload| workload.load.protocol.praise());
    for trial in &report.trials {
        if report.trials.len() > 1 {
            out.push_str(&format!("trial {}\n", trial.trial));
        }
        out.push_str(&match &trial.client {
            Some(client) => figures(trial, client, accounting(report, trial), praise),
            None => line("verdict", &format!("{}: {}", trial.verdict.level.word(), trial.verdict.words())),
        });
    }
    for row in rows.iter().filter(|row| row.trials > 1) {
        let range = cells::plus_minus(row.requests_per_second);
        let requests = format!("{} requests/s ({range})", cells::count(row.requests_per_second));
        let times = format!(
            "p50 {} · p99 {} · max {}",
            cells::time(row.p50),
            cells::time(row.p99),
            cells::longest(row.max)
        );
        out.push_str(&format!("median of {} trials\n", row.trials));
        out.push_str(&line("requests", &requests));
        out.push_str(&line("reply time", &times));
    }
    out.lines().map(|line| set_in(line, width)).collect()
}

/// Breaks a long line; what follows stands under the text, not under its name.
fn set_in(line: &str, width: usize) -> String {
    let name_width = NAME.min(line.len());
    match (line.is_char_boundary(name_width), line.chars().count() > width) {
        (true, true) => {
            let (name, text) = line.split_at(name_width);
            let text = wrap(text, width, &" ".repeat(NAME));
            format!("{name}{}", text.get(NAME..).unwrap_or_default())
        }
        _ => format!("{line}\n"),
    }
}

fn accounting<'a>(report: &'a Report, trial: &Trial) -> Option<&'a Accounting> {
    report.subjects.iter().find(|subject| subject.name == trial.subject)?.accounting.as_ref()
}

fn figures(trial: &Trial, client: &Client, accounting: Option<&Accounting>, praise: &str) -> String {
    let seconds = show_duration(Duration::from_secs_f64(client.seconds));
    let mut out = line(
        "requests",
        &format!(
            "{} ok in {seconds}: {} requests/s",
            show_count(client.requests.ok),
            show_count(client.requests_per_second.round() as u64)
        ),
    );
    match &client.open {
        Some(open) => out.push_str(&schedule(client, open)),
        None if client.reply.count > 0 => out.push_str(&line("reply time", &times(&client.reply))),
        None => {}
    }
    if let Some(first) = &client.first_byte {
        out.push_str(&line("first byte", &times(first)));
    }
    if let Some(connect) = &client.connect {
        out.push_str(&line("connect time", &times(connect)));
    }
    out.push_str(&line("connections", &connections(&client.connections)));
    if let Some(fairness) = &client.fairness {
        out.push_str(&line("fairness", &evenness(fairness)));
    }
    for (name, text) in client.bystanders.iter().flat_map(BystandersReport::lines) {
        out.push_str(&line(name, &text));
    }
    if client.errors.is_empty() {
        let praise = if client.requests.ok > 0 { format!("; {praise}") } else { String::new() };
        out.push_str(&line("errors", &format!("none{praise}")));
    }
    for error in &client.errors {
        out.push_str(&line("errors", &show_error(error)));
    }
    if let Some(wrong) = &client.first_wrong {
        out.push_str(&line("first wrong", wrong));
    }
    let left = client.requests.in_flight_at_end;
    if left > 0 {
        out.push_str(&line("unanswered", &format!("{} at the end", plural(left, "request"))));
    }
    if let Some(server) = server::line(accounting, trial.server.as_ref(), client.seconds) {
        out.push_str(&line("server", &server));
    }
    if let Some(left) = trial.client_headroom {
        out.push_str(&line("client headroom", &claims::percent((left * 100.0).round() / 100.0)));
    }
    if let Some(why) = &trial.why_not_double {
        out.push_str(&line("why not double?", why));
    }
    out + &line("verdict", trial.verdict.level.word())
}

/// Latency from the time when a request was due, and beside it what a tool shows that forgets the waiting.
fn schedule(client: &Client, open: &Open) -> String {
    let due = format!("{} due, {} a second", show_count(open.due), show_rate(open.offered_per_second));
    let unsent =
        if open.unsent > 0 { format!("; {} never sent", show_count(open.unsent)) } else { String::new() };
    let late = show_duration(Duration::from_nanos(open.lag.p99));
    let most = show_duration(Duration::from_nanos(open.lag.max));
    let mut out = line("schedule", &format!("{due}{unsent}; sent late by loadgen: p99 {late}, max {most}"));
    if client.reply.count > 0 {
        out.push_str(&line("latency", &times(&client.reply)));
        out.push_str(&line("uncorrected", &times(&open.uncorrected)));
    }
    out
}

fn connections(c: &Connections) -> String {
    let mut text =
        format!("{} served of {} established of {} requested", c.served, c.established, c.requested);
    if c.opened > 0 {
        text.push_str(&format!("; {} opened while measuring", show_count(c.opened)));
    }
    if c.connecting_at_end > 0 {
        text.push_str(&format!("; {} under way at the end", plural(c.connecting_at_end as u64, "connect")));
    }
    text
}

/// Who had how many replies: says nothing of a single connection.
fn evenness(fairness: &Fairness) -> String {
    let mut text = format!(
        "Jain {:.3}; slowest connection {} replies, fastest {}",
        fairness.jain,
        show_count(fairness.slowest),
        show_count(fairness.fastest)
    );
    if fairness.never_served > 0 {
        text.push_str(&format!("; {} never served", show_count(fairness.never_served as u64)));
    }
    text
}

fn times(q: &Quantiles) -> String {
    let show = |nanos| show_duration(Duration::from_nanos(nanos));
    let mut text = format!(
        "p50 {} · p90 {} · p99 {} · p99.9 {} · p99.99 {} · max {}",
        show(q.p50),
        show(q.p90),
        show(q.p99),
        show(q.p999),
        show(q.p9999),
        show(q.max)
    );
    if q.too_long > 0 {
        text.push_str(&format!(" ({} over a minute count as a minute)", show_count(q.too_long)));
    }
    text
}

fn line(name: &str, text: &str) -> String {
    format!("{name:<NAME$}{text}\n")
}

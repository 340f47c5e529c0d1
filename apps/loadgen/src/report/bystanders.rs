//! What a report says about the bystanders.

use std::time::Duration;

use common::units::{plural, show_count, show_duration, show_size};
use serde::{Deserialize, Serialize};

use crate::drive::bystanders::fate::Fate;
use crate::drive::bystanders::slow::TAKEN_MAX;
use crate::drive::{Outcome, failure};
use crate::measure::verdict::{Level, Verdict};

/// What became of the connections that were there as well, and what they did.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct BystandersReport {
    /// Those that sent one request and then nothing.
    pub idle: Fate,
    /// Those that sent a byte now and then.
    pub dribblers: Fate,
    /// Bytes that these sent.
    pub dribbled_bytes: u64,
    /// Those that sent and never read; whether these were served, nobody knows.
    pub never_readers: Fate,
    /// Bytes that their sockets took.
    pub taken_bytes: u64,
    /// Those of them whose socket was full at the end.
    pub full: usize,
    /// Those that took all they could get.
    pub greedy: Fate,
    /// Their right replies per second of the measured time; not known of a trial that was broken off.
    pub greedy_requests_per_second: Option<f64>,
    /// Bytes of these replies; likewise.
    pub greedy_bytes_per_second: Option<f64>,
    /// CPU time of their thread in the measured time; likewise.
    pub cpu_seconds: Option<f64>,
    /// Why the first connect failed that did.
    pub connect_error: Option<String>,
}

impl BystandersReport {
    /// `None`: there were none.
    #[must_use]
    pub fn of(outcome: &Outcome) -> Option<Self> {
        let fates = outcome.bystanders?;
        let beat = outcome.beat;
        let seconds = outcome.elapsed.as_secs_f64().max(1e-9);
        let greedy = beat.filter(|_| fates.greedy.asked > 0);
        Some(Self {
            idle: fates.idle,
            dribblers: fates.dribblers,
            dribbled_bytes: fates.dribbled,
            never_readers: fates.never_readers,
            taken_bytes: fates.taken,
            full: fates.full,
            greedy: fates.greedy,
            greedy_requests_per_second: greedy.map(|beat| beat.replies as f64 / seconds),
            greedy_bytes_per_second: greedy.map(|beat| beat.bytes as f64 / seconds),
            cpu_seconds: beat.map(|beat| beat.cpu.as_secs_f64()),
            connect_error: fates.connect_error.map(failure::describe),
        })
    }

    /// How many have had a reply.
    #[must_use]
    pub fn served(&self) -> usize {
        self.idle.served + self.dribblers.served + self.greedy.served
    }

    /// How many have a share of the server's memory: those that were served, and of the slow ones all, since these may
    /// have no whole reply for long.
    #[must_use]
    pub fn held(&self) -> usize {
        let slow = self.dribblers.established + self.never_readers.established;
        self.idle.served + self.greedy.served + slow
    }

    /// Slow ones that the server ended.
    #[must_use]
    pub fn slow_closed(&self) -> usize {
        [self.dribblers, self.never_readers].iter().map(|fate| fate.closed + fate.reset).sum()
    }

    /// Adds what speaks against a trial. That a server closes idle and slow connections does not.
    pub fn judge(&self, verdict: &mut Verdict) {
        let kinds = [
            ("idle", &self.idle),
            ("slow", &self.dribblers),
            ("slow", &self.never_readers),
            ("greedy", &self.greedy),
        ];
        for (kind, fate) in kinds {
            if fate.wrong > 0 {
                let connections = plural(fate.wrong as u64, &format!("{kind} connection"));
                verdict
                    .add(Level::Failed, format!("{connections} beside the measured ones had a wrong reply"));
            }
            if fate.established < fate.asked {
                let (established, asked) = (fate.established, fate.asked);
                verdict.add(
                    Level::Suspect,
                    format!("only {established} of {asked} {kind} connections beside were established"),
                );
            }
        }
        let ended = self.greedy.closed + self.greedy.reset;
        if ended > 0 {
            let connections = plural(ended as u64, "greedy connection");
            verdict.add(Level::Suspect, format!("the server ended {connections}"));
        }
    }

    /// A name and a sentence for each kind that there was, and for what they cost loadgen itself.
    #[must_use]
    pub fn lines(&self) -> Vec<(&'static str, String)> {
        let mut lines = self.connections();
        if let Some(cpu) = self.cpu_seconds.filter(|_| !lines.is_empty()) {
            let cpu = show_duration(Duration::from_secs_f64(cpu));
            lines.push((
                "bystanders",
                format!("{cpu} of CPU for them in loadgen, beside that of the client threads"),
            ));
        }
        lines
    }

    /// A name and a sentence for each kind that there was.
    #[must_use]
    pub fn connections(&self) -> Vec<(&'static str, String)> {
        let mut lines = Vec::new();
        if self.idle.asked > 0 {
            lines.push(("idle", words(&self.idle, true)));
        }
        if self.dribblers.asked > 0 {
            let sent = format!("{} sent", plural(self.dribbled_bytes, "byte"));
            lines.push(("dribblers", format!("{}; {sent}", words(&self.dribblers, true))));
        }
        if self.never_readers.asked > 0 {
            lines.push(("never-readers", format!("{}; {}", words(&self.never_readers, false), self.taken())));
        }
        if self.greedy.asked > 0 {
            lines.push(("greedy", format!("{}{}", words(&self.greedy, true), self.got())));
        }
        if let Some(why) = &self.connect_error {
            lines.push(("unconnected", format!("the first of those that were not: {why}")));
        }
        lines
    }

    fn taken(&self) -> String {
        let mut text = format!("{} taken, {} full", show_size(self.taken_bytes), self.full);
        let most = TAKEN_MAX * self.never_readers.established as u64;
        if most > 0 && self.taken_bytes >= most {
            text.push_str(&format!(
                ": the server took all that they send at most ({} each), so it has no bound",
                show_size(TAKEN_MAX)
            ));
        }
        text
    }

    fn got(&self) -> String {
        match (self.greedy_requests_per_second, self.greedy_bytes_per_second) {
            (Some(requests), Some(bytes)) => format!(
                "; {} requests/s, {}/s",
                show_count(requests.round() as u64),
                show_size(bytes.round() as u64)
            ),
            _ => String::new(),
        }
    }
}

fn words(fate: &Fate, reads: bool) -> String {
    let mut text = format!("{} established of {} requested", fate.established, fate.asked);
    if reads {
        text = format!("{} served of {text}", fate.served);
    }
    for (count, how) in [
        (fate.closed, "closed by the server (FIN)"),
        (fate.reset, "reset by the server (RST)"),
        (fate.wrong, "answered wrongly"),
    ] {
        if count > 0 {
            text.push_str(&format!("; {count} {how}"));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_is_told_and_how_the_server_ended_it() {
        let all = Fate { asked: 4, established: 4, served: 3, closed: 2, reset: 1, wrong: 0 };
        let report = BystandersReport { idle: all, ..BystandersReport::default() };
        let lines = report.lines();
        assert_eq!(lines.len(), 1, "{lines:?}");
        assert_eq!(
            lines[0].1,
            "3 served of 4 established of 4 requested; 2 closed by the server (FIN); 1 reset by the server (RST)"
        );
        let endless = BystandersReport {
            never_readers: all,
            taken_bytes: 4 * TAKEN_MAX,
            ..BystandersReport::default()
        };
        assert!(endless.lines()[0].1.contains("has no bound"), "{:?}", endless.lines());
        assert!(BystandersReport::default().lines().is_empty());
    }
}

//! What the chat knows about itself: `/status` and `/peers`.

use super::{Chat, Effect, Now, line};

/// What happened so far.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Counts {
    pub(super) messages: u64,
    pub(super) sent: u64,
    pub(super) send_errors: u64,
    pub(super) refused: u64,
    pub(super) suppressed: u64,
    pub(super) frames: u64,
    pub(super) empty: u64,
    pub(super) ignored: u64,
    pub(super) dropped: u64,
}

/// What only the threads around the chat know.
#[derive(Debug, Clone, Default)]
pub struct Facts {
    /// Where this program can be written to.
    pub own: Vec<String>,
    /// The file of the history, or why there is none.
    pub history: String,
    /// Records that wait to be written, and how many may.
    pub queue: (usize, usize),
    /// Records that were not saved because the queue was full.
    pub unsaved: u64,
    /// Lines that were not shown because the terminal did not take them in time.
    pub not_shown: u64,
}

impl Chat {
    /// The answer to [`Effect::AskFacts`].
    pub fn facts(&self, facts: &Facts, effects: &mut Vec<Effect>) {
        let Counts { messages, sent, send_errors, refused, suppressed, frames, empty, ignored, dropped } =
            self.counts;
        let (waiting, capacity) = facts.queue;
        line(effects, format!("listening on  {}", facts.own.join("  ")));
        line(effects, format!("history       {}", facts.history));
        line(
            effects,
            format!(
                "              {waiting} of at most {capacity} records wait, {} not saved",
                facts.unsaved
            ),
        );
        line(
            effects,
            format!(
                "received      {messages} messages, {empty} empty, {frames} unsupported frames, {suppressed} suppressed, {ignored} ignored"
            ),
        );
        line(effects, format!("sent          {sent} messages, {send_errors} send errors, {refused} refused"));
        line(
            effects,
            format!("lost          {dropped} dropped by the kernel, {} not shown", facts.not_shown),
        );
        line(
            effects,
            "nobody answers? UDP gives no receipt. Check that the address and the port are theirs (they see",
        );
        line(
            effects,
            "both with /status), that both are in one network (guest Wi-Fi keeps its users apart), and that the",
        );
        line(
            effects,
            "firewall lets UDP in on their port. To try this machine alone: nc -u 127.0.0.1 and your port.",
        );
    }

    pub(super) fn list_people(&self, now: Now, effects: &mut Vec<Effect>) {
        let all = self.people.all();
        if all.is_empty() {
            line(effects, "nobody is known yet: /add IP[:PORT] [NAME], or wait until somebody writes");
        }
        for (address, peer) in all {
            let name = peer.name.as_deref().unwrap_or("-");
            let seen = peer
                .last_seen
                .map_or_else(|| "never seen".to_owned(), |time| ago(now.wall.saturating_sub(time)));
            let ignored = if self.people.ignores(address) { ", ignored" } else { "" };
            line(
                effects,
                format!(
                    "{name:<12} {:<24} {seen}, sent {}, received {}, refused {}{ignored}",
                    address.to_string(),
                    peer.sent,
                    peer.received,
                    peer.refused
                ),
            );
        }
    }
}

fn ago(milliseconds: u64) -> String {
    match milliseconds / 1000 {
        seconds @ 0..60 => format!("seen {seconds} s ago"),
        seconds @ 60..3600 => format!("seen {} min ago", seconds / 60),
        seconds => format!("seen {} h ago", seconds / 3600),
    }
}

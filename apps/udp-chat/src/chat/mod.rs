//! THE CHAT: one owner of everything that is remembered, and every decision.
//!
//! Events go in (a line was typed, a datagram came, a message was refused), effects come out (send this, show that, save
//! this, end). There is no socket, no clock and no file in here, so each rule of the chat can be read and tested by
//! itself; and because one thread owns it, nothing in it is locked.
//!
//! - input: the menu, the recipient, the commands
//! - arrivals: what is shown and saved of what comes, and what is only counted
//! - delivery: what is sent, and the truth about what came of it

pub mod allowance;
mod arrivals;
pub mod command;
mod delivery;
mod input;
pub mod outbox;
pub mod people;
mod report;
#[cfg(test)]
mod tests;

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use allowance::{Allowances, RateLimit};
use outbox::Outbox;
use people::People;

pub use delivery::{Refusal, SendFailed};
pub use report::Facts;

/// Which part this run plays.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// A conversation: menu, recipient, commands.
    Chat,
    /// Shows what comes. Ends after so many messages, or at a time (since the start).
    Listen {
        /// Messages.
        count: Option<u64>,
        /// The end of waiting.
        timeout: Option<Duration>,
    },
    /// Every line of the input is a message; at its end, so long is waited for refusals.
    Send {
        /// To whom.
        to: SocketAddr,
        /// The wait.
        wait: Duration,
    },
}

/// Whether a message ends with a newline.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Eol {
    /// As the peer does; without one as long as nothing is known.
    Auto,
    /// Always.
    Lf,
    /// Never.
    None,
}

/// What the user chose.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The part to play.
    pub role: Role,
    /// Newlines of what is sent.
    pub eol: Eol,
    /// Bytes in a datagram.
    pub max_datagram: usize,
    /// What each source, an address with all its ports, may send.
    pub rate_limit: Option<RateLimit>,
    /// How to find an interface by its name.
    pub interfaces: people::Interfaces,
    /// Messages that were typed are shown again, because nobody saw them being typed.
    pub echo: bool,
}

/// The time of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Now {
    /// Since the start; never goes back.
    pub since_start: Duration,
    /// Milliseconds since 1970, as the wall clock has it.
    pub wall: u64,
}

/// What is to be done. In this order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// Send these datagrams, and tell what came of it by [`Chat::sent`].
    Send {
        /// The message.
        ticket: u64,
        /// To whom.
        to: SocketAddr,
        /// Its datagrams.
        pieces: Vec<Vec<u8>>,
    },
    /// Show this.
    Show(Shown),
    /// Append this to the history.
    Save(Saved),
    /// Look into the history and show what is found.
    Look(Look),
    /// Answer by [`Chat::facts`].
    AskFacts,
    /// End with this exit code.
    Quit(u8),
}

/// What a user sees. Texts are raw; whoever shows them escapes them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Shown {
    /// A message came.
    Message {
        /// When.
        time: u64,
        /// From where.
        from: SocketAddr,
        /// The name that the user gave it.
        name: Option<String>,
        /// The text.
        text: Vec<u8>,
    },
    /// A message was sent.
    Own {
        /// When.
        time: u64,
        /// To whom.
        to: String,
        /// The text.
        text: String,
    },
    /// A line of the program's own.
    Line(String),
}

/// A record of the history.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Saved {
    /// This was sent.
    Sent(SocketAddr, String),
    /// This was received.
    Received(SocketAddr, Vec<u8>),
    /// This is worth knowing about the others.
    Note(String),
}

/// A look into the history.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Look {
    /// The last records, perhaps those with one address only, or with one port of it.
    Last(usize, Option<(IpAddr, Option<u16>)>),
    /// Records that hold a text.
    Search(String),
    /// Its file.
    Where,
}

/// All went well.
pub const DONE: u8 = 0;
/// A message could not be sent.
pub const NOT_SENT: u8 = 1;
/// A message was refused.
pub const REFUSED: u8 = 4;
/// The time was over before all had come.
pub const TIMED_OUT: u8 = 5;

/// The state of a chat.
#[derive(Debug)]
pub struct Chat {
    settings: Settings,
    people: People,
    outbox: Outbox,
    allowances: Allowances,
    stage: input::Stage,
    /// Who got the last line that was typed, if it was a message.
    got_last: Option<input::Recipient>,
    counts: report::Counts,
    /// Something unreported is reported then.
    report_at: Option<Duration>,
    /// What is unreported of peers that were forgotten.
    others: arrivals::Others,
    /// The last such report.
    reported: Option<Duration>,
    /// The end of waiting: for messages, or for refusals.
    end_at: Option<Duration>,
    /// The kernel's count of dropped datagrams, as it was told last, and how many of them are unreported.
    dropped: (u32, u64),
    /// How to answer has been said.
    introduced: bool,
    /// How this run ends.
    code: u8,
}

impl Chat {
    /// A chat in which nothing has happened.
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        let end_at = match settings.role {
            Role::Listen { timeout, .. } => timeout,
            Role::Chat | Role::Send { .. } => None,
        };
        Self {
            settings,
            people: People::default(),
            outbox: Outbox::default(),
            allowances: Allowances::default(),
            stage: input::Stage::Menu,
            got_last: None,
            counts: report::Counts::default(),
            report_at: None,
            others: arrivals::Others::default(),
            reported: None,
            end_at,
            dropped: (0, 0),
            introduced: false,
            code: DONE,
        }
    }

    /// When [`Self::late`] is to be called, if nothing happens before; since the start. `None`: never. So a chat in
    /// which nothing happens wakes nobody up.
    #[must_use]
    pub fn deadline(&self) -> Option<Duration> {
        [self.report_at, self.end_at].into_iter().flatten().min()
    }

    /// When this run ends by itself, if nothing happens before; since the start.
    #[must_use]
    pub fn ends_at(&self) -> Option<Duration> {
        self.end_at
    }

    /// A deadline has passed.
    pub fn late(&mut self, now: Now, effects: &mut Vec<Effect>) {
        if self.report_at.is_some_and(|at| at <= now.since_start) {
            self.report_unreported(now, effects);
        }
        if self.end_at.is_some_and(|at| at <= now.since_start) {
            self.end_at = None;
            let code = match self.settings.role {
                Role::Listen { count, .. } if count.is_some() || self.counts.messages == 0 => TIMED_OUT,
                _ => self.code,
            };
            effects.push(Effect::Quit(code));
        }
    }

    /// A stop was asked for from outside.
    pub fn stop(&mut self, now: Now, effects: &mut Vec<Effect>) {
        self.report_unreported(now, effects);
        effects.push(Effect::Quit(self.exit_code()));
    }

    /// The last words: what has not been reported yet. Nothing more is asked of the chat afterwards.
    pub fn end(&mut self, now: Now, effects: &mut Vec<Effect>) {
        self.report_unreported(now, effects);
    }
}

fn line(effects: &mut Vec<Effect>, text: impl Into<String>) {
    effects.push(Effect::Show(Shown::Line(text.into())));
}

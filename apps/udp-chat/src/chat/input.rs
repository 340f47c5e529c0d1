//! What is typed: the menu, the questions, messages and commands are one machine, which takes one line at a time.
//!
//! Without a recipient there is a menu, as in the program that this one grew from: `1` asks for an address and a port,
//! `2` ends. With a recipient every line is a message, and an empty line goes back. A line that begins with a slash is a
//! command wherever it is typed.

use std::net::SocketAddr;

use super::command::{self, Command, HELP};
use super::people::{self, DEFAULT_PORT};
use super::{Chat, Effect, Look, NOT_SENT, Now, Role, line};

/// `/history` shows so many records.
const HISTORY_LINES: usize = 20;
/// `/history N` shows at most so many.
const HISTORY_MOST: usize = 10_000;

/// What the next line means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    /// A choice.
    Menu,
    /// The address of the next recipient.
    Address,
    /// Its port.
    Port(SocketAddr),
    /// A message to this recipient.
    To(Recipient),
}

/// Who gets the lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Recipient {
    One(SocketAddr),
    All,
}

impl Chat {
    /// The first words, before any event; with a recipient, its lines go there at once.
    ///
    /// # Errors
    /// The recipient is not understood: one line for the user.
    pub fn start(&mut self, now: Now, to: Option<&str>, effects: &mut Vec<Effect>) -> Result<(), String> {
        match to {
            Some(to) => self.choose(now, to, effects),
            None => {
                self.menu(effects);
                Ok(())
            }
        }
    }

    /// What the user is asked for. `None`: nothing is asked.
    #[must_use]
    pub fn prompt(&self) -> Option<String> {
        if self.settings.role != Role::Chat {
            return None;
        }
        Some(match self.stage {
            Stage::Menu => "your choice: ".into(),
            Stage::Address => "address: ".into(),
            Stage::Port(_) => "port: ".into(),
            Stage::To(Recipient::One(to)) => format!("to {}> ", self.people.called(to)),
            Stage::To(Recipient::All) => "to all> ".into(),
        })
    }

    pub(super) fn is_at_menu(&self) -> bool {
        self.stage == Stage::Menu
    }

    /// A line was typed.
    pub fn line(&mut self, now: Now, text: &str, effects: &mut Vec<Effect>) {
        if let Role::Send { to, .. } = self.settings.role {
            return self.send(now, to, text, effects);
        }
        self.got_last = None;
        if text.starts_with('/') && !text.starts_with("//") {
            return match command::parse(text) {
                Ok(command) => self.command(now, command, effects),
                Err(wrong) => line(effects, format!("! {wrong}")),
            };
        }
        match (self.stage, text.trim()) {
            (Stage::Menu, "1") => self.stage = Stage::Address,
            (Stage::Menu, "2") => self.quit(effects),
            (Stage::Menu, "") => self.menu(effects),
            (Stage::Menu, _) => line(effects, "! type 1 or 2, or /help for the commands"),
            (Stage::To(_) | Stage::Address | Stage::Port(_), "") => {
                self.stage = Stage::Menu;
                self.menu(effects);
            }
            (Stage::Address, address) => match people::address(address, self.settings.interfaces) {
                Some((ip, None)) => self.stage = Stage::Port(ip),
                Some((ip, Some(port))) => self.turn_to(now, people::at(ip, port), effects),
                None => line(
                    effects,
                    format!("! {address} is no IP address: it is written as 192.168.1.5 or ::1"),
                ),
            },
            (Stage::Port(ip), port) => match port.parse() {
                Ok(port @ 1..) => self.turn_to(now, people::at(ip, port), effects),
                _ => line(
                    effects,
                    format!("! {port} is no port: a number from 1 to 65535 (usually {DEFAULT_PORT})"),
                ),
            },
            (Stage::To(recipient), _) => {
                let text = if text.starts_with("//") { &text[1..] } else { text };
                self.message_to(now, recipient, text, effects);
            }
        }
    }

    /// More of the last line, which was too long for one. Never a command, whatever it looks like: it goes where the
    /// line went.
    pub fn rest(&mut self, now: Now, text: &str, effects: &mut Vec<Effect>) {
        match (self.settings.role, self.got_last) {
            (Role::Send { to, .. }, _) => self.send(now, to, text, effects),
            (_, Some(recipient)) => self.message_to(now, recipient, text, effects),
            (_, None) => line(effects, "! that line was too long: the rest of it is dropped"),
        }
    }

    /// The input has ended.
    pub fn end_of_input(&mut self, now: Now, effects: &mut Vec<Effect>) {
        match self.settings.role {
            Role::Chat => self.quit(effects),
            Role::Listen { .. } => {}
            Role::Send { .. } if self.outbox.all_refused() => effects.push(Effect::Quit(self.code)),
            Role::Send { wait, .. } => self.end_at = Some(now.since_start + wait),
        }
    }

    fn quit(&mut self, effects: &mut Vec<Effect>) {
        effects.push(Effect::Quit(self.exit_code()));
    }

    fn menu(&mut self, effects: &mut Vec<Effect>) {
        if self.settings.role == Role::Chat {
            line(effects, "1: send data");
            line(effects, "2: quit");
        }
    }

    fn turn_to(&mut self, now: Now, address: SocketAddr, effects: &mut Vec<Effect>) {
        self.meet(now, address, effects);
        self.stage = Stage::To(Recipient::One(address));
    }

    fn choose(&mut self, now: Now, who: &str, effects: &mut Vec<Effect>) -> Result<(), String> {
        match self.recipient(who)? {
            Recipient::One(address) => self.turn_to(now, address, effects),
            Recipient::All => self.stage = Stage::To(Recipient::All),
        }
        Ok(())
    }

    fn recipient(&self, who: &str) -> Result<Recipient, String> {
        if who == "all" {
            Ok(Recipient::All)
        } else {
            self.people.find(who, self.settings.interfaces).map(Recipient::One)
        }
    }

    fn message_to(&mut self, now: Now, recipient: Recipient, text: &str, effects: &mut Vec<Effect>) {
        self.got_last = Some(recipient);
        let everybody = match recipient {
            Recipient::One(to) => vec![to],
            Recipient::All => self
                .people
                .all()
                .iter()
                .map(|(address, _)| *address)
                .filter(|address| !self.people.ignores(*address))
                .collect(),
        };
        if everybody.is_empty() {
            self.code = NOT_SENT;
            line(effects, "! nobody is known yet: /add IP[:PORT] [NAME], or wait until somebody writes");
        }
        for to in everybody {
            self.send(now, to, text, effects);
        }
    }

    fn command(&mut self, now: Now, command: Command, effects: &mut Vec<Effect>) {
        let outcome = match command {
            Command::To(who) => self.choose(now, &who, effects),
            Command::Msg(who, text) => self
                .recipient(&who)
                .map(|recipient| self.message_to(now, recipient, &text, effects))
                .inspect_err(|_| self.code = NOT_SENT),
            Command::Add(address, name) => self.add(now, &address, name, effects),
            Command::Ignore(who) => self.ignore(now, &who, effects),
            Command::History(what) => self.history(what.as_deref(), effects),
            Command::Search(text) => {
                effects.push(Effect::Look(Look::Search(text)));
                Ok(())
            }
            Command::Where => {
                effects.push(Effect::Look(Look::Where));
                Ok(())
            }
            Command::Peers => {
                self.list_people(now, effects);
                Ok(())
            }
            Command::Status => {
                effects.push(Effect::AskFacts);
                Ok(())
            }
            Command::Help => {
                HELP.iter().for_each(|help| line(effects, *help));
                Ok(())
            }
            Command::Quit => {
                self.quit(effects);
                Ok(())
            }
        };
        if let Err(wrong) = outcome {
            line(effects, format!("! {wrong}"));
        }
    }

    fn add(
        &mut self,
        now: Now,
        text: &str,
        name: Option<String>,
        effects: &mut Vec<Effect>,
    ) -> Result<(), String> {
        let (ip, port) = people::address(text, self.settings.interfaces)
            .ok_or_else(|| format!("{text} is no IP[:PORT]"))?;
        let address = people::at(ip, port.unwrap_or(DEFAULT_PORT));
        if let Some(name) = &name {
            self.people.check_name(address, name)?;
        }
        let peer = self.meet(now, address, effects);
        if name.is_some() {
            peer.name = name;
        }
        line(effects, format!("{} is {address}", self.people.called(address)));
        Ok(())
    }

    fn ignore(&mut self, now: Now, who: &str, effects: &mut Vec<Effect>) -> Result<(), String> {
        let said = |ignored: bool| if ignored { "ignored from now on" } else { "shown again" };
        let (ip, port) = self.people.mean(who, self.settings.interfaces)?;
        let Some(port) = port else {
            let what = said(self.people.ignore(ip));
            line(effects, format!("{} with all its ports is {what}", ip.ip()));
            return Ok(());
        };
        let address = people::at(ip, port);
        let peer = self.meet(now, address, effects);
        peer.ignored = !peer.ignored;
        let what = said(peer.ignored);
        line(effects, format!("{} is {what}", self.people.called(address)));
        Ok(())
    }

    fn history(&mut self, what: Option<&str>, effects: &mut Vec<Effect>) -> Result<(), String> {
        let look = match what {
            None => Look::Last(HISTORY_LINES, None),
            Some(what) => match what.parse::<usize>() {
                Ok(lines) => Look::Last(lines.min(HISTORY_MOST), None),
                Err(_) => {
                    let (ip, port) = self.people.mean(what, self.settings.interfaces)?;
                    Look::Last(HISTORY_LINES, Some((ip.ip(), port)))
                }
            },
        };
        effects.push(Effect::Look(look));
        Ok(())
    }
}

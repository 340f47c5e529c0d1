//! The printing thread: lines → terminal. It alone writes there, always whole lines, so nothing is ever mixed up.

use std::io::{self, Write};

use common::fifo::{Receiver, Refused, Sender};
use common::signals;
use rustyline::ExternalPrinter;

use super::patience::Patience;
use crate::chat::Shown;
use crate::terminal::{self, Style};

/// What can be printed.
pub(super) enum Item {
    /// Something to see.
    Shown(Shown),
    /// What the user is asked, where no editor shows it.
    Prompt(String),
    /// The user has answered, and so ended the line of the prompt.
    Answered,
}

/// Where it goes.
pub enum Output {
    /// Above the line that is being edited.
    Editor(Box<dyn ExternalPrinter + Send>),
    /// All to stdout.
    Conversation {
        /// Prompts are lines: nobody types behind them.
        prompts_are_lines: bool,
    },
    /// Messages to stdout, everything else to stderr.
    Script {
        /// Messages as JSON objects.
        json: bool,
    },
}

/// So much text is written at once.
const AT_ONCE: usize = 64 * 1024;

/// Prints until all senders are gone.
pub(super) fn print(mut output: Output, style: Style, items: &Receiver<Item>) {
    let mut text = Texts::default();
    while let Some(item) = items.next() {
        text.add(&item, &output, style);
        while text.messages.len() + text.others.len() < AT_ONCE
            && let Some(item) = items.take()
        {
            text.add(&item, &output, style);
        }
        text.ask();
        text.write(&mut output);
    }
    text.leave_prompt();
    text.write(&mut output);
}

#[derive(Default)]
struct Texts {
    messages: String,
    others: String,
    /// The prompt that the user sees, or will see again below what is printed now.
    prompt: Option<String>,
    /// The cursor stands behind the prompt.
    is_behind: bool,
}

impl Texts {
    /// What is printed now does not belong behind the prompt.
    fn leave_prompt(&mut self) {
        if std::mem::take(&mut self.is_behind) {
            self.messages.push('\n');
        }
    }

    fn ask(&mut self) {
        if let Some(prompt) = &self.prompt
            && !std::mem::replace(&mut self.is_behind, true)
        {
            self.messages.push_str(prompt);
        }
    }

    fn add(&mut self, item: &Item, output: &Output, style: Style) {
        match (item, output) {
            (Item::Prompt(prompt), Output::Conversation { prompts_are_lines: true }) => {
                self.messages.push_str(prompt);
                self.messages.push('\n');
            }
            (Item::Prompt(prompt), Output::Conversation { .. }) => {
                self.leave_prompt();
                self.prompt = Some(prompt.clone());
            }
            (Item::Answered, _) => {
                self.prompt = None;
                self.is_behind = false;
            }
            (Item::Prompt(_), _) => {}
            (Item::Shown(shown @ Shown::Message { .. }), Output::Script { json: true }) => {
                terminal::json(shown, &mut self.messages);
            }
            (Item::Shown(shown @ (Shown::Line(_) | Shown::Own { .. })), Output::Script { .. }) => {
                style.text(shown, &mut self.others);
            }
            (Item::Shown(shown), _) => {
                self.leave_prompt();
                style.text(shown, &mut self.messages);
            }
        }
    }

    /// A terminal that is gone is no reason to end: the history is still written. But when nobody reads what a script
    /// prints any more (`udp-chat listen | head -1`), it has done its work.
    fn write(&mut self, output: &mut Output) {
        if !self.messages.is_empty() {
            match output {
                Output::Editor(printer) => {
                    let _ = printer.print(std::mem::take(&mut self.messages));
                }
                Output::Conversation { .. } | Output::Script { .. } => {
                    let mut stdout = io::stdout().lock();
                    let written = stdout.write_all(self.messages.as_bytes()).and_then(|()| stdout.flush());
                    let unread = written.is_err_and(|e| e.kind() == io::ErrorKind::BrokenPipe);
                    if unread && matches!(output, Output::Script { .. }) {
                        signals::request_stop();
                        signals::wake_poller();
                    }
                }
            }
            self.messages.clear();
        }
        if !self.others.is_empty() {
            let _ = io::stderr().write_all(self.others.as_bytes());
            self.others.clear();
        }
    }
}

/// The main thread's end of the queue of lines.
pub(super) struct Screen {
    items: Sender<Item>,
    /// Wait for room: somebody reads every line.
    pub(super) waits: bool,
    /// How long.
    pub(super) patience: Patience,
    /// Not shown, and not yet said.
    gap: u64,
    /// Not shown in all.
    pub(super) not_shown: u64,
}

impl Screen {
    pub(super) fn new(items: Sender<Item>, waits: bool) -> Self {
        Self { items, waits, patience: Patience::default(), gap: 0, not_shown: 0 }
    }

    pub(super) fn show(&mut self, shown: Shown) {
        self.item(Item::Shown(shown));
    }

    pub(super) fn prompt(&mut self, prompt: String) {
        self.item(Item::Prompt(prompt));
    }

    pub(super) fn answered(&mut self) {
        self.item(Item::Answered);
    }

    fn item(&mut self, item: Item) {
        if self.waits {
            if !self.patience.put(&self.items, item) {
                self.not_shown += 1;
            }
            return;
        }
        if self.gap > 0 {
            let said = format!(
                "! {} lines were not shown, this terminal was too slow (/history has the messages)",
                self.gap
            );
            match self.items.offer(Item::Shown(Shown::Line(said))) {
                Ok(()) => self.gap = 0,
                Err(_) => return self.miss(),
            }
        }
        if let Err(Refused::Full(_)) = self.items.offer(item) {
            self.miss();
        }
    }

    fn miss(&mut self) {
        self.gap += 1;
        self.not_shown += 1;
    }

    /// For a thread that has something to say once in a while, and must not wait for the terminal: `false` if there was no
    /// room for it.
    pub(super) fn teller(&self) -> impl Fn(&str) -> bool + Send + 'static + use<> {
        let items = self.items.clone();
        move |text| items.offer(Item::Shown(Shown::Line(text.to_owned()))).is_ok()
    }

    /// For a thread that shows many lines: it waits for room. `false`: nobody will see this line or any after it.
    pub(super) fn lines(&self) -> impl FnMut(String) -> bool + Send + 'static + use<> {
        let items = self.items.clone();
        let mut patience = Patience::default();
        move |text| patience.put(&items, Item::Shown(Shown::Line(text)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is written for each batch of items.
    fn written(batches: &[&[Item]]) -> String {
        let output = Output::Conversation { prompts_are_lines: false };
        let style = Style { colour: false, most_lines: usize::MAX };
        let mut texts = Texts::default();
        let mut all = String::new();
        for batch in batches {
            batch.iter().for_each(|item| texts.add(item, &output, style));
            texts.ask();
            all.push_str(&std::mem::take(&mut texts.messages));
            all.push('|');
        }
        texts.leave_prompt();
        all + &texts.messages
    }

    fn line(text: &str) -> Item {
        Item::Shown(Shown::Line(text.into()))
    }

    fn prompt() -> Item {
        Item::Prompt("to bob> ".into())
    }

    #[test]
    fn a_prompt_stands_below_what_comes() {
        assert_eq!(written(&[&[prompt()], &[line("hi")]]), "to bob> |\nhi\nto bob> |\n");
        assert_eq!(written(&[&[prompt(), line("hi"), line("you")]]), "hi\nyou\nto bob> |\n");
        // the user pressed Enter: the cursor is on a line of its own
        let answered = [Item::Answered, line("! what?"), prompt()];
        assert_eq!(written(&[&[prompt()], &answered, &[Item::Answered]]), "to bob> |! what?\nto bob> ||");
    }
}

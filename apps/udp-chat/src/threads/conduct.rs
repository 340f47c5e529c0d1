//! The main thread: starts the others, takes events one by one, asks the chat, does what it says; and ends all in order.

use std::net::UdpSocket;
use std::process::id;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use common::exit::Failure;
use common::fifo::{self, Next, Receiver, Sender};
use common::signals;

use super::input::{self, Source};
use super::looker::Looker;
use super::printer::{self, Output, Screen};
use super::{EVENTS, Event, LINES, receiver};
use crate::chat::{Chat, Effect, Facts, Now, Role, Saved, SendFailed, Settings, Shown};
use crate::history::{self, Finished, History, Record, What};
use crate::terminal::{Style, Terminal};
use crate::{interfaces, socket};

/// What a run needs.
pub struct Setup {
    /// The one socket.
    pub socket: UdpSocket,
    /// What the user chose.
    pub settings: Settings,
    /// The first recipient.
    pub to: Option<String>,
    /// Where the history goes; `None`: nowhere.
    pub history: Option<history::Settings>,
    /// Without the history there is no run.
    pub history_is_must: bool,
    /// Where lines come from.
    pub source: Source,
    /// Where lines go.
    pub output: Output,
    /// How they look.
    pub style: Style,
}

/// Runs a chat to its end; gives the exit code.
///
/// # Errors
/// It could not start, or something was lost at the end.
pub fn run(setup: Setup) -> Result<u8, Failure> {
    let terminal = Terminal::remember();
    let socket = Arc::new(setup.socket);
    let role = setup.settings.role;
    let address = socket.local_addr().map_err(Failure::failed)?;
    let (lines_in, lines_out) = fifo::bounded(LINES);
    let (events_in, events_out) = fifo::bounded(EVENTS);
    let (prompts_in, prompts_out) = fifo::bounded(1);

    let mut screen = Screen::new(lines_in, role != Role::Chat);
    if !matches!(role, Role::Send { .. }) {
        let ready = common::ready::Ready { address, about: "udp-chat".into(), pid: id() };
        screen.show(Shown::Line(ready.to_string()));
    }
    let Opened { history, missing } = open_history(setup.history, setup.history_is_must, &mut screen, role)?;
    let (output, style) = (setup.output, setup.style);
    let printer = spawn("printer", move || printer::print(output, style, &lines_out))?;
    let ending = Arc::new(AtomicBool::new(false));
    let (shared, end, events) = (Arc::clone(&socket), Arc::clone(&ending), events_in.clone());
    let receiver = spawn("receiver", move || receiver::receive(&shared, &end, &events))?;
    let source = setup.source;
    spawn("input", move || input::read(source, &prompts_out, &events_in))?;

    let looker = Looker::new(history.as_ref().map(|(history, file)| (file.path.clone(), history.flusher())));
    let mut conductor = Conductor {
        chat: Chat::new(setup.settings),
        effects: Vec::new(),
        started: Instant::now(),
        socket,
        history,
        missing: missing.map(|why| Finished { lost: 0, error: Some(why) }),
        screen,
        looker,
        code: None,
    };
    conductor.begin(setup.to.as_deref())?;
    let failed = conductor.until_quit(&events_out, &prompts_in);
    drop(prompts_in);
    ending.store(true, Ordering::SeqCst);
    signals::wake_poller();
    let outcome = conductor.end(&events_out, receiver, printer, failed);
    // the last step: nothing that can be lost waits for the terminal
    terminal.restore();
    outcome
}

fn spawn(name: &str, work: impl FnOnce() + Send + 'static) -> Result<JoinHandle<()>, Failure> {
    thread::Builder::new()
        .name(name.into())
        .spawn(work)
        .map_err(|e| Failure::failed(format!("cannot start the {name} thread: {e}")))
}

/// The history, and why there is none although there should be.
struct Opened {
    history: Option<(History, history::Settings)>,
    missing: Option<String>,
}

fn open_history(
    settings: Option<history::Settings>,
    is_must: bool,
    screen: &mut Screen,
    role: Role,
) -> Result<Opened, Failure> {
    let Some(settings) = settings else {
        if role == Role::Chat {
            screen.show(Shown::Line("history: none".into()));
        }
        return Ok(Opened { history: None, missing: None });
    };
    match history::start(&settings, screen.teller()) {
        Ok(history) => {
            if !matches!(role, Role::Send { .. }) {
                screen.show(Shown::Line(format!("history: {}", settings.path.display())));
            }
            Ok(Opened { history: Some((history, settings)), missing: None })
        }
        Err(e) => {
            let why = format!("cannot open {}: {}", settings.path.display(), history::why(&e));
            if is_must {
                return Err(Failure::failed(format!(
                    "history: {why}: choose another --history PATH, or --no-history"
                )));
            }
            screen.show(Shown::Line(format!(
                "! history: {why}: nothing will be saved (--history PATH chooses another file)"
            )));
            Ok(Opened { history: None, missing: Some(why) })
        }
    }
}

pub(super) struct Conductor {
    pub(super) chat: Chat,
    pub(super) effects: Vec<Effect>,
    started: Instant,
    socket: Arc<UdpSocket>,
    pub(super) history: Option<(History, history::Settings)>,
    /// Instead of a history that could not be opened: what it would have kept is lost.
    pub(super) missing: Option<Finished>,
    pub(super) screen: Screen,
    pub(super) looker: Looker,
    pub(super) code: Option<u8>,
}

impl Conductor {
    pub(super) fn now(&self) -> Now {
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Now { since_start: self.started.elapsed(), wall: u64::try_from(wall.as_millis()).unwrap_or(u64::MAX) }
    }

    fn begin(&mut self, to: Option<&str>) -> Result<(), Failure> {
        let now = self.now();
        self.chat
            .start(now, to, &mut self.effects)
            .map_err(|wrong| Failure::usage(format!("--to: {wrong}")))?;
        self.perform(now);
        Ok(())
    }

    /// Takes events until the chat ends. Gives what failed, if the end is a failure.
    fn until_quit(&mut self, events: &Receiver<Event>, prompts: &Sender<String>) -> Option<String> {
        self.ask(prompts);
        while self.code.is_none() {
            let deadline = self.chat.deadline().map(|after| self.started + after);
            let event = match next(events, deadline) {
                Next::Item(event) => Some(event),
                Next::Late => None,
                Next::End => return Some("all threads have ended".into()),
            };
            let was_line = matches!(event, Some(Event::Line(_) | Event::Rest(_)));
            if was_line {
                self.screen.answered();
            }
            if let Some(Event::ReceiverDone(Some(failed))) = event {
                return Some(failed);
            }
            self.handle(event);
            if was_line && self.code.is_none() {
                self.ask(prompts);
            }
        }
        None
    }

    /// Lets the input thread read the next line.
    fn ask(&mut self, prompts: &Sender<String>) {
        let prompt = self.chat.prompt();
        if let Some(prompt) = &prompt {
            self.screen.prompt(prompt.clone());
        }
        let _ = prompts.put(prompt.unwrap_or_default());
    }

    /// `None`: a deadline of the chat has passed.
    pub(super) fn handle(&mut self, event: Option<Event>) {
        let now = self.now();
        // kept even if the chat has no end any more: it is over then
        if let Some(end) = self.chat.ends_at() {
            self.screen.patience.until = Some(self.started + end);
        }
        match event {
            None => self.chat.late(now, &mut self.effects),
            Some(Event::Came(batch)) => {
                if let Some(total) = batch.dropped {
                    self.chat.dropped(now, total, &mut self.effects);
                }
                for (from, bytes) in batch.datagrams() {
                    self.chat.datagram(now, from, bytes, &mut self.effects);
                }
            }
            Some(Event::Back(returned)) => {
                for back in returned {
                    self.chat.refused(back.to, &back.piece, &back.why, &mut self.effects);
                }
            }
            Some(Event::Line(line)) => self.chat.line(now, &line, &mut self.effects),
            Some(Event::Rest(rest)) => self.chat.rest(now, &rest, &mut self.effects),
            Some(Event::EndOfInput) => self.chat.end_of_input(now, &mut self.effects),
            Some(Event::Stop) => self.chat.stop(now, &mut self.effects),
            Some(Event::ReceiverDone(_)) => {}
        }
        self.perform(now);
    }

    /// Does what the chat says, in its order.
    pub(super) fn perform(&mut self, now: Now) {
        let mut effects = std::mem::take(&mut self.effects);
        for effect in effects.drain(..) {
            match effect {
                Effect::Send { ticket, to, pieces } => {
                    let outcome = send(&self.socket, to, &pieces);
                    self.chat.sent(now, ticket, outcome, &mut self.effects);
                    // what it says about this message comes before the next one
                    self.perform(now);
                }
                Effect::Show(shown) => self.screen.show(shown),
                Effect::Save(saved) => {
                    if let Some((history, _)) = &mut self.history {
                        history.save(record(now, saved));
                    } else if let Some(missing) = &mut self.missing {
                        missing.lost += 1;
                    }
                }
                Effect::Look(look) => {
                    if let Err(wrong) = self.looker.look(look, self.screen.lines()) {
                        self.screen.show(Shown::Line(format!("! {wrong}")));
                    }
                }
                Effect::AskFacts => {
                    self.ask_drops(now);
                    let facts = self.facts();
                    self.chat.facts(&facts, &mut self.effects);
                    self.perform(now);
                }
                Effect::Quit(code) => {
                    let _ = self.code.get_or_insert(code);
                }
            }
        }
        // keep the allocation for the next time
        if self.effects.is_empty() {
            self.effects = effects;
        }
    }

    /// Tells the chat what the kernel has dropped up to this moment.
    pub(super) fn ask_drops(&mut self, now: Now) {
        if let Some(total) = socket::dropped(&self.socket) {
            self.chat.dropped(now, total, &mut self.effects);
        }
    }

    fn facts(&self) -> Facts {
        let (place, queue, unsaved) = match &self.history {
            Some((history, settings)) => {
                (settings.path.display().to_string(), (history.depth(), settings.capacity), history.unsaved())
            }
            None => ("none".into(), (0, 0), self.missing.as_ref().map_or(0, |missing| missing.lost)),
        };
        Facts {
            own: socket::own_addresses(&self.socket).into_iter().map(interfaces::with_name).collect(),
            history: place,
            queue,
            unsaved,
            not_shown: self.screen.not_shown,
        }
    }
}

/// The next event; but a deadline that has passed comes first, however many events wait.
fn next(events: &Receiver<Event>, deadline: Option<Instant>) -> Next<Event> {
    if deadline.is_some_and(|deadline| deadline <= Instant::now()) {
        return Next::Late;
    }
    events.next_before(deadline)
}

fn send(socket: &UdpSocket, to: std::net::SocketAddr, pieces: &[Vec<u8>]) -> Result<(), SendFailed> {
    for (pieces_sent, piece) in pieces.iter().enumerate() {
        socket::send(socket, to, piece).map_err(|e| SendFailed {
            why: interfaces::cannot_send(&e, to, socket.local_addr().ok()),
            pieces_sent,
        })?;
    }
    Ok(())
}

fn record(now: Now, saved: Saved) -> Record {
    let what = match saved {
        Saved::Sent(to, text) => What::Sent(to, text.into_bytes()),
        Saved::Received(from, text) => What::Received(from, text),
        Saved::Note(note) => What::Note(note),
    };
    Record { time: now.wall, what }
}

//! Steps 2 to 4 of the order in which all ends, and what the run was worth.

use std::io::stderr;
use std::os::fd::AsFd;
use std::thread::JoinHandle;

use common::exit::{FAILED, Failure};
use common::fifo::Receiver;
use common::units::plural;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use super::Event;
use super::conduct::Conductor;
use crate::history::Finished;

impl Conductor {
    /// The receiver first, then the history, then whatever writes on the terminal: that one may stand still.
    pub(super) fn end(
        mut self,
        events: &Receiver<Event>,
        receiver: JoinHandle<()>,
        printer: JoinHandle<()>,
        mut failed: Option<String>,
    ) -> Result<u8, Failure> {
        while failed.is_none() {
            match events.next() {
                Some(Event::ReceiverDone(why)) => {
                    failed = why;
                    break;
                }
                Some(event @ (Event::Came(_) | Event::Back(_))) => self.handle(Some(event)),
                Some(Event::Line(_) | Event::Rest(_) | Event::EndOfInput | Event::Stop) => {}
                None => break,
            }
        }
        let _ = receiver.join();
        let now = self.now();
        self.ask_drops(now);
        self.chat.end(now, &mut self.effects);
        self.perform(now);

        let saved = match self.history.take() {
            Some((history, _)) => Some(history.finish()),
            // told at the start, and no loss if there was nothing to save
            None => self.missing.take().filter(|missing| missing.lost > 0),
        };
        let mut patience = std::mem::take(&mut self.screen.patience);
        self.looker.finish(&mut patience);
        let (is_read, not_shown) = (self.screen.waits, self.screen.not_shown);
        drop(self.screen);
        if !is_read {
            patience.hurry();
        }
        let printed = patience.join(printer);

        let unread = is_read && (!printed || not_shown > 0);
        let outcome = worth(failed, saved, unread).map_or(Ok(self.code.unwrap_or_default()), Err);
        match outcome {
            // where no line could be printed, this one would be waited for as well
            Err(failure) if !printed && !stderr_takes_more() => Ok(failure.code),
            outcome => outcome,
        }
    }
}

/// What was lost, if anything was.
fn worth(failed: Option<String>, saved: Option<Finished>, unread: bool) -> Option<Failure> {
    if let Some(why) = failed {
        return Some(Failure::failed(why));
    }
    match saved {
        Some(Finished { lost, error }) if lost > 0 => {
            let why = error.as_deref().unwrap_or("the disk was too slow for the queue (--queue-capacity)");
            let message = format!("{} could not be saved: {why}", plural(lost, "record"));
            Some(Failure { message, code: FAILED })
        }
        Some(Finished { error: Some(error), .. }) => Some(Failure::failed(format!("history: {error}"))),
        _ if unread => Some(Failure::failed("not all could be shown: nobody read it (the history has it)")),
        _ => None,
    }
}

fn stderr_takes_more() -> bool {
    let stderr = stderr();
    let mut asked = [PollFd::new(stderr.as_fd(), PollFlags::POLLOUT)];
    matches!(poll(&mut asked, PollTimeout::ZERO), Ok(1..))
}

//! Looks into the history, for `/history` and `/search`: a thread that is there only once somebody has asked, because a
//! gigabyte takes seconds and the chat must go on meanwhile.
//!
//! The file is read, not the queue in front of it: so first the saver is asked, through that same queue, to have written
//! all that was said before the question.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use common::fifo::{self, Sender};
use common::units::plural;

use super::patience::Patience;
use crate::chat::Look;
use crate::history::Flusher;
use crate::history::read::{self, Query, Who};

/// So many questions may wait.
const QUESTIONS: usize = 8;
/// The saver is waited for so long.
const FLUSH: Duration = Duration::from_secs(1);
/// `/search` shows so many records, the last ones.
const FOUND: usize = 100;
/// So many bytes of a record are shown.
const SHOWN: usize = 4096;

/// The main thread's side of it.
pub(super) struct Looker {
    file: Option<(PathBuf, Flusher)>,
    thread: Option<(Sender<Look>, JoinHandle<()>)>,
}

impl Looker {
    /// Without a history, each question is answered by that.
    pub(super) fn new(file: Option<(PathBuf, Flusher)>) -> Self {
        Self { file, thread: None }
    }

    /// Asks; the answer goes to `show`, line by line.
    ///
    /// # Errors
    /// One line for the user.
    pub(super) fn look(
        &mut self,
        look: Look,
        mut show: impl FnMut(String) -> bool + Send + 'static,
    ) -> Result<(), String> {
        let Some((path, flusher)) = &self.file else {
            return Err("there is no history in this chat".into());
        };
        if self.thread.is_none() {
            let (ask, questions) = fifo::bounded::<Look>(QUESTIONS);
            let (path, flusher) = (path.clone(), flusher.clone());
            let work = move || {
                while let Some(look) = questions.next() {
                    // a full disk is no reason to show nothing
                    let _ = flusher.wait(FLUSH);
                    if answer(&look, &path, &mut show).is_break() {
                        return;
                    }
                }
            };
            let thread = thread::Builder::new().name("looker".into()).spawn(work);
            self.thread = Some((ask, thread.map_err(|e| format!("cannot look into the history: {e}"))?));
        }
        match &self.thread {
            Some((ask, _)) if ask.offer(look).is_err() => Err("still looking: ask again later".into()),
            _ => Ok(()),
        }
    }

    /// Waits for the answers that are still to come; after a stop request, not for ever: nobody may read them, and a
    /// gigabyte takes its time.
    pub(super) fn finish(self, patience: &mut Patience) {
        if let Some((ask, thread)) = self.thread {
            drop(ask);
            patience.join(thread);
        }
    }
}

/// `Break`: nobody reads the answers any more.
fn answer(look: &Look, path: &Path, show: &mut impl FnMut(String) -> bool) -> ControlFlow<()> {
    let mut tell = |line: String| if show(line) { ControlFlow::Continue(()) } else { ControlFlow::Break(()) };
    let (most, query) = match look {
        Look::Where => return tell(format!("history: {}", path.display())),
        Look::Last(most, peer) => {
            let who = peer.map(|(ip, port)| Who { ip, port });
            (*most, Query { peer: who, ..Query::default() })
        }
        Look::Search(text) => (FOUND, Query { text: Some(text.clone()), ..Query::default() }),
    };
    let mut found = 0;
    let mut unread = ControlFlow::Continue(());
    // line by line: ten thousand long records would be gigabytes
    let outcome = read::last(path, most, &query, |line| {
        found += 1;
        unread = tell(shortened(line));
        unread
    });
    unread?;
    match outcome {
        Ok(()) if found == 0 => tell("nothing was found".into()),
        Ok(()) if found == most && matches!(look, Look::Search(_)) => {
            tell(format!("these are the last {most} that were found"))
        }
        Ok(()) => ControlFlow::Continue(()),
        Err(e) => tell(format!("! cannot read {}: {e}", path.display())),
    }
}

/// A thousand lines may wait for the terminal, so none of them may be as long as a record can be.
fn shortened(mut line: String) -> String {
    let more = line.len() - line.floor_char_boundary(SHOWN);
    if more > 0 {
        line.truncate(line.floor_char_boundary(SHOWN));
        line.push_str(&format!(" ... {} more (udp-chat log)", plural(more as u64, "byte")));
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_record_is_shortened_and_says_so() {
        assert_eq!(shortened("short".into()), "short");
        let line = shortened(format!("x{}", "\u{e4}".repeat(SHOWN)));
        assert!(line.len() < SHOWN + 100);
        assert!(line.ends_with(" ... 4,098 bytes more (udp-chat log)"), "{}", &line[SHOWN - 1..]);
    }
}

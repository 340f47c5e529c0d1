//! Looks into the history, for `/history` and `/search`: a thread that is there only once somebody has asked, because a
//! gigabyte takes seconds and the chat must go on meanwhile.
//!
//! The file is read, not the queue in front of it: so first the saver is asked, through that same queue, to have written
//! all that was said before the question.

use std::path::{Path, PathBuf};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use common::fifo::{self, Sender};

use crate::chat::Look;
use crate::history::Flusher;
use crate::history::read::{self, Query, Who};

/// So many questions may wait.
const QUESTIONS: usize = 8;
/// The saver is waited for so long.
const FLUSH: Duration = Duration::from_secs(1);
/// `/search` shows so many records, the last ones.
const FOUND: usize = 100;

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
    pub(super) fn look(&mut self, look: Look, show: impl Fn(String) + Send + 'static) -> Result<(), String> {
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
                    answer(&look, &path, &show);
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

    /// Waits for the answers that are still to come.
    pub(super) fn finish(self) {
        if let Some((ask, thread)) = self.thread {
            drop(ask);
            let _ = thread.join();
        }
    }
}

fn answer(look: &Look, path: &Path, show: &impl Fn(String)) {
    let (most, query) = match look {
        Look::Where => return show(format!("history: {}", path.display())),
        Look::Last(most, peer) => {
            let who = peer.map(|address| Who { ip: address.ip(), port: Some(address.port()) });
            (*most, Query { peer: who, ..Query::default() })
        }
        Look::Search(text) => (FOUND, Query { text: Some(text.clone()), ..Query::default() }),
    };
    match read::last(path, most, &query) {
        Ok(lines) if lines.is_empty() => show("nothing was found".into()),
        Ok(lines) => {
            if lines.len() == most && matches!(look, Look::Search(_)) {
                show(format!("the last {most} that were found:"));
            }
            lines.into_iter().for_each(show);
        }
        Err(e) => show(format!("! cannot read {}: {e}", path.display())),
    }
}

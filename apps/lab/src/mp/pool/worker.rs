//! A worker: takes tasks until there will be no more.

use std::any::Any;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::Ordering;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::error::Failed;
use super::pack::{COMPLETE, FAILED, MORE, Packer, Unpacked};
use super::shared::{FOR_RESULTS, FOR_ROOM, Shared};
use crate::mp::Wait;
use crate::mp::channel::{Nothing, Refused};

/// Of a panic's message, so many bytes are told.
const MESSAGE_MAX: usize = 1000;

/// Works in this place until the queue has ended, at most for so many messages.
pub(super) fn work<T: DeserializeOwned, R: Serialize>(
    shared: &Shared,
    place: usize,
    handler: &impl Fn(T) -> R,
    messages_max: Option<u64>,
) -> io::Result<()> {
    // a panic is told to whoever waits for the result
    std::panic::set_hook(Box::new(|_| ()));
    let note = shared.note(place);
    let mut message = Vec::new();
    let mut results = Packer::new();
    let mut left = messages_max.unwrap_or(u64::MAX);
    while left > 0 {
        // The number is noted while the task is still in the queue. So one that is gone from there stands in a note, or its result is
        // on its way: none can be lost unseen.
        let taken = shared.tasks.get(&mut message, Wait::Forever, |number| {
            note.store(u64::from(number) + 1, Ordering::SeqCst);
        });
        match taken {
            Ok(()) => {}
            Err(Nothing::Empty) => continue,
            Err(Nothing::Ended) => break,
            Err(Nothing::Broken(e)) => return Err(e),
        }
        shared.did(FOR_ROOM);
        let number = note.load(Ordering::SeqCst).wrapping_sub(1) as u32;
        let done = catch_unwind(AssertUnwindSafe(|| run(shared, number, &message, handler, &mut results)));
        let failed = match done {
            Ok(Ok(())) => None,
            Ok(Err(Stopped::Broken(e))) => return Err(e),
            Ok(Err(Stopped::Failed(failed))) => Some(failed),
            Err(payload) => Some(Failed::Panicked(told(&*payload))),
        };
        if let Some(failed) = failed {
            results.clear();
            let _ = results.push(&failed);
            put(shared, &mut results, number, FAILED)?;
        }
        note.store(0, Ordering::SeqCst);
        left -= 1;
    }
    Ok(())
}

/// Why a message's tasks were not all done.
enum Stopped {
    Failed(Failed),
    Broken(io::Error),
}

impl From<postcard::Error> for Stopped {
    fn from(error: postcard::Error) -> Self {
        Self::Failed(Failed::Unreadable(error.to_string()))
    }
}

impl From<io::Error> for Stopped {
    fn from(error: io::Error) -> Self {
        Self::Broken(error)
    }
}

/// Runs the tasks of a message and puts their results: in one message, if they fit.
fn run<T: DeserializeOwned, R: Serialize>(
    shared: &Shared,
    number: u32,
    message: &[u8],
    handler: &impl Fn(T) -> R,
    results: &mut Packer,
) -> Result<(), Stopped> {
    results.clear();
    let most = shared.results.longest();
    let piece = most / super::PIECES;
    let short = || Stopped::Failed(Failed::Unreadable("a message without a header".to_owned()));
    for task in Unpacked::new(message).ok_or_else(short)?.values() {
        let before = results.len();
        results.push(&handler(task?))?;
        if results.len() > piece && results.count() > 1 {
            let last = results.split_last(before);
            put(shared, results, number, MORE)?;
            results.restart_with(&last);
        }
        if results.len() > most {
            return Err(Stopped::Failed(Failed::TooLarge { bytes: results.len(), most }));
        }
    }
    Ok(put(shared, results, number, COMPLETE)?)
}

/// Puts what there is; waits while the parent has not collected what was put before.
fn put(shared: &Shared, results: &mut Packer, number: u32, status: u32) -> io::Result<()> {
    match shared.results.put(results.message(number, status), Wait::Forever) {
        Ok(_) => {
            shared.did(FOR_RESULTS);
            Ok(())
        }
        Err(Refused::Broken(e)) => Err(e),
        Err(refused) => Err(io::Error::other(format!("a result cannot be put: {refused:?}"))),
    }
}

/// What a panic said.
fn told(payload: &(dyn Any + Send)) -> String {
    let text = payload.downcast_ref::<&str>().copied();
    let text =
        text.or_else(|| payload.downcast_ref::<String>().map(String::as_str)).unwrap_or("(no message)");
    text[..text.floor_char_boundary(MESSAGE_MAX)].to_owned()
}

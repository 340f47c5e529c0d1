//! Threads plus a queue: four threads, no lock.
//!
//! ```text
//!   socket ──► receiver ──┐                           ┌──► socket
//!                         ├─ events ─► chat + sender ─┼─ lines ───► printer ──► terminal
//! keyboard ──►  input  ───┘   (FIFO)   (main thread)  └─ records ─► saver ────► file
//!                                                        (FIFO each)
//! ```
//!
//! **Who owns what.** The *receiver* reads the socket and nothing else; the *input* thread owns the keyboard; the *main*
//! thread owns the [`Chat`](crate::chat::Chat), that is, all state, and it alone sends; the *printer* owns the terminal;
//! the *saver* owns the file. The one socket is shared by the receiver and the sender: the kernel takes and gives
//! whole datagrams, so two threads may use it at once.
//!
//! **Why nothing is locked.** Whatever two threads need goes from one to the other through a bounded FIFO queue: who puts an
//! item in does not own it any more. At no time can two threads touch the same thing, so there is nothing to lock and
//! nothing to forget.
//!
//! **What happens when a queue is full.** That is the producer's decision, and each one differs:
//! - *events*: the receiver waits. What comes meanwhile waits in the kernel's buffer, and when that is full the kernel
//!   drops and counts (`/status` shows it). The input waits as well: a script cannot be faster than the chat.
//! - *records*: the main thread never waits for a disk. What does not fit is counted, and the count itself becomes a
//!   record: `# gap: N messages not saved`.
//! - *lines*: a terminal that stands still (Ctrl-S) does not stop the chat either; what was not shown is counted and
//!   said. In `listen` and `send`, where another program reads them, the main thread waits instead, but not beyond
//!   `--timeout` or a stop request.
//!
//! **How it ends** (a command, the end of the input, SIGTERM, SIGINT or SIGHUP; always in this order):
//! 1. the input is cut off: its lines are not taken any more;
//! 2. the receiver is woken, takes what the kernel still holds, says that it is done and ends; the events before that are
//!    handled, so whatever was taken from the kernel is shown and saved;
//! 3. the saver drains its queue, syncs and ends;
//! 4. the printer prints what is left and ends, and the terminal becomes as it was before. A terminal may stand still, so
//!    after a stop request this step has a limit, and nothing comes after it.
//!
//! A fifth thread, the *looker*, is made when somebody first asks for the history, and ends at the beginning of step 4.
//!
//! The input thread may be waiting in a read that nothing can interrupt; it holds nothing that could be lost and ends with
//! the process.

mod conduct;
mod ending;
mod input;
mod looker;
mod patience;
mod printer;
mod receiver;

pub use conduct::{Setup, run};
pub use input::Source;
pub use printer::Output;

use crate::socket::{Batch, Returned};

/// So many events may wait. One holds at most a batch of datagrams.
const EVENTS: usize = 16;
/// So many lines may wait.
const LINES: usize = 1024;

/// What the main thread is told.
enum Event {
    /// Datagrams came.
    Came(Batch),
    /// Datagrams of ours came back.
    Back(Vec<Returned>),
    /// A line was typed.
    Line(String),
    /// The last line was too long for one: this is more of it.
    Rest(String),
    /// No more lines.
    EndOfInput,
    /// A stop signal.
    Stop,
    /// The receiver has ended: the last event of it.
    ReceiverDone(Option<String>),
}

//! Faults on order (`--faults`): how a model breaks, shown on purpose.
//!
//! A connection whose first bytes are `!panic`, `!abort`, `!segv`, `!exit`, `!hang` or `!leak` and a newline makes its own
//! handler do so. What it takes with it is the model's answer: a thread that aborts takes the whole server, a process only
//! itself. Off by default and refused unless the server listens on loopback.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// What a handler is ordered to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Unwind: the bug that a program notices itself.
    Panic,
    /// SIGABRT: the bug that a program notices, and does not survive.
    Abort,
    /// A real memory fault.
    Segv,
    /// The handler's process leaves with exit code 70 without a word.
    Exit,
    /// The handler never comes back, whatever happens.
    Hang,
    /// The handler keeps 16 MiB that nobody will ever give back, and goes on.
    Leak,
}

/// What one `!leak` takes.
const LEAK: usize = 16 << 20;
/// So many of them a process obeys; later ones are echoed and change nothing.
const LEAKS_MAX: usize = 32;
static LEAKS: AtomicUsize = AtomicUsize::new(0);

const ORDERS: [(&[u8], Fault); 6] = [
    (b"!panic\n", Fault::Panic),
    (b"!abort\n", Fault::Abort),
    (b"!exit\n", Fault::Exit),
    (b"!hang\n", Fault::Hang),
    (b"!segv\n", Fault::Segv),
    (b"!leak\n", Fault::Leak),
];

/// Watches the first bytes of one connection for an order, in whatever pieces they come.
#[derive(Debug)]
pub struct Watch {
    /// Which orders the bytes so far may still become, a bit each; 0: none.
    possible: u8,
    seen: u8,
}

impl Watch {
    /// Watches only if `on`.
    #[must_use]
    pub fn new(on: bool) -> Self {
        Self { possible: if on { (1 << ORDERS.len()) - 1 } else { 0 }, seen: 0 }
    }

    /// The connection's next bytes; the order, once it is complete.
    #[inline(always)]
    pub fn observe(&mut self, bytes: &[u8]) -> Option<Fault> {
        if self.possible == 0 { None } else { self.compare(bytes) }
    }

    fn compare(&mut self, bytes: &[u8]) -> Option<Fault> {
        for &byte in bytes {
            if self.possible == 0 {
                return None;
            }
            for (i, (order, fault)) in ORDERS.iter().enumerate() {
                if self.possible & (1 << i) == 0 {
                    continue;
                }
                if order[usize::from(self.seen)] != byte {
                    self.possible &= !(1 << i);
                } else if usize::from(self.seen) + 1 == order.len() {
                    self.possible = 0;
                    return Some(*fault);
                }
            }
            self.seen += 1;
        }
        None
    }
}

impl Fault {
    /// Does it, in the calling thread.
    #[expect(clippy::panic, reason = "this one is ordered")]
    pub fn commit(self) {
        match self {
            Self::Panic => panic!("a client ordered !panic"),
            Self::Abort => std::process::abort(),
            Self::Segv => crate::sys::exit::by_memory_fault(),
            Self::Leak => {
                if LEAKS.fetch_add(1, Ordering::Relaxed) < LEAKS_MAX {
                    // written to, so that it is really taken
                    Box::leak(vec![b'!'; LEAK].into_boxed_slice());
                }
            }
            Self::Exit => common::process::exit_at_once(70),
            Self::Hang => loop {
                std::thread::sleep(Duration::from_secs(3600));
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn an_order_counts_in_any_pieces_and_only_at_the_start(cuts in prop::collection::vec(1usize..4, 1..8), which in 0usize..6) {
            let (order, fault) = ORDERS[which];
            let feed = |bytes: &[u8], on: bool| {
                let (mut watch, mut rest, mut cuts) = (Watch::new(on), bytes, cuts.iter().cycle());
                let mut found = None;
                while !rest.is_empty() {
                    let (piece, tail) = rest.split_at(rest.len().min(*cuts.next().unwrap()));
                    found = found.or(watch.observe(piece));
                    rest = tail;
                }
                found
            };
            prop_assert_eq!(feed(order, true), Some(fault));
            prop_assert_eq!(feed(order, false), None);
            prop_assert_eq!(feed(&[b"x", order].concat(), true), None);
            prop_assert_eq!(feed(&order[..order.len() - 1], true), None);
        }
    }
}

//! Two accounts, each with its lock.

use std::sync::atomic::{AtomicI64, Ordering};

use common::exit::Failure;

use super::watched::{Held, Refused, Watched};

/// Each account holds so much at first.
pub(super) const BALANCE: i64 = 1000;

/// Two accounts and their locks. (The balances are atomics because in Rust what threads change must be; each change is a load
/// and a store, so that it is the locks that keep the sum right.)
pub(super) struct Bank {
    pub(super) locks: Watched,
    balances: [AtomicI64; 2],
}

impl Bank {
    pub(super) fn new() -> Result<Self, Failure> {
        Ok(Self { locks: Watched::new(2)?, balances: [AtomicI64::new(BALANCE), AtomicI64::new(BALANCE)] })
    }

    /// Both locks are held.
    pub(super) fn move_one(&self, from: usize, to: usize, _both: [&Held<'_>; 2]) {
        let change = |account: usize, by: i64| {
            let balance = self.balances[account].load(Ordering::Relaxed);
            self.balances[account].store(balance + by, Ordering::Relaxed);
        };
        change(from, -1);
        change(to, 1);
    }

    /// The order of the locks is that of their numbers, whichever way the money goes.
    pub(super) fn move_one_in_order(&self, me: usize, from: usize, to: usize) -> Result<(), Refused> {
        let low = self.locks.lock(me, from.min(to))?;
        let high = self.locks.lock(me, from.max(to))?;
        self.move_one(from, to, [&low, &high]);
        Ok(())
    }

    pub(super) fn balances(&self) -> [i64; 2] {
        [self.balances[0].load(Ordering::Relaxed), self.balances[1].load(Ordering::Relaxed)]
    }
}

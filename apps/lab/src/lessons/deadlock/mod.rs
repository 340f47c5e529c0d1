//! Two threads and two locks, each thread has what the other one wants; found by looking, and cured by an order.
//!
//! How it is found stands in `watched.rs`: whoever is about to wait looks at who waits for whom.

mod watched;

use std::sync::Barrier;
use std::sync::atomic::{AtomicI64, Ordering};

use common::exit::Failure;

use self::watched::{Held, Refused, Watched};
use crate::lesson::{Example, Lesson, Saw};
use crate::lessons::together::together;
use crate::stage::Stage;

/// What two threads do a thousand times without a deadlock when they agree on an order.
const ROUNDS: u64 = 1000;
const NAMES: [&str; 2] = ["thread 1", "thread 2"];
/// Each account holds so much at first.
const BALANCE: i64 = 1000;

pub(crate) const LESSON: Lesson = Lesson {
    name: "deadlock",
    title: "deadlocks: found, then cured",
    about: "Two threads move money between two accounts, in opposite directions, and each account has its lock. If each has locked \
            the account that it takes from and waits for the other one, both wait for ever.",
    look_for: "The circle: who holds what, and who waits for whom. It is found at the moment in which it closes. Then one gives up, \
               and both end. With an order for the locks the circle cannot close.",
    file: "apps/lab/src/lessons/deadlock/mod.rs",
    examples: &[
        Example {
            name: "detected",
            about: "two locks in opposite order: the circle is found, and one thread gives up",
            rows: &[31],
            run: detected,
        },
        Example {
            name: "ordered",
            about: "the same work, locks in the order of their numbers: 1,000 rounds without a deadlock",
            rows: &[31],
            run: ordered,
        },
    ],
};

fn detected(stage: &Stage) -> Result<Saw, Failure> {
    let (bank, both_hold_one) = (Bank::new()?, Barrier::new(2));
    let found = together(2, |me| {
        let (from, to) = (me, 1 - me);
        let first = bank.locks.lock(me, from);
        stage.says(NAMES[me], format!("I hold lock {from} and want lock {to}"));
        both_hold_one.wait();
        let first = first?;
        match bank.locks.lock(me, to) {
            Ok(second) => {
                bank.move_one(from, to, [&first, &second]);
                stage.says(NAMES[me], format!("I have both: 1 goes from account {from} to account {to}"));
                Ok(None)
            }
            Err(Refused::Deadlock(circle)) => {
                stage.says(NAMES[me], format!("deadlock: {circle}"));
                stage.says(
                    NAMES[me],
                    format!("I give up: lock {from} is free, and I wait for lock {to} with empty hands"),
                );
                drop(first);
                // (not for the other one first: it might be got again before the other thread has woken up)
                let second = bank.locks.lock(me, to)?;
                let first = bank.locks.lock(me, from)?;
                bank.move_one(from, to, [&first, &second]);
                stage.says(NAMES[me], format!("now I have both: 1 goes from account {from} to account {to}"));
                Ok(Some(circle))
            }
            Err(Refused::Failed(why)) => Err(why),
        }
    })?;
    let found: Vec<_> = found.into_iter().collect::<Result<_, Failure>>()?;
    let circles: Vec<_> = found.into_iter().flatten().collect();
    let what = match circles.as_slice() {
        [circle] => format!("A deadlock was there and was found: {circle}."),
        more => format!("{} deadlocks were found, and one was expected.", more.len()),
    };
    let balances = bank.balances();
    Ok(Saw::new()
        .fact("deadlocks", circles.len())
        .fact("circle", circles.first())
        .fact("balances", balances)
        .say(what)
        .say(format!(
            "Both threads ended, and the accounts hold {} and {}.",
            balances[0], balances[1]
        ))
        .note(
            "Whoever finds a circle gives its lock back, so the other one can go on. Without that look both would wait for ever, \
             and no busy CPU would show it.",
        )
        .shown(circles.len() == 1 && balances == [BALANCE; 2]))
}

fn ordered(stage: &Stage) -> Result<Saw, Failure> {
    let bank = Bank::new()?;
    let outcomes = together(2, |me| {
        let (mut done, mut deadlocks) = (0, 0);
        for _ in 0..ROUNDS {
            match bank.move_one_in_order(me, me, 1 - me) {
                Ok(()) => done += 1,
                Err(Refused::Deadlock(_)) => deadlocks += 1,
                Err(Refused::Failed(why)) => return Err(why),
            }
        }
        stage.says(NAMES[me], format!("{done} times 1 from account {me} to account {}", 1 - me));
        Ok((done, deadlocks))
    })?;
    let outcomes: Vec<(u64, u64)> = outcomes.into_iter().collect::<Result<_, Failure>>()?;
    let (done, deadlocks) = outcomes.iter().fold((0, 0), |sum, one| (sum.0 + one.0, sum.1 + one.1));
    let balances = bank.balances();
    Ok(Saw::new()
        .fact("transfers", done)
        .fact("deadlocks", deadlocks)
        .fact("balances", balances)
        .say(format!(
            "{done} transfers by two threads in opposite directions, {deadlocks} deadlocks; the accounts hold {} and {}.",
            balances[0], balances[1]
        ))
        .note(
            "Both lock account 0 first, so who holds lock 1 waits for nobody, and no circle can close: that is the whole cure.",
        )
        .shown(deadlocks == 0 && done == 2 * ROUNDS && balances == [BALANCE; 2]))
}

/// Two accounts and their locks. (The balances are atomics because in Rust what threads change must be; each change is a load
/// and a store, so that it is the locks that keep the sum right.)
struct Bank {
    locks: Watched,
    balances: [AtomicI64; 2],
}

impl Bank {
    fn new() -> Result<Self, Failure> {
        Ok(Self { locks: Watched::new(2)?, balances: [AtomicI64::new(BALANCE), AtomicI64::new(BALANCE)] })
    }

    /// Both locks are held.
    fn move_one(&self, from: usize, to: usize, _both: [&Held<'_>; 2]) {
        let change = |account: usize, by: i64| {
            let balance = self.balances[account].load(Ordering::Relaxed);
            self.balances[account].store(balance + by, Ordering::Relaxed);
        };
        change(from, -1);
        change(to, 1);
    }

    /// The order of the locks is that of their numbers, whichever way the money goes.
    fn move_one_in_order(&self, me: usize, from: usize, to: usize) -> Result<(), Refused> {
        let low = self.locks.lock(me, from.min(to))?;
        let high = self.locks.lock(me, from.max(to))?;
        self.move_one(from, to, [&low, &high]);
        Ok(())
    }

    fn balances(&self) -> [i64; 2] {
        [self.balances[0].load(Ordering::Relaxed), self.balances[1].load(Ordering::Relaxed)]
    }
}

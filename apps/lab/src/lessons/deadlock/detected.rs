//! A deadlock is found at the moment in which it begins: whoever is about to wait looks at who waits for whom (`watched.rs`).

use std::sync::Barrier;

use common::exit::Failure;

use super::NAMES;
use super::bank::{BALANCE, Bank};
use super::watched::Refused;
use crate::lesson::{Example, Saw};
use crate::lessons::together::together;
use crate::stage::Stage;

pub(super) const DETECTED: Example = Example::new(
    "detected",
    "two locks in opposite order: the circle is found, and one thread gives up",
    &[31],
    detected,
);

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

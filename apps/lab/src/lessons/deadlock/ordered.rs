//! With an order for the locks there is no deadlock.

use common::exit::Failure;

use super::NAMES;
use super::bank::{BALANCE, Bank};
use super::watched::Refused;
use crate::lesson::{Example, Saw};
use crate::lessons::together::together;
use crate::stage::Stage;

/// What two threads do a thousand times without a deadlock when they agree on an order.
const ROUNDS: u64 = 1000;

pub(super) const ORDERED: Example = Example::new(
    "ordered",
    "the same work, locks in the order of their numbers: 1,000 rounds without a deadlock",
    &[31],
    ordered,
);

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

//! Two threads and two locks, each thread has what the other one wants; found by looking, and cured by an order.

mod bank;
mod detected;
mod ordered;
mod watched;

use crate::lesson::Lesson;

/// Who takes part.
const NAMES: [&str; 2] = ["thread 1", "thread 2"];

pub(crate) const LESSON: Lesson = Lesson {
    name: "deadlock",
    title: "deadlocks: found, then cured",
    about: "Two threads move money between two accounts, in opposite directions, and each account has its lock. If each has locked \
            the account that it takes from and waits for the other one, both wait for ever.",
    look_for: "The circle: who holds what, and who waits for whom. It is found at the moment in which it closes. Then one gives up, \
               and both end. With an order for the locks the circle cannot close.",
    file: file!(),
    examples: &[detected::DETECTED, ordered::ORDERED],
};

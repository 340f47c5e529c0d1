//! What a thread is given, and what comes back from it.

use std::thread;

use common::exit::Failure;

use super::{join, named};
use crate::lesson::{Example, Saw};
use crate::stage::Stage;

/// What the first work of the tutorials is given: two numbers by position, and one by name.
struct First {
    num1: u32,
    num2: u32,
    m: u32,
}

/// What the second one is given.
struct Second {
    num1: u32,
    num2: u32,
    num3: u32,
    n: u32,
}

pub(super) const ARGUMENTS: Example =
    Example::new("arguments", "what a thread is given, by name", &[22], arguments);

fn arguments(stage: &Stage) -> Result<Saw, Failure> {
    let first = |First { num1, num2, m }| {
        stage.says("work 1", format_args!("num1={num1}, num2={num2}, m={m}"));
        num1 + num2 + m
    };
    let second = |Second { num1, num2, num3, n }| {
        stage.says("work 2", format_args!("num1={num1}, num2={num2}, num3={num3}, n={n}"));
        num1 + num2 + num3 + n
    };
    let sums = thread::scope(|threads| {
        let one = named(threads, "work 1", move || first(First { num1: 11, num2: 22, m: 100 }))?;
        let arguments = Second { n: 200, num3: 55, num2: 44, num1: 33 };
        let two = named(threads, "work 2", move || second(arguments))?;
        Ok::<_, Failure>([join(one)?, join(two)?])
    })?;
    stage.says("main", format_args!("their sums: {sums:?}"));
    let right = sums == [11 + 22 + 100, 33 + 44 + 55 + 200];
    let how = if right { "those of" } else { "not those of" };
    Ok(Saw::new()
        .fact("sums", sums)
        .say(format!(
            "The sums that came back by join, {} and {}, are {how} what the threads were given.",
            sums[0], sums[1]
        ))
        .note("A struct has the names: in any order, and one that is missing or misspelt does not compile.")
        .shown(right))
}

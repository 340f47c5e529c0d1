//! A pipe: two ends, what goes through it both ways, and how one hears that the other end is gone.

use std::collections::BTreeMap;
use std::time::Duration;

use common::exit::Failure;
use common::process::Builder;
use serde::{Deserialize, Serialize};

use crate::lesson::{Example, Lesson, Saw};
use crate::mp::error::GetError;
use crate::mp::pipe;
use crate::stage::Stage;

pub(crate) const LESSON: Lesson = Lesson {
    name: "pipe",
    title: "a pipe: two ends, both ways, and how one hears that the other end is gone",
    about: "A pipe has two ends, each with one owner. What is sent into one is received from the other. Whoever receives waits \
            for a message as long as somebody could still send one, and no longer.",
    look_for: "What becomes of one receive too many: while the other end is open somewhere, and when it is closed.",
    file: file!(),
    examples: &[DUPLEX, END],
};

type Book = BTreeMap<String, String>;

/// `[1, "hello word"]`: the two ends may send different types.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Greeting(u32, String);

const DUPLEX: Example = Example::new("duplex", "both ways, with a dictionary in Chinese", &[15], duplex);

fn duplex(stage: &Stage) -> Result<Saw, Failure> {
    let (mut ours, theirs) = pipe::duplex::<Book, Greeting>().map_err(Failure::failed)?;
    let child = Builder::new().daemon(true).fork(|| {
        // a forked child has copies of both ends: it closes the one that is not its own
        ours.close();
        let mut theirs = theirs;
        theirs.send(Greeting(1, "hello word".to_owned())).map_err(|e| e.to_string())?;
        let book = theirs.recv().map_err(|e| e.to_string())?;
        stage.says("child", format_args!("接收主进程发来的消息: {book:?}"));
        Ok::<_, String>(i32::from(book.get("王阳明").is_none_or(|title| title != "传习录")))
    });
    let child = child.map_err(Failure::failed)?;
    let greeting = ours.recv().map_err(Failure::failed)?;
    stage.says("parent", format_args!("接收子进程发来的消息: {greeting:?}"));
    ours.send([("王阳明".to_owned(), "传习录".to_owned())].into()).map_err(Failure::failed)?;
    let code = child.join(None).map_err(Failure::failed)?;
    let fine = greeting == Greeting(1, "hello word".to_owned()) && code == Some(0);
    let whole = if fine { "came whole" } else { "did NOT come whole" };
    Ok(Saw::new()
        .fact("greeting", &greeting)
        .fact("exit_code", code)
        .say(format!(
            "A list went one way and a dictionary with Chinese text the other way, and both {whole}."
        ))
        .note(
            "Each direction has its own type: an end that sends books cannot be sent a greeting by mistake.",
        )
        .shown(fine))
}

const END: Example = Example::new("end", "one receive too many", &[15], end);

fn end(stage: &Stage) -> Result<Saw, Failure> {
    let (mut gate, mut shut) = pipe::one_way::<()>().map_err(Failure::failed)?;
    let (mut sender, mut receiver) = pipe::one_way::<u32>().map_err(Failure::failed)?;
    // sends one message, and keeps its end open until it may go
    let child = Builder::new().daemon(true).fork(|| {
        gate.close();
        receiver.close();
        sender.send(1).map_err(|e| e.to_string())?;
        let _ = shut.recv();
        stage.says("child", "goes");
        Ok::<_, String>(0)
    });
    let child = child.map_err(Failure::failed)?;
    shut.close();
    let first = receiver.recv().map_err(Failure::failed)?;
    stage.says("parent", format_args!("received {first}, and wants one more"));
    let patience = stage.paced(Duration::from_secs(1));
    let limit = patience.as_millis();
    let while_open = receiver.poll(patience).map_err(Failure::failed)?;
    stage.says("parent", format_args!("after {limit} ms there is something to receive: {while_open}"));
    gate.close();
    let code = child.join(None).map_err(Failure::failed)?;
    // the child is gone, but this process has a copy of its end
    let with_a_copy = receiver.poll(patience).map_err(Failure::failed)?;
    stage.says("parent", format_args!("the child has gone; our own copy of its end is open: {with_a_copy}"));
    sender.close();
    let is_end = matches!(receiver.recv(), Err(GetError::Ended));
    stage.says(
        "parent",
        format_args!("the copy is closed: {}", if is_end { "this is the end" } else { "not the end" }),
    );
    Ok(Saw::new()
        .fact("first", first)
        .fact("something_while_open", while_open)
        .fact("something_with_a_forgotten_copy", with_a_copy)
        .fact("ended", is_end)
        .say(format!(
            "For one receive too many there was {} while the other end was open, {limit} ms long in the child and {limit} ms \
             long in a forgotten copy.",
            if while_open || with_a_copy { "SOMETHING" } else { "nothing" }
        ))
        .say(format!(
            "When the last copy was closed, the answer was {}.",
            if is_end { "that this is the end" } else { "NOT that this is the end" }
        ))
        .note("A receive would have waited for ever while anybody had the other end open: so everybody closes the ends that are not its own.")
        .shown(first == 1 && !while_open && !with_a_copy && is_end && code == Some(0)))
}

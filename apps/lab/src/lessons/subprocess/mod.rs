//! Other programs as children: run one and wait for it, or talk to it.

mod call;
mod communicate;
mod full_pipes;

use std::time::Duration;

use crate::lesson::Lesson;

/// No program of this lesson takes longer, however busy the machine is.
const LIMIT: Duration = Duration::from_secs(30);

pub(crate) const LESSON: Lesson = Lesson {
    name: "subprocess",
    title: "other programs as children: run one, or talk to one",
    about: "A program is started, fed and heard out through pipes, and its exit code says how it ended. The tutorials ask \
            `nslookup` for addresses; that needs a network and a name server, so the programs here are some that every machine has.",
    look_for: "The exit code of a program that a signal ended, and that a program which is not there has none. How much can be \
               written to a program before anybody reads what it answers: from then on all wait for each other.",
    file: file!(),
    examples: &[call::CALL, communicate::COMMUNICATE],
};

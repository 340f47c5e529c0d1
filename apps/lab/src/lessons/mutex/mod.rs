//! The count of the race, with a lock; what a lock can do, and what it costs.

mod api;
mod correct;
mod cost;
mod counting;

use crate::lesson::Lesson;

pub(crate) const LESSON: Lesson = Lesson {
    name: "mutex",
    title: "a lock: the count is right, and what that costs",
    about: "Two threads add to the same number, and a lock lets one at a time do so: the count is right. A lock costs time, most \
            of all when several want it.",
    look_for: "That all two million are there now. What each way of counting costs, with one thread and with two: the cheapest \
               way for two threads is to share nothing until the end.",
    file: file!(),
    examples: &[correct::CORRECT, api::API, cost::COST],
};

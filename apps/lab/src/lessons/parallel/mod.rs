//! Work that needs nothing but CPUs, given to threads and to processes.

mod cpu;
mod primes;
mod verdict;

use crate::lesson::Lesson;

pub(crate) const LESSON: Lesson = Lesson {
    name: "parallel",
    title: "many CPUs: threads and processes for work that only computes",
    about: "The same work, divided among more and more threads, then among processes. One of the tutorials says that threads are \
            useless and processes are to be used instead. That is true of an interpreter with one lock for everything.",
    look_for: "How much faster two threads are than one, and whether processes are any better; that more threads than CPUs bring nothing; \
               and how many CPUs they were given, for on a busy machine that is less than there are.",
    file: file!(),
    examples: &[cpu::CPU],
};

//! Processes that are killed before each single instruction of what they do, while others sleep and wait for them.
//!
//! A debugger's system call (`ptrace`) runs the victim instruction by instruction. What a random instant hits once in a million
//! kills is so met in every run.

use common::process::{self, Process};
use lab::mp::error::{GetError, PutError};
use lab::mp::pipe;
use lab::mp::queue::Queue;
use nix::sys::ptrace;
use nix::sys::signal::{Signal, kill, raise};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;
use std::time::{Duration, Instant};

use crate::family::{LONG, child, ends_well, until_it_sleeps};
use crate::runner::Test;

pub(crate) const TESTS: &[Test] = &[
    ("killed_at_any_instant_of_a_put", killed_in_a_put),
    ("killed_at_any_instant_of_a_get", killed_in_a_get),
    ("killed_at_any_instant_of_going_to_sleep", killed_while_going_to_sleep),
    ("killed_at_any_instant_of_close", killed_in_close),
    ("killed_at_any_instant_of_a_send", killed_in_a_send),
    ("killed_at_any_instant_of_a_recv", killed_in_a_recv),
];

/// Runs `action` in a child and kills it after so many instructions. `false`: it had done all.
fn killed_after(instructions: usize, action: impl FnOnce()) -> bool {
    let victim = process::fork(|| {
        ptrace::traceme().unwrap();
        raise(Signal::SIGSTOP).unwrap();
        action();
        0
    });
    let victim = victim.unwrap();
    assert_eq!(wait_for(victim), WaitStatus::Stopped(victim, Signal::SIGSTOP));
    for _ in 0..instructions {
        ptrace::step(victim, None).unwrap();
        match wait_for(victim) {
            WaitStatus::Stopped(_, Signal::SIGTRAP) => {}
            ended => {
                assert_eq!(ended, WaitStatus::Exited(victim, 0));
                return false;
            }
        }
    }
    kill(victim, Signal::SIGKILL).unwrap();
    assert!(matches!(wait_for(victim), WaitStatus::Signaled(_, Signal::SIGKILL, _)));
    true
}

fn wait_for(victim: Pid) -> WaitStatus {
    let end = Instant::now() + LONG;
    loop {
        match waitpid(victim, Some(WaitPidFlag::WNOHANG)).unwrap() {
            WaitStatus::StillAlive => assert!(Instant::now() < end, "it does not go on"),
            other => return other,
        }
    }
}

/// `attempt` is made with each number of instructions after which the victim is still there.
fn at_every_instant(mut attempt: impl FnMut(usize) -> bool) {
    let mut instructions = 0;
    while attempt(instructions) {
        instructions += 1;
    }
    assert!(instructions > 100, "it was killed {instructions} times only");
}

/// Ends with the number that it got.
fn reader(queue: &Queue<i32>) -> Process {
    let reader = child(|| queue.get_within(LONG).unwrap_or(99));
    until_it_sleeps(&reader);
    reader
}

fn killed_in_a_put() {
    at_every_instant(|instant| {
        let queue = Queue::bounded(2).unwrap();
        let reader = reader(&queue);
        let killed = killed_after(instant, || queue.put(1).unwrap());
        queue.put_within(2, LONG).unwrap();
        let got = reader.join(Some(LONG)).unwrap().unwrap();
        // put or not put, and nothing between
        match (got, killed) {
            (1, _) => assert_eq!(queue.try_get().unwrap(), 2, "at {instant}"),
            (2, true) => assert!(queue.is_empty(), "at {instant}"),
            other => panic!("{other:?} at {instant}"),
        }
        (0..2).for_each(|n| queue.try_put(n).unwrap());
        killed
    });
}

fn killed_in_a_get() {
    at_every_instant(|instant| {
        let queue = Queue::bounded(1).unwrap();
        queue.put(1).unwrap();
        let writer = child(|| queue.put_within(2, LONG));
        until_it_sleeps(&writer);
        let killed = killed_after(instant, || assert_eq!(queue.get().unwrap(), 1));
        let next = queue.get_within(LONG).unwrap();
        match (next, killed) {
            (1, true) => assert_eq!(queue.get_within(LONG).unwrap(), 2, "at {instant}"),
            (2, _) => assert!(queue.is_empty(), "at {instant}"),
            other => panic!("{other:?} at {instant}"),
        }
        ends_well(&writer);
        killed
    });
}

fn killed_while_going_to_sleep() {
    let queue = Queue::bounded(1).unwrap();
    at_every_instant(|instant| {
        // (no time to sleep: it does all but the last system call)
        let killed = killed_after(7 * instant, || {
            assert!(matches!(queue.get_within(Duration::ZERO), Err(GetError::Empty)));
        });
        queue.put_within(1, LONG).unwrap();
        assert_eq!(queue.get_within(LONG).unwrap(), 1);
        killed
    });
}

fn killed_in_close() {
    at_every_instant(|instant| {
        let (empty, full) = (Queue::<i32>::bounded(1).unwrap(), Queue::<i32>::bounded(1).unwrap());
        full.put(1).unwrap();
        let reader = child(|| i32::from(!matches!(empty.get_within(LONG), Err(GetError::Ended))));
        let writer = child(|| i32::from(!matches!(full.put_within(2, LONG), Err(PutError::Closed(2)))));
        [&reader, &writer].into_iter().for_each(until_it_sleeps);
        let mut killed = false;
        for queue in [&empty, &full] {
            killed |= killed_after(instant, || queue.close().unwrap());
            // if it was closed, those who wait hear of it without anybody's help
            if !queue.is_closed() {
                queue.close().unwrap();
            }
        }
        [&reader, &writer].into_iter().for_each(ends_well);
        killed
    });
}

fn killed_in_a_send() {
    at_every_instant(|instant| {
        let (mut sender, mut receiver) = pipe::one_way().unwrap();
        let other = child(|| {
            sender.close();
            match (receiver.recv_within(LONG), receiver.recv_within(LONG)) {
                (Ok(1), Err(GetError::Ended)) => 1,
                (Err(GetError::Ended), _) => 2,
                _ => 99,
            }
        });
        receiver.close();
        until_it_sleeps(&other);
        let killed = killed_after(instant, || sender.send(1).unwrap());
        sender.close();
        let saw = other.join(Some(LONG)).unwrap().unwrap();
        assert!(saw == 1 || (saw == 2 && killed), "{saw} at {instant}");
        killed
    });
}

fn killed_in_a_recv() {
    at_every_instant(|instant| {
        let (mut sender, mut receiver) = pipe::one_way_with_room::<String>(4096).unwrap();
        let most = "x".repeat(sender.longest() - 2);
        sender.send(most.clone()).unwrap();
        let other = child(|| {
            receiver.close();
            // the second one finds nobody, unless it finds room first: then the third one does
            let sent = [(); 2].map(|()| sender.send_within(most.clone(), LONG));
            i32::from(!matches!(sent, [_, Err(PutError::Closed(_))]))
        });
        sender.close();
        until_it_sleeps(&other);
        let killed = killed_after(instant, || drop(receiver.recv().unwrap()));
        receiver.close();
        ends_well(&other);
        killed
    });
}

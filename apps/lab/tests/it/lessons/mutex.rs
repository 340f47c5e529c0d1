//! The lesson about locks.

use crate::program::run;

#[test]
fn correct() {
    let run = run("mutex/correct");
    assert_eq!((&run.facts["expected"], &run.facts["got"]), (&2_000_000.into(), &2_000_000.into()));
    assert_eq!((run.of("thread 1").len(), run.of("thread 2").len()), (1, 1));
    // who came last has read all
    assert!(run.events.last().unwrap().what.contains("2,000,000"), "{run:?}");
}

#[test]
fn api() {
    let run = run("mutex/api");
    assert_eq!(run.facts["try_lock_while_held"], false);
    assert_eq!(run.facts["lock_within_while_held"], false);
    assert!(run.facts["locked_twice"].as_str().unwrap().contains("already"), "{run:?}");
    // a limit is kept, and a lock is not got before it is released
    assert!(run.facts["limit_ms"].as_f64().unwrap() >= 50.0, "{run:?}");
    let at = |what: &str| run.events.iter().position(|event| event.what.starts_with(what)).unwrap();
    assert!(at("I release both") < at("lock: I have it"), "{run:?}");
    assert!(at("lock_within: not got") < at("I release both"), "{run:?}");
}

#[test]
fn cost() {
    let run = run("mutex/cost");
    for way in ["racy", "fetch_add", "mutex", "own_sum"] {
        for threads in ["one_thread_ns", "two_threads_ns"] {
            assert!(run.facts[way][threads].as_f64().unwrap() > 0.0, "{way} {threads}: {run:?}");
        }
        if way != "racy" {
            assert_eq!(run.facts[way]["lost"], 0, "{way}");
        }
    }
    assert_eq!(run.of("main").len(), 4);
}

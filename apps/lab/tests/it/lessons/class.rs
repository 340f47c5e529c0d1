//! The lesson about objects with a `run` method.

use crate::program::run;

#[test]
fn thread() {
    let run = run("class/thread");
    let said: Vec<&str> = run.of("Thread-1").iter().map(|event| event.what.as_str()).collect();
    assert_eq!(said, ["I'm Thread-1 @ 0", "I'm Thread-1 @ 1", "I'm Thread-1 @ 2"]);
    assert_eq!(run.pid_of("Thread-1"), run.pid_of("main"));
    assert_eq!((&run.facts["counted_by_mains_object"], &run.facts["lines"]), (&3.into(), &3.into()));
}

#[test]
fn process() {
    let run = run("class/process");
    let said: Vec<&str> = run.of("Process-1").iter().map(|event| event.what.as_str()).collect();
    assert_eq!(said, (0..5).map(|round| format!("I'm Process-1 @ {round}")).collect::<Vec<_>>());
    assert_ne!(run.pid_of("Process-1"), run.pid_of("main"));
    assert_eq!((&run.facts["exit_code"], &run.facts["counted_by_mains_object"]), (&0.into(), &0.into()));
}

#[test]
fn an_endless_one_is_ended() {
    let run = run("class/loop");
    assert_eq!((&run.facts["exit_code"], &run.facts["alive_before"]), (&(-15).into(), &true.into()));
    assert!(run.of("Process-1").len() >= 3 && run.of("main").len() >= 2, "{run:?}");
    assert_eq!(run.events.last().unwrap().who, "main", "nothing of it is heard after its end: {run:?}");
}

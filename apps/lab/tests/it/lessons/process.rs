//! The lesson about processes.

use crate::program::run;

#[test]
fn start() {
    let run = run("process/start");
    assert_eq!(run.facts["exit_code"], 0);
    assert_eq!(run.facts["parent_line_before_child_end"], true);
    assert_ne!(run.pid_of("parent"), run.pid_of("child"));
    assert_eq!(run.of("child")[0].what, "name kurong, age 18");
}

#[test]
fn join() {
    let run = run("process/join");
    assert_eq!(run.events.last().unwrap().who, "parent");
    assert_eq!(run.facts["exit_code"], 0);
}

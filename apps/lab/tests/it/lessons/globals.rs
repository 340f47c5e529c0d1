//! The lesson about globals.

use crate::program::{Run, run};

/// What these have said of the global: its value, and the address.
fn looks<'a>(run: &'a Run, who: &str) -> Vec<(u32, &'a str)> {
    let parts =
        run.of(who).into_iter().map(|event| event.what.strip_prefix("age ").unwrap().split_once(" at "));
    parts.map(|parts| parts.unwrap()).map(|(age, address)| (age.parse().unwrap(), address)).collect()
}

#[test]
fn a_thread_changes_it_for_all() {
    let run = run("globals/thread");
    let (main, thread) = (looks(&run, "main"), looks(&run, "thread"));
    assert_eq!(main.iter().chain(&thread).map(|(age, _)| *age).collect::<Vec<_>>(), [22, 23, 23]);
    assert!(main.iter().all(|(_, address)| *address == thread[0].1), "{run:?}");
    assert_eq!(run.pid_of("main"), run.pid_of("thread"));
    assert_eq!(run.facts["same_address"], true);
}

#[test]
fn a_forked_process_changes_its_copy() {
    let run = run("globals/process");
    let (parent, child) = (looks(&run, "parent"), looks(&run, "forked child"));
    assert_eq!(parent.iter().chain(&child).map(|(age, _)| *age).collect::<Vec<_>>(), [22, 22, 23]);
    assert_eq!(parent[1].1, child[0].1, "the same address, and other memory");
    assert_ne!(run.pid_of("parent"), run.pid_of("forked child"));
    assert_eq!((&run.facts["parent_age"], &run.facts["child_age"]), (&22.into(), &23.into()));
}

#[test]
fn a_spawned_process_begins_anew() {
    let run = run("globals/spawn");
    let ages = |who| looks(&run, who).into_iter().map(|(age, _)| age).collect::<Vec<_>>();
    assert_eq!(
        (ages("parent"), ages("forked child"), ages("spawned child")),
        (vec![40, 40], vec![41], vec![23])
    );
    assert_eq!((&run.facts["forked_age"], &run.facts["spawned_age"]), (&41.into(), &23.into()));
}

/// Each of them sets the global that it begins with.
#[test]
fn no_example_depends_on_the_one_before() {
    let ended = crate::program::lab(&["run", "globals/spawn", "globals/process", "globals/thread", "--json"]);
    assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""), "{ended:?}");
}
